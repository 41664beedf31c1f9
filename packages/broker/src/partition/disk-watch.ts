// Watches a leader's own disk. A process whose disk hangs still answers and still beats its heart; only the age of its
// oldest unsynced append shows it (hashicorp/raft issue 503, LavinMQ 2151, etcd 3068).
import type { Offset } from '@atoll/records'

export class DiskWatch {
  /** The log end at some time, which has not become durable yet. */
  #goal: { readonly end: Offset; readonly atMs: number } | undefined

  appended(logEnd: Offset, now: number): void {
    this.#goal ??= { end: logEnd, atMs: now }
  }

  synced(durableEnd: Offset, logEnd: Offset, now: number): void {
    if (this.#goal === undefined || durableEnd < this.#goal.end) return
    this.#goal = durableEnd < logEnd ? { end: logEnd, atMs: now } : undefined
  }

  /** When the disk counts as stuck, unless it moves before. */
  stuckAt(stuckMs: number): number {
    return this.#goal === undefined ? Number.POSITIVE_INFINITY : this.#goal.atMs + stuckMs
  }
}
