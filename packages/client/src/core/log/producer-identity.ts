// Who a producer is to the logs: an id that nobody had before, drawn with the first record and kept.
import { logProducerId } from '@atoll/protocol'
import type { Brokers } from './brokers.ts'
import { BROKER_CALL_MS } from './limits.ts'

export class ProducerIdentity {
  readonly #brokers: Brokers
  #id: number | undefined
  #drawing: Promise<void> | undefined

  constructor(brokers: Brokers) {
    this.#brokers = brokers
  }

  get id(): number | undefined {
    return this.#id
  }

  /** Resolves once there is an id. Rejects with a ProtocolError. */
  draw(): Promise<void> {
    if (this.#id !== undefined) return Promise.resolve()
    this.#drawing ??= this.#draw().finally(() => {
      this.#drawing = undefined
    })
    return this.#drawing
  }

  async #draw(): Promise<void> {
    const session = await this.#brokers.any()
    const { producerId } = await session.request(logProducerId, {}, { timeoutMs: BROKER_CALL_MS })
    this.#id = producerId
  }
}
