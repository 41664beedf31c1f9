// Many deadlines, few timers. Durations are rounded up to one of a few hundred values; all deadlines of one duration
// expire in the order they were set, so a linked list per duration and one timer per list are enough, and a deadline
// that is met costs no timer at all (the idea of Varghese and Lauck 1987 scheme 3, as Node's own timers use it).
import type { Clock, Timer } from '@atoll/base'

/** Something that expires. Its links belong to the Deadlines it was added to. */
export interface Expiring {
  expireAtMs: number
  list: DeadlineList | undefined
  before: Expiring | undefined
  after: Expiring | undefined
  /** Called once, when it was not removed before `expireAtMs`. */
  expire(): void
}

interface DeadlineList {
  readonly durationMs: number
  first: Expiring | undefined
  last: Expiring | undefined
  timer: Timer | undefined
}

/** `durationMs` rounded up to 1, 2, … 16 ms and then to sixteen steps per doubling: at most 6.25 % later. */
export function roundedDurationMs(durationMs: number): number {
  const whole = Math.max(1, Math.ceil(durationMs))
  if (whole <= 16) return whole
  const step = 2 ** (Math.floor(Math.log2(whole - 1)) - 4)
  return Math.ceil(whole / step) * step
}

export class Deadlines {
  readonly #clock: Clock
  /** One list per rounded duration, at most 272, kept for good. */
  readonly #lists = new Map<number, DeadlineList>()
  #closed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `entry` expires `durationMs` from now or up to 6.25 % later, unless it is removed. */
  add(entry: Expiring, durationMs: number): void {
    const list = this.#listOf(roundedDurationMs(durationMs))
    entry.expireAtMs = this.#clock.monotonicMs() + list.durationMs
    entry.list = list
    entry.before = list.last
    entry.after = undefined
    if (list.last === undefined) list.first = entry
    else list.last.after = entry
    list.last = entry
    if (list.timer === undefined) this.#arm(list, list.durationMs)
  }

  /** Takes `entry` out; it will not expire. Does nothing when it is not in. */
  remove(entry: Expiring): void {
    const list = entry.list
    if (list === undefined) return
    if (entry.before === undefined) list.first = entry.after
    else entry.before.after = entry.after
    if (entry.after === undefined) list.last = entry.before
    else entry.after.before = entry.before
    entry.list = undefined
    entry.before = undefined
    entry.after = undefined
  }

  /** Stops every timer; nothing expires any more. For the end of a process. */
  close(): void {
    this.#closed = true
    for (const list of this.#lists.values()) list.timer?.cancel()
  }

  #listOf(durationMs: number): DeadlineList {
    let list = this.#lists.get(durationMs)
    if (list === undefined) {
      list = { durationMs, first: undefined, last: undefined, timer: undefined }
      this.#lists.set(durationMs, list)
    }
    return list
  }

  #arm(list: DeadlineList, delayMs: number): void {
    if (!this.#closed) list.timer = this.#clock.after(delayMs, () => this.#expireDue(list))
  }

  #expireDue(list: DeadlineList): void {
    const nowMs = this.#clock.monotonicMs()
    // The timer counts as set until the end: what expires here may add to this very list.
    while (list.first !== undefined && list.first.expireAtMs <= nowMs) {
      const due = list.first
      this.remove(due)
      due.expire()
    }
    list.timer = undefined
    if (list.first !== undefined) this.#arm(list, Math.max(0, list.first.expireAtMs - nowMs))
  }
}
