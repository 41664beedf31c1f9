// Who waits for a log to be durable: up to an offset, or with everything that was done to it so far.
import type { Offset } from '@atoll/records'

interface Waiter {
  /** Exclusive. */
  readonly end: Offset
  readonly change: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class SyncWaiters {
  #waiting: Waiter[] = []

  untilEnd(end: Offset): Promise<void> {
    return this.#add(end, 0)
  }

  untilChange(change: number): Promise<void> {
    return this.#add(0 as Offset, change)
  }

  /** Everything below `end` and every change up to `change` is durable. Resolves in the order in which was waited. */
  reached(end: Offset, change: number): void {
    const settled = this.#waiting.filter(waiter => waiter.end <= end && waiter.change <= change)
    if (settled.length === 0) return
    this.#waiting = this.#waiting.filter(waiter => waiter.end > end || waiter.change > change)
    for (const { resolve } of settled) resolve()
  }

  rejectAll(error: Error): void {
    const rejected = this.#waiting
    this.#waiting = []
    for (const { reject } of rejected) reject(error)
  }

  #add(end: Offset, change: number): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ end, change, resolve, reject }))
  }
}
