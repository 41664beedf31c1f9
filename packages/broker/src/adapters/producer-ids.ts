// Producer ids: taken from the controller in blocks, given away one by one. What is left of a block when this broker ends is
// never used; there are enough.
import { AtollError } from '@atoll/client/core'
import type { Revision } from '@atoll/protocol'
import type { ControllerCalls } from './controller-calls.ts'

export class ProducerIds {
  readonly #controller: ControllerCalls
  readonly #epoch: () => Revision | undefined
  #next = 0
  #end = 0
  #taking: Promise<void> | undefined

  constructor(controller: ControllerCalls, epoch: () => Revision | undefined) {
    this.#controller = controller
    this.#epoch = epoch
  }

  /** One that nobody else was given. Rejects with an AtollError. */
  async draw(): Promise<number> {
    while (this.#next === this.#end) {
      this.#taking ??= this.#take().finally(() => {
        this.#taking = undefined
      })
      await this.#taking
    }
    return this.#next++
  }

  async #take(): Promise<void> {
    const epoch = this.#epoch()
    if (epoch === undefined)
      throw new AtollError('not_ready', 'this broker is not registered', { operation: 'producer_ids', outcome: 'definite' })
    const { first, count } = await this.#controller.producerIds(epoch)
    this.#next = first
    this.#end = first + count
  }
}
