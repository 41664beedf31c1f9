// One log: batches in the order of their offsets, in segments on disk and with its newest part in memory. Appending
// writes into the page cache at once; when that is durable its Durability says. Used for a partition and for Raft's log
// alike: there an offset is an index and an epoch is a term.
import type { Disk } from '@atoll/base'
import { assert } from '@atoll/base'
import type { BatchHeader, Crc32c, LeaderEpoch, Offset } from '@atoll/records'
import { readBatchHeader } from '@atoll/records'
import { admitOne, admitPlaced, epochsBegun } from './batch-admission.ts'
import { CommitLogError, fromDisk, isDiskError } from './commit-log-error.ts'
import type { Durability, SyncTarget, SyncWork } from './durability.ts'
import type { FileTable } from './file-table.ts'
import { HotTail, type TailBudget } from './hot-tail.ts'
import type { EpochEnd, LeaderEpochs } from './leader-epochs.ts'
import type { LoadedIndexes } from './loaded-indexes.ts'
import { LogFacts } from './log-facts.ts'
import { LogReader, type Wanted } from './log-reader.ts'
import type { RecoveredLog } from './log-recovery.ts'
import { LogStateFile } from './log-state.ts'
import { type RetentionLimits, retainedFrom } from './retention.ts'
import { SegmentFiles } from './segment-files.ts'
import { SyncWaiters } from './sync-waiters.ts'
import { Unsynced } from './unsynced.ts'

export interface LogOptions {
  /** A segment is closed before it grows past this. Default 64 MiB. */
  readonly segmentBytes: number
  /** Called whenever the durable end went up. */
  readonly onDurable?: ((durableEnd: Offset) => void) | undefined
  /** Called once, when the disk failed the log: it takes nothing more, and has to be opened anew. */
  readonly onFailure?: ((error: unknown) => void) | undefined
}

/** What all logs of a store share. */
export interface LogContext {
  readonly disk: Disk
  readonly crc32c: Crc32c
  readonly files: FileTable
  readonly indexes: LoadedIndexes
  readonly tails: TailBudget
  readonly durability: Durability
}

export interface Appended {
  readonly firstOffset: Offset
  /** Inclusive. */
  readonly lastOffset: Offset
}

export interface ReadOptions {
  /** At least one batch is answered, however large; otherwise no more bytes than this. */
  readonly bytesMax: number
  /** Only batches wholly below this are answered. Exclusive; default the log end. */
  readonly end?: Offset | undefined
}

export class CommitLog implements SyncTarget {
  readonly name: string
  readonly #context: LogContext
  readonly #options: LogOptions
  readonly #directory: string
  readonly #segments: SegmentFiles
  readonly #facts: LogFacts
  readonly #stateFile: LogStateFile
  readonly #reader: LogReader
  readonly #tail: HotTail
  readonly #unsynced: Unsynced
  readonly #waiters = new SyncWaiters()
  /** The syncs begun last. */
  #syncing: Promise<unknown> = Promise.resolve()
  #logEnd: Offset
  #durableEnd: Offset
  /** Goes up when what was there before is no more: a read under way looks again. */
  #generation = 0
  #cutting = false
  #failure: CommitLogError | undefined
  #closed = false

  constructor(name: string, directory: string, recovered: RecoveredLog, context: LogContext, options: LogOptions) {
    const { disk, crc32c, files, indexes, tails } = context
    this.name = name
    this.#context = context
    this.#options = options
    this.#directory = directory
    this.#stateFile = new LogStateFile(disk, directory, crc32c)
    this.#facts = new LogFacts(recovered.state, recovered.epochs, this.#stateFile)
    this.#unsynced = new Unsynced(context, directory, this.#stateFile)
    const { segmentBytes } = options
    this.#segments = new SegmentFiles(recovered.segments, { disk, files, indexes, unsynced: this.#unsynced, directory, segmentBytes })
    this.#reader = new LogReader(files, crc32c, recovered.epochs, indexes)
    this.#tail = new HotTail(tails)
    this.#logEnd = recovered.logEnd
    this.#durableEnd = recovered.durableEnd
    this.#resume(recovered)
  }

  /** The first offset still kept. Inclusive. */
  get logStart(): Offset {
    return this.#facts.logStart
  }

  /** The next offset to be written. Exclusive. */
  get logEnd(): Offset {
    return this.#logEnd
  }

  /** The first offset not known to be durable. Exclusive. */
  get durableEnd(): Offset {
    return this.#durableEnd
  }

  /** How far this log was durable before it lost a part; undefined when it owes nothing. */
  get owedEnd(): Offset | undefined {
    return this.#facts.owedEnd
  }

  get epochs(): Pick<LeaderEpochs, 'starts' | 'last' | 'epochAt'> {
    return this.#facts.epochs
  }

  /** What the disk did to it; undefined while all is well. */
  get failure(): CommitLogError | undefined {
    return this.#failure
  }

  get sizeBytes(): number {
    return this.#segments.sizeBytes
  }

  /**
   * Appends one batch as a leader: it gets the next offsets and `epoch`, which is not below the last one. From here on
   * `batch` belongs to the log. Throws `disk_full` with nothing changed, `failed`, `invalid_batch`, `closed`.
   */
  append(batch: Uint8Array, epoch: LeaderEpoch): Appended {
    this.#checkWritable()
    return this.#write(batch, admitOne(batch, this.#logEnd, epoch, this.#context.crc32c))
  }

  /** Appends batches that have their offsets and epochs, all or none, as a follower does: they begin at the log end. */
  appendPlaced(batches: Uint8Array): Appended {
    return this.#write(batches, admitPlaced(batches, this.#logEnd, this.#context.crc32c))
  }

  /** Begins an epoch at the log end, before anything is written in it. Durable once `flush` says so. */
  assignEpoch(epoch: LeaderEpoch): void {
    this.#checkWritable()
    const { last } = this.#facts.epochs
    if (last !== undefined && epoch < last.epoch)
      throw new CommitLogError('invalid_batch', `${this.name}: epoch ${epoch} after ${last.epoch}`)
    try {
      this.#facts.change(epochs => void epochs.assign(epoch, this.#logEnd))
    } catch (error) {
      throw this.#refused(error)
    }
    this.#changed()
  }

  /** Forgets the epochs that began at the log end and in which nothing was written, so that one in between can still come. */
  forgetEmptyEpochs(): void {
    this.#checkWritable()
    const { last } = this.#facts.epochs
    if (last === undefined || last.start < this.#logEnd) return
    try {
      this.#facts.change(epochs => void epochs.truncateFrom(this.#logEnd))
    } catch (error) {
      throw this.#refused(error)
    }
    this.#changed()
  }

  /** Where the largest epoch up to `epoch` ended in this log (KIP-101). */
  endOfEpoch(epoch: LeaderEpoch): EpochEnd | undefined {
    return this.#facts.epochs.endOf(epoch, this.#logEnd)
  }

  /** Whole batches from the one that holds `from`, if they are in memory; undefined when only `read` can tell. */
  readTail(from: Offset, { bytesMax, end }: ReadOptions): readonly Uint8Array[] | undefined {
    if (this.#closed) throw this.#closedError()
    if (from < this.#facts.logStart || from > this.#logEnd)
      throw new CommitLogError('out_of_range', `${this.name}: offset ${from} is not in ${this.#facts.logStart} to ${this.#logEnd}`)
    return this.#tail.read(from, this.#readableBelow(end), bytesMax)
  }

  /** Whole batches from the one that holds `from`; none when it is the end. Rejects with `out_of_range`, `corrupt`, `io`, `closed`. */
  async read(from: Offset, options: ReadOptions): Promise<readonly Uint8Array[]> {
    for (;;) {
      const hot = this.readTail(from, options)
      if (hot !== undefined) return hot
      const end = this.#readableBelow(options.end)
      const generation = this.#generation
      try {
        const found = await this.#readSegments({ from, end, bytesMax: options.bytesMax })
        if (generation === this.#generation) return found
      } catch (error) {
        // What was read was being cut or removed: it is asked for again.
        if (generation === this.#generation) throw fromDisk(error, this.name)
      }
    }
  }

  /** The first batch with a time of `timestampMs` or later, below `end`; undefined when there is none. */
  async findTime(timestampMs: number, end: Offset = this.#logEnd): Promise<Uint8Array | undefined> {
    // Segments may be dropped while they are looked at.
    const segments = this.#segments.all.slice()
    for (const segment of segments) {
      const index = await this.#reader.indexOf(segment)
      if (index.maxTimestampMs < timestampMs) continue
      let from = Math.max(index.offsetBefore(timestampMs), this.#facts.logStart) as Offset
      while (from < end) {
        const [batch] = await this.read(from, { bytesMax: 1, end })
        if (batch === undefined) return undefined
        const header = readBatchHeader(batch)
        if (header.maxTimestampMs >= timestampMs) return batch
        from = (header.lastOffset + 1) as Offset
      }
    }
    return undefined
  }

  /** Resolves once everything below `end` is durable; rejects with `failed` or `closed`. */
  durable(end: Offset): Promise<void> {
    assert(end <= this.#logEnd, 'only what was appended can become durable')
    if (end <= this.#durableEnd) return Promise.resolve()
    return this.#usable() ?? this.#waiters.untilEnd(end)
  }

  /** Resolves once everything done so far is durable, epochs included; rejects with `failed` or `closed`. */
  flush(): Promise<void> {
    const { changes, syncedChanges } = this.#unsynced
    return this.#usable() ?? (changes === syncedChanges ? Promise.resolve() : this.#waiters.untilChange(changes))
  }

  /**
   * Cuts the log so that nothing from `offset` on is left; a batch that holds it goes as a whole. Answers the new end,
   * which is durable. Nothing may be appended until it resolves; an error means that the log has failed.
   */
  async truncate(offset: Offset): Promise<Offset> {
    assert(offset >= this.#facts.logStart, 'a log is cut after its start')
    if (offset >= this.#logEnd) return this.#logEnd
    return this.#exclusively(async () => {
      await this.#cutAt(offset)
      return this.#logEnd
    })
  }

  /** Drops everything and goes on at `offset`: for a follower that fell behind, or after a snapshot was installed. */
  async restartAt(offset: Offset): Promise<void> {
    await this.#exclusively(() => this.#emptyAt(offset))
  }

  /** Makes `offset` the log start and drops the segments wholly below it. Only what is durable is dropped. */
  async deleteBefore(offset: Offset): Promise<void> {
    this.#checkWritable()
    const start = Math.min(offset, this.#durableEnd) as Offset
    if (start <= this.#facts.logStart) return
    try {
      this.#facts.change(epochs => void epochs.trimTo(start), { logStart: start })
    } catch (error) {
      throw this.#refused(error)
    }
    this.#changed()
    await this.flush()
    // The state is durable: what lies below the start may be missing now.
    for (let next = this.#segments.all[1]; next !== undefined && next.baseOffset <= this.#facts.logStart; next = this.#segments.all[1]) {
      this.#generation++
      await this.#segments.dropFirst()
    }
  }

  /** The oldest offset to keep by size and age of whole segments, at most `end`: what `deleteBefore` may then be told. */
  async retainedFrom(limits: RetentionLimits, end: Offset): Promise<Offset> {
    return retainedFrom(this.#segments.all.slice(), this.#reader, limits, this.#facts.logStart, end)
  }

  /** This log has everything again that it once lost. */
  async settleDebt(): Promise<void> {
    this.#checkWritable()
    try {
      this.#facts.change(() => {}, { owedEnd: undefined })
    } catch (error) {
      throw this.#refused(error)
    }
    this.#changed()
    await this.flush()
  }

  /** Waits until all is durable and nothing is under way, leaves the indexes on disk, and lets go of everything. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    if (this.#failure === undefined) {
      await this.flush()
      this.#writeLastIndexes()
      await allDone(this.#unsynced.begin())
      // So that whoever opens it next, in this process or another, takes nothing of it for a torn tail.
      await this.#context.durability.settle()
    }
    this.#closed = true
    this.#context.durability.leave(this)
    this.#waiters.rejectAll(this.#closedError())
    // What a failed log still has under way must not reach the disk under whoever opens it next.
    await Promise.allSettled([this.#syncing, this.#stateFile.idle()])
    this.#tail.clear()
    this.#segments.release()
  }

  beginSync(): SyncWork {
    const { changes } = this.#unsynced
    const done = allDone(this.#unsynced.begin()).then(() => this.#unsynced.ended(changes))
    this.#syncing = done
    return { end: this.#logEnd, done }
  }

  endSync(end: Offset): boolean {
    if (this.#failure !== undefined || this.#closed) return false
    const raised = end > this.#durableEnd
    if (raised) this.#durableEnd = end
    this.#waiters.reached(this.#durableEnd, this.#unsynced.syncedChanges)
    if (raised) this.#options.onDurable?.(end)
    return true
  }

  failSync(error: unknown): void {
    if (this.#failure !== undefined || this.#closed) return
    this.#failure = new CommitLogError('failed', `${this.name}: the disk failed; durable up to offset ${this.#durableEnd}`, {
      cause: error,
    })
    this.#waiters.rejectAll(this.#failure)
    this.#tail.truncate(this.#durableEnd)
    this.#options.onFailure?.(this.#failure)
  }

  /** What recovery left to be made durable. */
  #resume({ unsure, stateChanged }: RecoveredLog): void {
    for (const { path } of unsure) {
      this.#context.files.get(path)
      this.#unsynced.written(path)
    }
    this.#unsynced.namesChanged()
    if (stateChanged) this.#facts.change(() => {})
    this.#changed()
  }

  /** Writes batches that begin at the log end, in one piece. */
  #write(bytes: Uint8Array, headers: readonly BatchHeader[]): Appended {
    this.#checkWritable()
    const begun = epochsBegun(headers, this.#facts.epochs.last?.epoch)
    const stage = (): void => {
      if (begun.length === 0) return
      this.#facts.change(epochs => {
        for (const { epoch, start } of begun) epochs.assign(epoch, start)
      })
    }
    try {
      this.#segments.write(bytes, headers, stage)
    } catch (error) {
      throw this.#refused(error)
    }
    const [first, last] = [headers[0] as BatchHeader, headers.at(-1) as BatchHeader]
    let start = 0
    for (const header of headers) {
      this.#tail.push(bytes.subarray(start, start + header.sizeBytes), header.baseOffset, header.lastOffset)
      start += header.sizeBytes
    }
    this.#logEnd = (last.lastOffset + 1) as Offset
    this.#changed()
    return { firstOffset: first.baseOffset, lastOffset: last.lastOffset }
  }

  /** For readers of the files; this engine makes the last segment's anew, so a disk that has no room for them may be left without. */
  #writeLastIndexes(): void {
    try {
      this.#segments.writeIndexes()
    } catch (error) {
      if (!isDiskError(error)) throw error
    }
  }

  /** What was done is covered by the next round of syncs. */
  #changed(): void {
    this.#unsynced.touch()
    this.#context.durability.changed(this)
  }

  /** A write that the disk refused. One that found no room may be tried again; after any other failure the file is not to be trusted. */
  #refused(error: unknown): unknown {
    if (isDiskError(error) && error.code === 'io') this.failSync(error)
    return fromDisk(error, this.name)
  }

  async #readSegments(wanted: Wanted): Promise<readonly Uint8Array[]> {
    if (wanted.from >= wanted.end) return []
    const first = this.#segments.placeOf(wanted.from)
    for (const segment of this.#segments.all.slice(Math.max(0, first))) {
      const bytes = await this.#reader.read(segment, wanted)
      if (bytes.length > 0) return [bytes]
    }
    return []
  }

  #readableBelow(end: Offset | undefined): Offset {
    const readable = this.#failure === undefined ? this.#logEnd : this.#durableEnd
    return Math.min(end ?? readable, readable) as Offset
  }

  /** Does `work` with nothing under way and nothing appended meanwhile. */
  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    this.#checkWritable()
    this.#cutting = true
    try {
      await this.flush()
      return await work()
    } catch (error) {
      // What is in memory and what is on disk may differ now.
      if (isDiskError(error)) this.failSync(error)
      throw this.#failure ?? error
    } finally {
      this.#cutting = false
    }
  }

  /** The durable end on record is lowered first: a log that is shorter than it counts as damaged. */
  async #cutAt(offset: Offset): Promise<void> {
    const place = this.#segments.placeOf(offset)
    const segment = this.#segments.all[place]
    assert(segment !== undefined, 'what is cut lies in a segment')
    const { position, baseOffset: end } = await this.#reader.locate(segment, offset)
    // The batch begins below the log start: nothing of the log is left.
    if (end < this.#facts.logStart) return this.#emptyAt(this.#facts.logStart)
    this.#generation++
    this.#logEnd = end
    this.#durableEnd = Math.min(this.#durableEnd, end) as Offset
    this.#tail.truncate(end)
    await this.#context.durability.lower(this.name, end)
    await this.#segments.cut(place, position, cut => this.#reader.rebuildIndex(cut))
    if (this.#facts.epochs.starts.some(({ start }) => start >= end)) this.#facts.change(epochs => void epochs.truncateFrom(end))
    await allDone(this.#unsynced.begin())
    this.#durableEnd = end
  }

  /** Drops all segments, the newest first, and begins at `offset`. */
  async #emptyAt(offset: Offset): Promise<void> {
    this.#generation++
    this.#tail.clear()
    this.#logEnd = this.#facts.logStart
    this.#durableEnd = this.#facts.logStart
    await this.#context.durability.lower(this.name, this.#facts.logStart)
    while (this.#segments.all.length > 0) await this.#segments.dropLast()
    await this.#context.disk.syncDirectory(this.#directory)
    this.#facts.change(epochs => void epochs.truncateFrom(0 as Offset), { logStart: offset })
    await this.#stateFile.commit()
    this.#logEnd = offset
    this.#durableEnd = offset
  }

  #checkWritable(): void {
    if (this.#closed) throw this.#closedError()
    if (this.#failure !== undefined) throw this.#failure
    assert(!this.#cutting, 'nothing is written while the log is being cut')
  }

  /** A rejection when the log is not usable any more. */
  #usable(): Promise<never> | undefined {
    const error = this.#closed ? this.#closedError() : this.#failure
    return error && Promise.reject(error)
  }

  #closedError(): CommitLogError {
    return new CommitLogError('closed', `${this.name} is closed`)
  }
}

/** Waits for all of them, also when one fails: nothing is under way afterwards. */
async function allDone(works: readonly Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(works)) if (outcome.status === 'rejected') throw outcome.reason
}
