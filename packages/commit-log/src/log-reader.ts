// Reading a log from disk. Nothing is handed out unchecked: each batch's checksum, that offsets go on without a gap, and
// that each was written in the epoch that the log's checksummed state says, since offset and epoch lie outside of the
// batch's own checksum.
import type { BatchHeader, Crc32c, Offset } from '@atoll/records'
import { batchSizeAt, checkBatch, RecordsError } from '@atoll/records'
import { scanBatches } from './batch-scan.ts'
import { CommitLogError } from './commit-log-error.ts'
import type { FileTable } from './file-table.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import { BATCH_BYTES_MAX, INDEX_INTERVAL_BYTES } from './limits.ts'
import type { LoadedIndexes } from './loaded-indexes.ts'
import type { Segment } from './segment.ts'
import { SegmentIndex } from './segment-index.ts'

export interface Wanted {
  /** The first batch is the one that holds this offset. */
  readonly from: Offset
  /** Only batches wholly below this. Exclusive. */
  readonly end: Offset
  /** At least one batch, however large; otherwise no more than this. */
  readonly bytesMax: number
}

export class LogReader {
  readonly #files: FileTable
  readonly #crc32c: Crc32c
  readonly #epochs: LeaderEpochs
  readonly #indexes: LoadedIndexes

  constructor(files: FileTable, crc32c: Crc32c, epochs: LeaderEpochs, indexes: LoadedIndexes) {
    this.#files = files
    this.#crc32c = crc32c
    this.#epochs = epochs
    this.#indexes = indexes
  }

  /** The wanted batches as far as this segment has them, in one piece; empty when it ends before. Rejects with `corrupt` or a DiskError. */
  async read(segment: Segment, wanted: Wanted): Promise<Uint8Array> {
    const { index, trusted } = await this.#indexOf(segment)
    try {
      return await this.#readFrom(segment, index.positionOf(wanted.from), wanted)
    } catch (error) {
      if (trusted || !(error instanceof CommitLogError && error.code === 'corrupt')) throw error
      // It may be the index that is damaged, which is not the log: it is made anew.
      return this.#readFrom(segment, (await this.rebuildIndex(segment)).positionOf(wanted.from), wanted)
    }
  }

  /** The batch that holds `offset`, and where it begins. Rejects with `corrupt` or a DiskError. */
  async locate(segment: Segment, offset: Offset): Promise<{ readonly baseOffset: Offset; readonly position: number }> {
    const index = await this.indexOf(segment)
    let baseOffset: Offset | undefined
    const { position, why } = await scanBatches({
      from: index.positionOf(offset),
      to: segment.sizeBytes,
      crc32c: this.#crc32c,
      read: (at, length) => this.#files.get(segment.path).read(at, length),
      visit(header) {
        if (header.lastOffset < offset) return undefined
        baseOffset = header.baseOffset
        return 'found'
      },
    })
    if (baseOffset === undefined || baseOffset > offset) throw this.#corrupt(segment, position, why ?? `offset ${offset} is not there`)
    return { baseOffset, position }
  }

  /** The index of the segment, from memory, its files, or made anew from the segment. */
  async indexOf(segment: Segment): Promise<SegmentIndex> {
    return (await this.#indexOf(segment)).index
  }

  async rebuildIndex(segment: Segment): Promise<SegmentIndex> {
    const index = new SegmentIndex(segment.baseOffset, INDEX_INTERVAL_BYTES)
    const scanned = await scanBatches({
      from: 0,
      to: segment.sizeBytes,
      crc32c: this.#crc32c,
      read: (position, length) => this.#files.get(segment.path).read(position, length),
      visit(header, position) {
        index.add(header, position)
        return undefined
      },
    })
    if (scanned.why !== undefined) throw this.#corrupt(segment, scanned.position, scanned.why)
    this.#indexes.use(segment, index)
    return index
  }

  async #indexOf(segment: Segment): Promise<{ readonly index: SegmentIndex; readonly trusted: boolean }> {
    if (segment.index !== undefined) return { index: segment.index, trusted: this.#indexes.madeHere(segment) }
    const files = [segment.indexPath, segment.timeIndexPath].map(path => this.#readWhole(path))
    const [offsets, times] = await Promise.all(files)
    const loaded = offsets && times && SegmentIndex.read(segment.baseOffset, INDEX_INTERVAL_BYTES, offsets, times, segment.sizeBytes)
    if (loaded === undefined) return { index: await this.rebuildIndex(segment), trusted: true }
    this.#indexes.loaded(segment, loaded)
    return { index: loaded, trusted: false }
  }

  /** Undefined when the file is not there. */
  async #readWhole(path: string): Promise<Uint8Array | undefined> {
    try {
      const file = this.#files.get(path)
      return await file.read(0, file.size())
    } catch (error) {
      if ((error as { code?: string }).code === 'not_found') return undefined
      throw error
    }
  }

  async #readFrom(segment: Segment, from: number, wanted: Wanted): Promise<Uint8Array> {
    const limit = segment.sizeBytes
    const length = Math.min(wanted.bytesMax, BATCH_BYTES_MAX) + INDEX_INTERVAL_BYTES
    const chain = new BatchChain(segment.baseOffset, from, this.#epochs)
    for (let position = from; position < limit; ) {
      const chunk = await this.#files.get(segment.path).read(position, Math.min(length, limit - position))
      const first = batchSizeAt(chunk, 0)
      if (first === undefined || first > BATCH_BYTES_MAX || position + first > limit)
        throw this.#corrupt(segment, position, 'no whole batch')
      const whole = first > chunk.length ? await this.#files.get(segment.path).read(position, first) : chunk
      const taken = this.#take(whole, segment, position, chain, wanted)
      if (taken.bytes.length > 0 || taken.ended) return taken.bytes
      if (taken.passed === 0) throw this.#corrupt(segment, position, 'no whole batch')
      position += taken.passed
    }
    return new Uint8Array(0)
  }

  /** Checks the whole batches of `chunk` one after another and takes those that are wanted. */
  #take(chunk: Uint8Array, segment: Segment, position: number, chain: BatchChain, { from, end, bytesMax }: Wanted): Taken {
    let passed = 0
    let begin = -1
    for (
      let size = batchSizeAt(chunk, 0);
      size !== undefined && size > 0 && passed + size <= chunk.length;
      size = batchSizeAt(chunk, passed)
    ) {
      if (begin >= 0 && passed + size - begin > bytesMax) break
      const header = this.#check(chunk, passed, segment, position, chain)
      if (header.lastOffset >= end) return { bytes: begin < 0 ? chunk.subarray(0, 0) : chunk.subarray(begin, passed), passed, ended: true }
      if (begin < 0 && header.lastOffset >= from) {
        if (header.baseOffset > from)
          throw this.#corrupt(segment, position + passed, `begins at offset ${header.baseOffset}, after ${from}`)
        begin = passed
      }
      passed += size
    }
    return { bytes: begin < 0 ? chunk.subarray(0, 0) : chunk.subarray(begin, passed), passed, ended: false }
  }

  #check(chunk: Uint8Array, start: number, segment: Segment, position: number, chain: BatchChain): BatchHeader {
    try {
      const header = checkBatch(chunk, start, this.#crc32c)
      const why = chain.follow(header)
      if (why !== undefined) throw this.#corrupt(segment, position + start, why)
      return header
    } catch (error) {
      if (error instanceof RecordsError) throw this.#corrupt(segment, position + start, error.message)
      throw error
    }
  }

  #corrupt(segment: Segment, position: number, why: string): CommitLogError {
    return new CommitLogError('corrupt', `${segment.path} at byte ${position}: ${why}`)
  }
}

interface Taken {
  readonly bytes: Uint8Array
  /** Bytes of whole batches that were looked at. */
  readonly passed: number
  /** The next batch lies beyond what is wanted. */
  readonly ended: boolean
}

/** Holds each batch to the one before it. */
class BatchChain {
  readonly #epochs: LeaderEpochs
  #next: number | undefined

  constructor(baseOffset: Offset, from: number, epochs: LeaderEpochs) {
    this.#epochs = epochs
    this.#next = from === 0 ? baseOffset : undefined
  }

  /** What is wrong with `header`; undefined when nothing is. */
  follow(header: BatchHeader): string | undefined {
    if (this.#next !== undefined && header.baseOffset !== this.#next) return `offset ${header.baseOffset} where ${this.#next} should be`
    this.#next = header.lastOffset + 1
    const epoch = this.#epochs.epochAt(header.baseOffset)
    // Batches below a moved log start may be older than every epoch still known.
    if (epoch !== undefined && epoch !== header.leaderEpoch) return `epoch ${header.leaderEpoch} where ${epoch} should be`
    return undefined
  }
}
