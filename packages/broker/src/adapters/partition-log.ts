// The log of one replica on its disk: a `commit-log` as a Replica reads and writes it, and what takes time beside it, one
// thing after the other: cutting, dropping what is old, reading what is no longer in memory, and finding out who produced.
import { type Clock, type Disk, InvariantError } from '@atoll/base'
import { type CommitLog, CommitLogError, type LogStore, type RetentionLimits } from '@atoll/commit-log'
import { type BatchHeader, batchSizeAt, type Crc32c, type LeaderEpoch, type Offset, readBatchHeader } from '@atoll/records'
import type { Cut } from '../partition/effects.ts'
import type { AppendRefusal, EpochEnd, PartitionLog, Placed } from '../partition/partition-log.ts'
import { ProducerStates } from '../partition/producers.ts'
import { type ProducerSnapshot, ProducerSnapshots } from './producer-snapshots.ts'

export type FlushMode = 'disk' | 'os'

export interface PartitionLogOptions {
  readonly store: LogStore
  readonly disk: Disk
  readonly clock: Clock
  readonly crc32c: Crc32c
  /** The partition's name in the store. */
  readonly name: string
  /** On the disk: where its snapshots of producers are. */
  readonly snapshotDirectory: string
  /** `disk`: what is synced counts; `os`: what the page cache has. */
  readonly flush: FlushMode
  readonly segmentBytes?: number
  /** The durable end rose. Called between two turns, never from within a call. */
  readonly onDurable: () => void
  readonly onFailure: () => void
}

export interface OpenedPartition {
  readonly log: DiskPartitionLog
  /** Of the whole log. */
  readonly producers: ProducerStates
  /** True when something that was durable is gone: this copy must not be elected before it has everything again. */
  readonly isDamaged: boolean
}

/** So much is read at once to find out who produced: a few milliseconds of small batches. */
const REPLAY_BYTES = 262_144
/** A snapshot of the producers is taken each time so much was appended. */
const SNAPSHOT_EVERY_BYTES = 64 * 1_048_576

/**
 * Opens a partition's log, or makes an empty one. A damaged one is opened as far as it is good, the damage put aside; what is
 * missing comes from the other replicas. Rejects with `newer_format`, `io`, `disk_full` or `failed`, and with `corrupt` when
 * what says how the log lies is itself damaged: then nothing was changed.
 */
export async function openPartitionLog(options: PartitionLogOptions): Promise<OpenedPartition> {
  const { store, name, segmentBytes, onDurable, onFailure } = options
  const logOptions = { onDurable, onFailure, ...(segmentBytes !== undefined && { segmentBytes }) }
  const log = await openRepaired(store, name, logOptions)
  const opened = new DiskPartitionLog(log, options)
  return { log: opened, producers: await opened.findProducers(), isDamaged: log.owedEnd !== undefined }
}

async function openRepaired(store: LogStore, name: string, options: Parameters<LogStore['openLog']>[1]): Promise<CommitLog> {
  try {
    return await store.openLog(name, options)
  } catch (error) {
    if (!(error instanceof CommitLogError) || error.code !== 'corrupt' || error.damage === undefined) throw error
    await store.putDamageAside(name, error.damage)
    return store.openLog(name, options)
  }
}

export class DiskPartitionLog implements PartitionLog {
  readonly #log: CommitLog
  readonly #clock: Clock
  readonly #snapshots: ProducerSnapshots
  #flush: FlushMode
  #bytesSinceSnapshot = 0
  /** What takes time is done one after the other. */
  #work: Promise<unknown> = Promise.resolve()

  constructor(log: CommitLog, { clock, disk, crc32c, snapshotDirectory, flush }: PartitionLogOptions) {
    this.#log = log
    this.#clock = clock
    this.#flush = flush
    this.#snapshots = new ProducerSnapshots(disk, snapshotDirectory, crc32c)
  }

  get logStart(): Offset {
    return this.#log.logStart
  }

  get logEnd(): Offset {
    return this.#log.logEnd
  }

  get durableEnd(): Offset {
    return this.#flush === 'os' && !this.failed ? this.#log.logEnd : this.#log.durableEnd
  }

  get lastEpoch(): LeaderEpoch | undefined {
    const { logStart, logEnd, epochs } = this.#log
    return logEnd > logStart ? epochs.epochAt((logEnd - 1) as Offset) : undefined
  }

  get failed(): boolean {
    return this.#log.failure !== undefined
  }

  get sizeBytes(): number {
    return this.#log.sizeBytes
  }

  /** True while something that was durable here once is missing. */
  get owes(): boolean {
    return this.#log.owedEnd !== undefined
  }

  /** True when enough was appended for another snapshot of the producers. */
  get snapshotIsDue(): boolean {
    return this.#bytesSinceSnapshot >= SNAPSHOT_EVERY_BYTES
  }

  /** The topic's setting changed. */
  setFlush(flush: FlushMode): void {
    this.#flush = flush
  }

  append(batch: Uint8Array, epoch: LeaderEpoch): Placed | AppendRefusal {
    try {
      const placed = this.#log.append(batch, epoch)
      this.#bytesSinceSnapshot += batch.length
      return placed
    } catch (error) {
      return refusalOf(error)
    }
  }

  appendPlaced(batches: Uint8Array): readonly BatchHeader[] | AppendRefusal {
    try {
      this.#log.appendPlaced(batches)
    } catch (error) {
      return refusalOf(error)
    }
    this.#bytesSinceSnapshot += batches.length
    return headersOf(batches)
  }

  assignEpoch(epoch: LeaderEpoch): AppendRefusal | undefined {
    try {
      this.#log.assignEpoch(epoch)
      return undefined
    } catch (error) {
      return refusalOf(error)
    }
  }

  forgetEmptyEpochs(): void {
    try {
      this.#log.forgetEmptyEpochs()
    } catch (error) {
      // A disk without room refuses what is to follow as well, and then it is asked for again.
      refusalOf(error)
    }
  }

  endOfEpoch(epoch: LeaderEpoch): EpochEnd | undefined {
    return this.#log.endOfEpoch(epoch)
  }

  readTail(from: Offset, end: Offset, bytesMax: number): readonly Uint8Array[] | undefined {
    return this.#log.readTail(from, { end, bytesMax })
  }

  /** What `readTail` did not have in memory. Rejects with `out_of_range`, `corrupt`, `io` or `closed`. */
  readCold(from: Offset, end: Offset, bytesMax: number): Promise<readonly Uint8Array[]> {
    return this.#log.read(from, { end, bytesMax })
  }

  /** The first batch with a record of `timestampMs` or later, below `end`. */
  findTime(timestampMs: number, end: Offset): Promise<Uint8Array | undefined> {
    return this.#log.findTime(timestampMs, end)
  }

  /** Does what a replica asked for. Answers the producers of what is left, which `cut_done` wants. */
  cut(cut: Cut): Promise<ProducerStates> {
    return this.#alone(async () => {
      if (cut.kind === 'truncate') await this.#log.truncate(cut.to)
      else await this.#log.restartAt(cut.at)
      return this.findProducers()
    })
  }

  /** Drops whole batches below `to`, as far as they are durable. */
  trim(to: Offset): Promise<void> {
    return this.#alone(async () => {
      const { logStart, logEnd } = this.#log
      if (to <= logStart) return
      const [batch] = to < logEnd ? await this.#log.read(to, { bytesMax: 1 }) : []
      await this.#log.deleteBefore(batch === undefined ? logEnd : readBatchHeader(batch).baseOffset)
    })
  }

  /** From where to keep, by size and age of whole segments, at most `end`. */
  retainedFrom(limits: RetentionLimits, end: Offset): Promise<Offset> {
    return this.#log.retainedFrom(limits, end)
  }

  /** Everything it once lost is here again: it is in the ISR, and `end` is committed. */
  async settleDebt(end: Offset): Promise<void> {
    if (this.#log.owedEnd !== undefined && end >= this.#log.owedEnd) await this.#log.settleDebt()
  }

  /** Puts down who produced up to here. A disk that has no room is left without: the log tells it all. */
  async takeSnapshot(producers: ProducerStates): Promise<void> {
    const snapshot = { end: this.#log.logEnd, epoch: this.lastEpoch, producers: producers.entries() }
    this.#bytesSinceSnapshot = 0
    await this.#alone(async () => {
      try {
        await this.#snapshots.write(snapshot)
      } catch (error) {
        if (error instanceof InvariantError) throw error
      }
    })
  }

  /** Waits for what is under way and for everything to be durable. */
  async close(producers: ProducerStates): Promise<void> {
    if (!this.failed) await this.takeSnapshot(producers)
    await this.#work
    await this.#log.close()
  }

  /** Who produced, from the newest snapshot that belongs to this log and the records behind it. */
  async findProducers(): Promise<ProducerStates> {
    const producers = new ProducerStates()
    const snapshot = await this.#snapshots.newest(found => this.#fits(found))
    if (snapshot !== undefined) producers.restore(snapshot.producers, this.#clock.monotonicMs())
    let from = Math.max(snapshot?.end ?? 0, this.#log.logStart) as Offset
    while (from < this.#log.logEnd) {
      const batches = await this.#log.read(from, { bytesMax: REPLAY_BYTES })
      const headers = batches.flatMap(headersOf)
      const last = headers.at(-1)
      if (last === undefined) throw new CommitLogError('corrupt', `${this.#log.name}: nothing at offset ${from}`)
      for (const header of headers) producers.appended(header, header.baseOffset, this.#clock.monotonicMs())
      from = (last.lastOffset + 1) as Offset
    }
    return producers
  }

  /** A snapshot fits when its last record is in this log, written in the same epoch: then so is everything before it. */
  #fits({ end, epoch }: ProducerSnapshot): boolean {
    const { logStart, logEnd, epochs } = this.#log
    if (end > logEnd || end < logStart) return false
    return end === logStart || epochs.epochAt((end - 1) as Offset) === epoch
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#work.then(work)
    this.#work = done.catch(() => {
      // Whoever asked hears of it; what comes next is not held up.
    })
    return done
  }
}

function headersOf(batches: Uint8Array): readonly BatchHeader[] {
  const headers: BatchHeader[] = []
  for (let start = 0; start < batches.length; start += batchSizeAt(batches, start) ?? batches.length)
    headers.push(readBatchHeader(batches, start))
  return headers
}

/** What a log refused, as a replica hears it. A bug stays one. */
function refusalOf(error: unknown): AppendRefusal {
  if (!(error instanceof CommitLogError)) throw error
  return error.code === 'disk_full' ? 'disk_full' : error.code === 'invalid_batch' ? 'invalid' : 'failed'
}
