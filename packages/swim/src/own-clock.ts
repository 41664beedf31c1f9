// Own time: monotonic time less the time in which this process did not run. After a pause the timers of an event loop
// fire before its sockets are read, so every deadline seems missed by everyone else while their answers lie unread.
// Deadlines are therefore kept in own time, which stood still during the pause, and none fires until the answers that
// waited had a moment to be read (after Lifeguard section IV: do not blame others for one's own slowness).

/** A wake-up later than this was missed; earlier than that is the ordinary roughness of timers. */
const LATE_MS = 30
/** For this long after a late wake-up sockets are read and no deadline fires. */
const READING_MS = 25
/** So that a wake-up at a deadline never falls short of it by a rounding error. */
const ROUNDING_MS = 0.001

export class OwnClock {
  #lostMs = 0
  /** When this process was to be woken, in monotonic time. */
  #wakeAtMs: number | undefined
  #readingUntilMs: number | undefined

  /** Notes that something is being handled at `nowMs` and returns for how long the process had not run: 0 if it was in time. */
  observe(nowMs: number): number {
    const lateMs = this.#wakeAtMs === undefined ? 0 : nowMs - this.#wakeAtMs
    const missedMs = lateMs > LATE_MS ? lateMs : 0
    if (this.#readingUntilMs !== undefined && nowMs >= this.#readingUntilMs) {
      // However late this is, the sockets were read since: without progress here a busy process would never conclude anything.
      this.#readingUntilMs = undefined
      this.#lostMs += missedMs
    } else {
      this.#lose(missedMs, nowMs)
    }
    this.#wakeAtMs = undefined
    return missedMs
  }

  /** The driver noticed a stall by other means, of which `observe` saw `alreadyMs`. */
  reportStall(stalledMs: number, alreadyMs: number, nowMs: number): void {
    this.#lose(Math.max(0, stalledMs - alreadyMs), nowMs)
  }

  /** Own time, for all deadlines. */
  own(nowMs: number): number {
    return nowMs - this.#lostMs + ROUNDING_MS
  }

  /** False while answers that waited out a pause are still being read. */
  mayConclude(): boolean {
    return this.#readingUntilMs === undefined
  }

  /** Asks at `nowMs` to be woken at `ownDeadline`; returns that in monotonic time, or undefined for infinity. */
  wakeAt(ownDeadline: number, nowMs: number): number | undefined {
    // A deadline that had to wait may have passed; it is due now, and being woken for it now is not being late.
    const due = Math.max(ownDeadline + this.#lostMs, this.#readingUntilMs ?? nowMs)
    this.#wakeAtMs = Number.isFinite(due) ? due : this.#readingUntilMs
    return this.#wakeAtMs
  }

  #lose(missedMs: number, nowMs: number): void {
    if (missedMs === 0) return
    this.#lostMs += missedMs
    this.#readingUntilMs ??= nowMs + READING_MS
  }
}
