// Callers that wait for the same thing, first come, first served, each with its own deadline and signal. One timer per
// length of deadline serves them all.
import type { Clock } from '@atoll/base'
import { type Deadlines, type Expiring, ProtocolError } from '@atoll/protocol'

export interface Patience {
  /** On the monotonic clock, in milliseconds. */
  readonly deadlineAtMs: number
  readonly signal: AbortSignal | undefined
}

class Waiter implements Expiring {
  readonly #settle: (error: Error | undefined) => void
  readonly #list: WaitingList
  readonly #signal: AbortSignal | undefined
  readonly #onAbort = (): void => {
    this.#list.remove(this, new ProtocolError('request_cancelled', 'the caller gave it up', { cause: this.#signal?.reason }))
  }
  expireAtMs = 0
  list: Expiring['list'] = undefined
  before: Expiring | undefined = undefined
  after: Expiring | undefined = undefined

  constructor(list: WaitingList, signal: AbortSignal | undefined, settle: (error: Error | undefined) => void) {
    this.#list = list
    this.#signal = signal
    this.#settle = settle
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  expire(): void {
    this.#list.remove(this, new ProtocolError('request_timed_out', 'the deadline passed'))
  }

  settle(error: Error | undefined): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#settle(error)
  }
}

export class WaitingList {
  readonly #waiters = new Set<Waiter>()
  readonly #clock: Clock
  readonly #deadlines: Deadlines

  constructor(clock: Clock, deadlines: Deadlines) {
    this.#clock = clock
    this.#deadlines = deadlines
  }

  get size(): number {
    return this.#waiters.size
  }

  /** Resolves when it is this caller's turn; rejects with a ProtocolError when it waited long enough. */
  wait({ deadlineAtMs, signal }: Patience): Promise<void> {
    return new Promise((resolve, reject) => {
      const leftMs = deadlineAtMs - this.#clock.monotonicMs()
      if (signal?.aborted) return reject(new ProtocolError('request_cancelled', 'the caller gave it up', { cause: signal.reason }))
      if (leftMs <= 0) return reject(new ProtocolError('request_timed_out', 'the deadline passed'))
      const waiter = new Waiter(this, signal, error => (error === undefined ? resolve() : reject(error)))
      this.#waiters.add(waiter)
      this.#deadlines.add(waiter, leftMs)
    })
  }

  /** Lets the one that has waited longest go on; false when nobody waits. */
  wakeOne(): boolean {
    const [first] = this.#waiters
    if (first === undefined) return false
    this.remove(first, undefined)
    return true
  }

  wakeAll(): void {
    for (const waiter of this.#waiters) this.remove(waiter, undefined)
  }

  refuseAll(error: Error): void {
    for (const waiter of this.#waiters) this.remove(waiter, error)
  }

  remove(waiter: Waiter, error: Error | undefined): void {
    if (!this.#waiters.delete(waiter)) return
    this.#deadlines.remove(waiter)
    waiter.settle(error)
  }
}
