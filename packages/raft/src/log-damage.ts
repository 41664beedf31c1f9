// A server that lost entries it once had: its log is shorter than the durable end it recorded, or the driver found a
// hole and shows only what precedes it. Others may have counted the lost entries as committed with this copy
// (Protocol-Aware Recovery, FAST 2018), so until it holds them again it neither votes nor stands nor is counted.
//
// It may again once a leader has confirmed, and the disk holds, either everything up to where the log once ended, or
// an entry of a term later than any it had acknowledged in: a leader of such a term was elected without this server's
// vote and holds every committed entry, and its own entry stands behind all of them.
import type { LogView } from './log-view.ts'
import { type LogIndex, least, logIndex, type Term } from './terms.ts'

export class LogDamage {
  readonly #lostUntil: LogIndex
  readonly #lostIn: Term
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
