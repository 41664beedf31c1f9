// Callers that wait for a command to be applied or a read to be allowed: each settled once, by the outcome or by its deadline.
import type { Clock } from '@atoll/base'
import { Deadlines, type ErrorCode, type Expiring, ProtocolError } from '@atoll/protocol'
import { WAITING_MAX } from './limits.ts'

export class Waiter<Outcome> implements Expiring {
  readonly promise: Promise<Outcome>
  readonly #late: () => void
  #resolve!: (outcome: Outcome) => void
  #reject!: (error: ProtocolError) => void
  expireAtMs = 0
  list: Expiring['list'] = undefined
  before: Expiring | undefined = undefined
  after: Expiring | undefined = undefined

  constructor(late: (waiter: Waiter<Outcome>) => void) {
    this.#late = () => late(this)
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  expire(): void {
    this.#late()
  }

  resolve(outcome: Outcome): void {
    this.#resolve(outcome)
  }

  reject(error: ProtocolError): void {
    this.#reject(error)
  }
}

export class WaitingRoom<Outcome> {
  readonly #what: string
  readonly #deadlines: Deadlines
  readonly #waiting = new Set<Waiter<Outcome>>()

  constructor(what: string, clock: Clock) {
    this.#what = what
    this.#deadlines = new Deadlines(clock)
  }

  get size(): number {
    return this.#waiting.size
  }

  /** Throws `too_many_requests`. */
  enter(timeoutMs: number): Waiter<Outcome> {
    if (this.#waiting.size >= WAITING_MAX) throw new ProtocolError('too_many_requests', `${WAITING_MAX} wait for ${this.#what}`)
    const waiter = new Waiter<Outcome>(late => {
      this.#waiting.delete(late)
      late.reject(new ProtocolError('request_timed_out', `${this.#what} within ${Math.round(timeoutMs)} ms`))
    })
    this.#waiting.add(waiter)
    this.#deadlines.add(waiter, timeoutMs)
    return waiter
  }

  resolve(waiter: Waiter<Outcome>, outcome: Outcome): void {
    if (this.#leave(waiter)) waiter.resolve(outcome)
  }

  reject(waiter: Waiter<Outcome>, code: ErrorCode, sentence?: string): void {
    if (this.#leave(waiter)) waiter.reject(new ProtocolError(code, sentence))
  }

  close(): void {
    for (const waiter of this.#waiting) this.reject(waiter, 'leadership_lost', 'this coordinator stops')
    this.#deadlines.close()
  }

  #leave(waiter: Waiter<Outcome>): boolean {
    if (!this.#waiting.delete(waiter)) return false
    this.#deadlines.remove(waiter)
    return true
  }
}
