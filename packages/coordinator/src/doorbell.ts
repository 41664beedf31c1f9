// What a stream waits at for something to send: it is rung, it is too late, or it is over.
import { type Deadlines, type Expiring, type ProtocolError } from '@atoll/protocol'

export class Doorbell implements Expiring {
  readonly #deadlines: Deadlines
  #rung = false
  #over: ProtocolError | undefined
  #waiting: ((rung: boolean) => void) | undefined
  expireAtMs = 0
  list: Expiring['list'] = undefined
  before: Expiring | undefined = undefined
  after: Expiring | undefined = undefined

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines
  }

  /** Set once nobody is to be served any more, and why. */
  get over(): ProtocolError | undefined {
    return this.#over
  }

  /** Wakes whoever waits, or the next one who does. */
  ring(): void {
    if (this.#waiting === undefined) this.#rung = true
    else this.#wake(true)
  }

  end(why: ProtocolError): void {
    this.#over ??= why
    this.ring()
  }

  /** True when it was rung since the last wait; false after `timeoutMs` without that, 0 being never. One waits at a time. */
  wait(timeoutMs: number): Promise<boolean> {
    if (this.#rung) {
      this.#rung = false
      return Promise.resolve(true)
    }
    if (timeoutMs > 0) this.#deadlines.add(this, timeoutMs)
    return new Promise(resolve => {
      this.#waiting = resolve
    })
  }

  expire(): void {
    this.#wake(false)
  }

  #wake(rung: boolean): void {
    this.#deadlines.remove(this)
    this.#waiting?.(rung)
    this.#waiting = undefined
  }
}
