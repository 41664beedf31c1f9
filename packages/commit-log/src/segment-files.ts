// The segments of one log on disk: the last one is written, full ones are closed, whole ones are dropped. Each step either
// happens or leaves everything as it was.
import type { Disk } from '@atoll/base'
import { present } from '@atoll/base'
import type { BatchHeader, Offset } from '@atoll/records'
import { isDiskError } from './commit-log-error.ts'
import type { FileTable } from './file-table.ts'
import { INDEX_INTERVAL_BYTES } from './limits.ts'
import type { LoadedIndexes } from './loaded-indexes.ts'
import { cutFile, removeSegment } from './log-recovery.ts'
import { Segment, segmentAt } from './segment.ts'
import { SegmentIndex } from './segment-index.ts'
import type { Unsynced } from './unsynced.ts'

/** Kafka's relative offsets are 31 bits. */
const RELATIVE_OFFSET_MAX = 0x7fff_ffff

export interface SegmentContext {
  readonly disk: Disk
  readonly files: FileTable
  readonly indexes: LoadedIndexes
  readonly unsynced: Unsynced
  readonly directory: string
  readonly segmentBytes: number
}

export class SegmentFiles {
  readonly #context: SegmentContext
  readonly #segments: Segment[]
  /** A failed append left bytes behind the active segment's end that could not be cut yet. */
  #excess = false

  constructor(segments: Segment[], context: SegmentContext) {
    this.#context = context
    this.#segments = segments
    for (const closed of segments.slice(0, -1)) if (closed.index !== undefined) context.indexes.use(closed, closed.index)
  }

  /** Oldest first. */
  get all(): readonly Segment[] {
    return this.#segments
  }

  get sizeBytes(): number {
    return this.#segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  }

  /** The place of the segment that holds `offset`. */
  placeOf(offset: Offset): number {
    return segmentAt(this.#segments, offset)
  }

  /**
   * Writes batches at the end, in one piece. `alongside` is done before they count; if it throws they are not written.
   * Throws a DiskError with nothing changed.
   */
  write(bytes: Uint8Array, headers: readonly BatchHeader[], alongside: () => void): void {
    const first = present(headers[0], 'a batch to write')
    const last = headers.at(-1) ?? first
    const segment = this.#segmentFor(bytes.length, first.baseOffset, last.lastOffset)
    const file = this.#context.files.get(segment.path)
    if (this.#excess) file.truncate(segment.sizeBytes)
    try {
      this.#excess = true
      file.write(bytes, segment.sizeBytes)
      alongside()
      this.#excess = false
    } catch (error) {
      this.#cutExcess(segment)
      throw error
    }
    this.#context.unsynced.written(segment.path)
    const index = present(segment.index, 'index of the active segment')
    for (const header of headers) segment.extend(header, index)
  }

  /** Cuts to `position` of the segment at `place`, and drops those after it. It becomes the active one. */
  async cut(place: number, position: number, rebuild: (segment: Segment) => Promise<SegmentIndex>): Promise<void> {
    while (this.#segments.length > place + 1) await this.dropLast()
    const segment = this.#segments[place]
    if (segment === undefined) return
    this.#context.files.get(segment.path)
    this.#context.unsynced.written(segment.path)
    await cutFile(this.#context, segment, position)
    segment.index = await rebuild(segment)
    // The active segment's index is not one to be let go.
    this.#context.indexes.forget(segment)
    this.#excess = false
  }

  async dropFirst(): Promise<void> {
    await this.#drop(this.#segments.shift())
  }

  async dropLast(): Promise<void> {
    await this.#drop(this.#segments.pop())
  }

  /** Leaves the indexes of the active segment on disk. */
  writeIndexes(): void {
    const active = this.#segments.at(-1)
    if (active?.index !== undefined) this.#writeIndex(active, active.index)
  }

  /** Closes its files. */
  release(): void {
    for (const segment of this.#segments) {
      this.#context.indexes.forget(segment)
      for (const path of [segment.path, segment.indexPath, segment.timeIndexPath]) this.#context.files.drop(path)
    }
  }

  #segmentFor(bytes: number, firstOffset: Offset, lastOffset: Offset): Segment {
    const active = this.#segments.at(-1)
    if (active !== undefined) {
      const full = active.sizeBytes > 0 && active.sizeBytes + bytes > this.#context.segmentBytes
      if (!full && lastOffset - active.baseOffset <= RELATIVE_OFFSET_MAX) return active
      this.#close(active)
    }
    const next = new Segment(this.#context.directory, firstOffset, 0, new SegmentIndex(firstOffset, INDEX_INTERVAL_BYTES))
    this.#context.files.create(next.path)
    this.#context.unsynced.written(next.path)
    this.#context.unsynced.namesChanged()
    if (active?.index !== undefined) this.#context.indexes.use(active, active.index)
    this.#segments.push(next)
    return next
  }

  #close(active: Segment): void {
    if (this.#excess) this.#context.files.get(active.path).truncate(active.sizeBytes)
    this.#excess = false
    this.#writeIndex(active, present(active.index, 'index of the active segment'))
  }

  #writeIndex(segment: Segment, index: SegmentIndex): void {
    index.addTimeEntry()
    for (const [path, bytes] of [[segment.indexPath, index.offsetBytes()] as const, [segment.timeIndexPath, index.timeBytes()] as const]) {
      this.#context.files.create(path).write(bytes, 0)
      this.#context.unsynced.written(path)
    }
    this.#context.unsynced.namesChanged()
  }

  /** Not worth an error of its own: bytes behind the end count for nothing, and are cut before the next ones are written. */
  #cutExcess(segment: Segment): void {
    try {
      this.#context.files.get(segment.path).truncate(segment.sizeBytes)
      this.#excess = false
    } catch (error) {
      if (!isDiskError(error)) throw error
    }
  }

  async #drop(segment: Segment | undefined): Promise<void> {
    if (segment === undefined) return
    this.#context.indexes.forget(segment)
    const { unsynced } = this.#context
    for (const path of [segment.path, segment.indexPath, segment.timeIndexPath]) unsynced.removed(path)
    unsynced.namesChanged()
    await removeSegment(this.#context, segment)
  }
}
