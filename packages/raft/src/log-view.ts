// The log as this server has it in mind: what is stored, and over it the tail that is still on its way to the disk.
import { assert } from '@atoll/base'
import type { LogEnd } from './messages.ts'
import type { Batch, Extent, RaftLog, Snapshot } from './raft-log.ts'
import { type LogIndex, logIndex, next, previous, type Term, term } from './terms.ts'

const ORIGIN: Extent = { term: term(0), firstIndex: logIndex(0), lastIndex: logIndex(0) }

export class LogView {
  readonly #stored: RaftLog
  /** Batches not yet durable. From its first index on the stored log is void, even where it is longer. */
  #tail: Batch[] = []
  /** A snapshot on its way to the disk: the whole stored log is void. */
  #installing: Snapshot | undefined
  #lastIndex: LogIndex
  #lastTerm: Term

  constructor(stored: RaftLog) {
    this.#stored = stored
    this.#lastIndex = stored.lastIndex
    this.#lastTerm = logIndex(0) === stored.lastIndex ? term(0) : (this.termAt(stored.lastIndex) ?? term(0))
    assert(this.#lastIndex === 0 || this.#lastTerm > 0, 'the last entry has a term')
    assert(this.#lastIndex >= stored.snapshot.index, 'the log reaches its snapshot')
  }

  get end(): LogEnd {
    return { lastIndex: this.#lastIndex, lastTerm: this.#lastTerm }
  }

  get lastIndex(): LogIndex {
    return this.#lastIndex
  }

  /** The newest snapshot that can be read. */
  get snapshot(): Snapshot {
    return this.#stored.snapshot
  }

  /** Batches not yet known durable. */
  get tailLength(): number {
    return this.#tail.length
  }

  /** True when this log is at least as new as one that ends so (Raft section 5.4.1). */
  isCoveredBy(other: LogEnd): boolean {
    return other.lastTerm > this.#lastTerm || (other.lastTerm === this.#lastTerm && other.lastIndex >= this.#lastIndex)
  }

  extentAt(index: LogIndex): Extent | undefined {
    if (index > this.#lastIndex) return undefined
    if (index === 0) return ORIGIN
    const inTail = this.#tail[this.#placeOf(index)]
    if (inTail !== undefined) return inTail
    const base = this.#installing ?? this.#stored.snapshot
    const stored = this.#installing === undefined ? this.#stored.extentAt(index) : undefined
    if (stored !== undefined || index !== base.index) return stored
    return { term: base.term, firstIndex: base.index, lastIndex: base.index }
  }

  /** The entry itself is there, not only its term, which the snapshot keeps. */
  holds(index: LogIndex): boolean {
    if (index > this.#lastIndex) return false
    return this.#placeOf(index) >= 0 || (this.#installing === undefined && this.#stored.extentAt(index) !== undefined)
  }

  termAt(index: LogIndex): Term | undefined {
    return this.extentAt(index)?.term
  }

  /** The last index up to `index` at which a batch ends. */
  edgeUpTo(index: LogIndex): LogIndex {
    const extent = this.extentAt(index)
    return extent === undefined || extent.lastIndex === index ? index : previous(extent.firstIndex)
  }

  /** The last index up to `index` whose term is at most `term`: how far a log with such an entry there can agree with this one. */
  lastUpToTerm(index: LogIndex, atMost: Term): LogIndex {
    let at = index
    for (let extent = this.extentAt(at); extent !== undefined && extent.term > atMost; extent = this.extentAt(at)) {
      at = previous(extent.firstIndex)
    }
    return at
  }

  /** Whole batches from `index` on; none at the end, undefined when they are not in memory. */
  batchesFrom(index: LogIndex, bytesMax: number): readonly Batch[] | undefined {
    if (index > this.#lastIndex) return []
    const tailFrom = this.#tail[0]?.firstIndex ?? next(this.#lastIndex)
    if (index < tailFrom) return this.#stored.batchesFrom(index, bytesMax)?.filter(batch => batch.firstIndex < tailFrom)
    const start = this.#placeOf(index)
    assert(this.#tail[start]?.firstIndex === index, 'batches are sent whole')
    let bytes = 0
    let end = start
    for (let batch = this.#tail[end]; batch !== undefined; batch = this.#tail[++end]) {
      bytes += batch.sizeBytes
      if (end > start && bytes > bytesMax) break
    }
    return this.#tail.slice(start, end)
  }

  append(batch: Batch): void {
    assert(batch.firstIndex === this.#lastIndex + 1, 'the log has no gap')
    assert(batch.term >= this.#lastTerm, 'terms never decrease along the log')
    this.#tail.push(batch)
    this.#lastIndex = batch.lastIndex
    this.#lastTerm = batch.term
  }

  /** Forgets everything from `from` on, to be replaced at once. */
  truncate(from: LogIndex): void {
    const extent = this.extentAt(from)
    assert(extent?.firstIndex === from, 'truncation falls on the edge of a batch')
    const kept = this.extentAt(previous(from))
    assert(kept !== undefined, 'what precedes a truncation is known')
    this.#tail = this.#tail.filter(batch => batch.lastIndex < from)
    this.#lastIndex = previous(from)
    this.#lastTerm = kept.term
  }

  /** Puts a snapshot in the place of the whole log. */
  install(snapshot: Snapshot): void {
    this.#tail = []
    this.#installing = snapshot
    this.#lastIndex = snapshot.index
    this.#lastTerm = snapshot.term
  }

  installed(snapshot: Snapshot): void {
    if (this.#installing !== snapshot) return
    assert(this.#stored.snapshot.index >= snapshot.index, 'an installed snapshot can be read')
    this.#installing = undefined
  }

  /** Everything up to `durable` can be read from the stored log. */
  settle(durable: LogIndex): void {
    const settled = this.#tail.findIndex(batch => batch.lastIndex > durable)
    if (settled === -1) this.#tail = []
    else if (settled > 0) this.#tail.splice(0, settled)
  }

  /** Where in the tail the batch around `index` is; -1 when it is not there. */
  #placeOf(index: LogIndex): number {
    const tail = this.#tail
    let low = 0
    let high = tail.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const batch = tail[middle] as Batch
      if (index < batch.firstIndex) high = middle - 1
      else if (index > batch.lastIndex) low = middle + 1
      else return middle
    }
    return -1
  }
}
