// Producers that wait for their batch to be on disk: here, or on every in-sync replica. In the order of the offsets they
// wait for, so that a position that rises answers from the front. One bound for all of them, no timer for any.
import { PRODUCES_WAITING_MAX } from './limits.ts'

export interface WaitingProduce {
  readonly requestId: number
  readonly firstOffset: number
  /** Exclusive: what has to be reached. */
  readonly end: number
  readonly deadlineMs: number
  readonly duplicate: boolean
}

export class WaitingProduces {
  #waiting: WaitingProduce[] = []
  /** Places before this are answered; the array is cut now and then. */
  #first = 0
  /** No later than any deadline in here. */
  #nextDeadlineMs = Number.POSITIVE_INFINITY

  get length(): number {
    return this.#waiting.length - this.#first
  }

  get full(): boolean {
    return this.length >= PRODUCES_WAITING_MAX
  }

  get nextDeadlineMs(): number {
    return this.length === 0 ? Number.POSITIVE_INFINITY : this.#nextDeadlineMs
  }

  add(produce: WaitingProduce): void {
    let place = this.#waiting.length
    // Only a duplicate, which waits for an offset that exists already, is ever out of order.
    while (place > this.#first && (this.#waiting[place - 1] as WaitingProduce).end > produce.end) place--
    if (place === this.#waiting.length) this.#waiting.push(produce)
    else this.#waiting.splice(place, 0, produce)
    this.#nextDeadlineMs = Math.min(this.#nextDeadlineMs, produce.deadlineMs)
  }

  /** Those that wait for no more than `end`, which leave. */
  reached(end: number): readonly WaitingProduce[] {
    const from = this.#first
    let to = from
    while (to < this.#waiting.length && (this.#waiting[to] as WaitingProduce).end <= end) to++
    if (to === from) return NONE
    const done = this.#waiting.slice(from, to)
    this.#first = to
    if (this.#first === this.#waiting.length) this.#clear()
    else if (this.#first > 256 && this.#first * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first)
      this.#first = 0
    }
    return done
  }

  /** Those whose time is up, which leave. */
  expired(now: number): readonly WaitingProduce[] {
    if (now < this.nextDeadlineMs) return NONE
    const waiting = this.#waiting.slice(this.#first)
    const left = waiting.filter(({ deadlineMs }) => deadlineMs > now)
    this.#clear()
    this.#waiting = left
    this.#nextDeadlineMs = left.reduce((least, { deadlineMs }) => Math.min(least, deadlineMs), Number.POSITIVE_INFINITY)
    return waiting.filter(({ deadlineMs }) => deadlineMs <= now)
  }

  /** All of them, which leave. */
  takeAll(): readonly WaitingProduce[] {
    const all = this.#waiting.slice(this.#first)
    this.#clear()
    return all
  }

  #clear(): void {
    this.#waiting = []
    this.#first = 0
    this.#nextDeadlineMs = Number.POSITIVE_INFINITY
  }
}

const NONE: readonly WaitingProduce[] = []
