// A server that lost entries it once had: its log is shorter than the durable end it recorded, or the driver found a
// hole and shows only what precedes it. Others may have counted the lost entries as committed with this copy
// (Protocol-Aware Recovery, FAST 2018), so until it holds them again it neither votes nor stands nor is counted.
//
// It may again once a leader has confirmed, and the disk holds, either everything up to where the log once ended, or
// an entry of a term later than any it had acknowledged in: a leader of such a term was elected without this server's
// vote and holds every committed entry, and its own entry stands behind all of them.
import type { LogView } from './log-view.ts'
import { type LogIndex, least, logIndex, most, type Term } from './terms.ts'

export class LogDamage {
  #lostUntil: LogIndex
  #lostIn: Term
  /** A leader said so, which does not tell how much more this server had confirmed to it. */
  #toldByLeader = false
  #confirmed = logIndex(0)
  #damaged: boolean

  /** `recordedEnd` is the last index known to have been durable, in `term` at the latest. */
  constructor(recordedEnd: LogIndex, lastIndex: LogIndex, term: Term) {
    this.#lostUntil = recordedEnd
    this.#lostIn = term
    this.#damaged = lastIndex < recordedEnd
  }

  get damaged(): boolean {
    return this.#damaged
  }

  /**
   * The leader of `term` knows that this server confirmed everything up to `until`, and it does not hold that: what a disk
   * damages of its newest round looks like a write that a crash tore.
   */
  discover(until: LogIndex, term: Term): void {
    this.#damaged = true
    this.#toldByLeader = true
    this.#lostUntil = until
    this.#lostIn = term
  }

  /** A leader appends behind `index`, and up to there at most it believes that this server confirmed its log. */
  believedUntil(index: LogIndex): void {
    if (this.#damaged && this.#toldByLeader) this.#lostUntil = most(this.#lostUntil, index)
  }

  /** A leader's log and this one agree up to `match`. */
  confirm(match: LogIndex): void {
    this.#confirmed = match
  }

  /** Returns true when this ends the damage. */
  repaired(log: LogView, durable: LogIndex): boolean {
    if (!this.#damaged) return false
    const held = least(this.#confirmed, durable)
    if (held < this.#lostUntil && (log.termAt(held) ?? 0) <= this.#lostIn) return false
    this.#damaged = false
    return true
  }
}
