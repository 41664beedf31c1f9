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
  /** Up to when pauses are in `#lostMs`, in monotonic time like all that follow. */
  #countedUntilMs = Number.NEGATIVE_INFINITY
  /** When this process was to be woken. */
  #wakeAtMs: number | undefined
  #readingUntilMs: number | undefined

  /**
   * Notes that something is being handled at `nowMs`, and that the driver saw a pause of `reportedMs` up to now.
   * Returns for how long the process did not run: 0 if it was in time, or if that pause was noticed before.
   */
  observe(nowMs: number, reportedMs = 0): number {
    const lateMs = nowMs - (this.#wakeAtMs ?? nowMs)
    const unnoticedMs = Math.min(reportedMs, nowMs - this.#countedUntilMs)
    const pausedMs = Math.max(lateMs, unnoticedMs)
    const missedMs = pausedMs > LATE_MS ? pausedMs : 0
    if (missedMs > 0) {
      this.#lostMs += missedMs
      this.#countedUntilMs = nowMs
    }
    // However late this is again, the sockets were read since: without this a busy process would never conclude anything.
    if (this.#readingUntilMs !== undefined && nowMs >= this.#readingUntilMs) this.#readingUntilMs = undefined
    else if (missedMs > 0) this.#readingUntilMs ??= nowMs + READING_MS
    this.#wakeAtMs = undefined
    return missedMs
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
}
