// A partition's log in memory, as far as a replica can tell a disk: what is synced survives `crash`, of the rest any
// beginning may. For simulations and tests; brokers use `adapters/partition-log.ts`.
import { LeaderEpochs } from '@atoll/commit-log'
import { type BatchHeader, batchSizeAt, type LeaderEpoch, type Offset, placeBatch, RecordsError, readBatchHeader } from '@atoll/records'
import type { AppendRefusal, EpochEnd, PartitionLog, Placed } from './partition-log.ts'

export interface StoredBatch {
  readonly bytes: Uint8Array
  readonly header: BatchHeader
}

export class MemoryLog implements PartitionLog {
  /** Refuses what is appended. */
  full = false
  failed = false
  readonly #epochs = new LeaderEpochs()
  #durableEpochs: LeaderEpochs['starts'] = []
  #batches: StoredBatch[] = []
  #logStart = 0 as Offset
  #logEnd = 0 as Offset
  #durableEnd = 0 as Offset
  #cuts = 0
  /** With `flush: os`: what is in the page cache counts. */
  readonly #trustsPageCache: boolean
  readonly #tailBatchesMax: number

  constructor(options: { readonly trustsPageCache?: boolean; readonly tailBatchesMax?: number } = {}) {
    this.#trustsPageCache = options.trustsPageCache ?? false
    this.#tailBatchesMax = options.tailBatchesMax ?? Number.POSITIVE_INFINITY
  }

  get logStart(): Offset {
    return this.#logStart
  }

  get logEnd(): Offset {
    return this.#logEnd
  }

  get durableEnd(): Offset {
    return this.#trustsPageCache ? this.#logEnd : this.#durableEnd
  }

  get lastEpoch(): LeaderEpoch | undefined {
    return this.#logEnd > this.#logStart ? this.#epochs.epochAt((this.#logEnd - 1) as Offset) : undefined
  }

  get batches(): readonly StoredBatch[] {
    return this.#batches
  }

  get epochStarts(): LeaderEpochs['starts'] {
    return this.#epochs.starts
  }

  append(batch: Uint8Array, epoch: LeaderEpoch): Placed | AppendRefusal {
    const refusal = this.#refusal()
    if (refusal !== undefined) return refusal
    placeBatch(batch, 0, this.#logEnd, epoch)
    const header = readBatchHeader(batch)
    this.#push(batch, header)
    return { firstOffset: header.baseOffset, lastOffset: header.lastOffset }
  }

  appendPlaced(batches: Uint8Array): readonly BatchHeader[] | AppendRefusal {
    const refusal = this.#refusal()
    if (refusal !== undefined) return refusal
    const headers = headersOf(batches, this.#logEnd, this.#epochs.last?.epoch ?? -1)
    if (headers === undefined) return 'invalid'
    let start = 0
    for (const header of headers) {
      this.#push(batches.slice(start, start + header.sizeBytes), header)
      start += header.sizeBytes
    }
    return headers
  }

  assignEpoch(epoch: LeaderEpoch): AppendRefusal | undefined {
    const refusal = this.#refusal()
    if (refusal === undefined) this.#epochs.assign(epoch, this.#logEnd)
    return refusal
  }

  forgetEmptyEpochs(): void {
    this.#epochs.truncateFrom(this.#logEnd)
  }

  endOfEpoch(epoch: LeaderEpoch): EpochEnd | undefined {
    return this.#epochs.endOf(epoch, this.#logEnd)
  }

  readTail(from: Offset, end: Offset, bytesMax: number): readonly Uint8Array[] | undefined {
    const isCold = this.#batches.length - this.#placeOf(from) > this.#tailBatchesMax
    return isCold ? undefined : this.readCold(from, end, bytesMax)
  }

  /** What a disk would answer, later. */
  readCold(from: Offset, end: Offset, bytesMax: number): readonly Uint8Array[] {
    const found: Uint8Array[] = []
    let bytes = 0
    for (let place = this.#placeOf(from); place < this.#batches.length; place++) {
      const { bytes: batch, header } = this.#batches[place] as StoredBatch
      if (header.lastOffset >= end || (found.length > 0 && bytes + batch.length > bytesMax)) break
      found.push(batch)
      bytes += batch.length
    }
    return found
  }

  /** The batch that holds `offset`. */
  batchAt(offset: number): StoredBatch | undefined {
    const batch = this.#batches[this.#placeOf(offset)]
    return batch !== undefined && batch.header.baseOffset <= offset ? batch : undefined
  }

  /** Begins a sync; call what it returns when it ends. */
  sync(): () => void {
    const end = this.#logEnd
    const epochs = this.#epochs.starts
    const cuts = this.#cuts
    return () => {
      // What was written since the log was cut is none of what was synced.
      if (this.#cuts !== cuts) return
      this.#durableEnd = Math.max(this.#durableEnd, end) as Offset
      this.#durableEpochs = epochs.filter(({ start }) => start <= this.#durableEnd)
    }
  }

  /** Cuts at a batch's edge; durable at once. */
  truncate(to: Offset): void {
    const kept = this.#batches.slice(0, this.#placeOf(to))
    this.#logEnd = ((kept.at(-1)?.header.lastOffset ?? this.#logStart - 1) + 1) as Offset
    this.#batches = kept
    this.#epochs.truncateFrom(this.#logEnd)
    this.#settle()
  }

  restartAt(offset: Offset): void {
    this.#batches = []
    this.#logStart = offset
    this.#logEnd = offset
    this.#epochs.truncateFrom(0 as Offset)
    this.#settle()
  }

  /** Whole batches only. */
  deleteBefore(offset: Offset): void {
    const kept = this.#batches.slice(this.#placeOf(Math.min(offset, this.#durableEnd)))
    this.#batches = kept
    this.#logStart = kept[0]?.header.baseOffset ?? this.#logEnd
    this.#epochs.trimTo(this.#logStart)
  }

  /** Power fails: of what was not synced the share `keeps` is there, from its beginning. */
  crash(keeps: number): void {
    const unsynced = this.#batches.filter(({ header }) => header.lastOffset >= this.#durableEnd)
    const lost = unsynced[Math.floor(unsynced.length * keeps)]
    if (lost !== undefined) this.#batches.length = this.#batches.indexOf(lost)
    this.#logEnd = ((this.#batches.at(-1)?.header.lastOffset ?? this.#logStart - 1) + 1) as Offset
    this.#logEnd = Math.max(this.#logEnd, this.#durableEnd) as Offset
    this.#epochs.replace(this.#durableEpochs.filter(({ start }) => start <= this.#logEnd))
    for (const { header } of this.#batches) {
      if (header.leaderEpoch > (this.#epochs.last?.epoch ?? -1)) this.#epochs.assign(header.leaderEpoch, header.baseOffset)
    }
    this.#settle()
  }

  #settle(): void {
    this.#cuts++
    this.#durableEnd = this.#logEnd
    this.#durableEpochs = this.#epochs.starts
  }

  #refusal(): AppendRefusal | undefined {
    return this.failed ? 'failed' : this.full ? 'disk_full' : undefined
  }

  #push(bytes: Uint8Array, header: BatchHeader): void {
    if (header.leaderEpoch > (this.#epochs.last?.epoch ?? -1)) this.#epochs.assign(header.leaderEpoch, header.baseOffset)
    this.#batches.push({ bytes, header })
    this.#logEnd = (header.lastOffset + 1) as Offset
  }

  /** The first batch that ends after `offset`. */
  #placeOf(offset: number): number {
    let low = 0
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#batches[middle] as StoredBatch).header.lastOffset < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The headers of batches that go on from `logEnd`, in no earlier epoch than `epoch`; undefined when they do not. */
function headersOf(bytes: Uint8Array, logEnd: number, epoch: number): readonly BatchHeader[] | undefined {
  const headers: BatchHeader[] = []
  let next = logEnd
  let latest = epoch
  for (let start = 0; start < bytes.length; start += batchSizeAt(bytes, start) ?? 0) {
    try {
      const header = readBatchHeader(bytes, start)
      if (header.baseOffset !== next || header.leaderEpoch < latest || start + header.sizeBytes > bytes.length) return undefined
      headers.push(header)
      next = header.lastOffset + 1
      latest = header.leaderEpoch
    } catch (error) {
      if (error instanceof RecordsError) return undefined
      throw error
    }
  }
  return headers
}
