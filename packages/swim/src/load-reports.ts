// A process's load as gossip: worth knowing roughly, not worth messages. It is told when it changed by enough, never
// more often than an interval that grows with the cluster, and only on messages that are sent anyway; so the cost per
// member stays the same at any size.
import type { Dissemination } from './dissemination.ts'
import type { SelfRecord } from './self-record.ts'

/** A smaller change is not told, in percentage points. */
const CHANGE_MIN = 10
/** Between two reports of one member, per member of the cluster, in milliseconds. */
const INTERVAL_MS_PER_MEMBER = 400

export class LoadReports {
  readonly #self: SelfRecord
  readonly #rumours: Dissemination
  #loadPercent: number
  #reportedAt = Number.NEGATIVE_INFINITY

  constructor(self: SelfRecord, rumours: Dissemination) {
    this.#self = self
    this.#rumours = rumours
    this.#loadPercent = self.meta.loadPercent
  }

  changed(loadPercent: number, members: number, now: number): void {
    this.#loadPercent = Math.round(Math.min(100, Math.max(0, loadPercent)))
    this.run(members, now)
  }

  /** Reports a change that was too early to report when it happened. */
  run(members: number, now: number): void {
    if (!this.#isNews() || now < this.#reportedAt + INTERVAL_MS_PER_MEMBER * members) return
    this.#reportedAt = now
    this.#self.change({ ...this.#self.meta, loadPercent: this.#loadPercent })
    this.#rumours.tell(this.#self.update(), false)
  }

  /** Nothing waits for a wake-up of its own: the next probe's will do. */
  #isNews(): boolean {
    return Math.abs(this.#loadPercent - this.#self.meta.loadPercent) >= CHANGE_MIN
  }
}
