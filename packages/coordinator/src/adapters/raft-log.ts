// The log of one coordinator on its disk, as Raft reads it and its driver writes it: the batches in a `commit-log`, where
// an offset is an index and an epoch a term, snapshots and hard state in files beside it. Writes happen in the order of
// their ids; what only appends reaches the page cache in the same turn, and one sync covers all that came meanwhile.
import { assert, type Clock, type Compute, type Disk, type Timer } from '@atoll/base'
import { type CommitLog, CommitLogError, type LogStore, openLogStore } from '@atoll/commit-log'
import {
  type Batch,
  type Configuration,
  type ConfigurationAt,
  type Extent,
  type HardState,
  type LogIndex,
  logIndex,
  type RaftLog,
  type Snapshot,
  type StoreRequest,
  type Term,
  term,
} from '@atoll/raft'
import { type Crc32c, offset, RecordsError } from '@atoll/records'
import { DISK_FULL_RETRY_MS, HOT_BATCH_BYTES_MAX, LOAD_BYTES, LOADED_RUNS_MAX } from '../limits.ts'
import { BatchIndex } from './batch-index.ts'
import { HardStateFile } from './hard-state-file.ts'
import { type BatchCodec, joined } from './raft-batches.ts'
import { RaftSnapshots } from './raft-snapshots.ts'

const LOG_NAME = 'raft'

export interface RaftStoreOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly compute: Pick<Compute, 'crc32c'>
  /** On the disk. */
  readonly directory: string
  /** With whom the cluster was founded; nobody on a disk that joins it later. */
  readonly founders: Configuration
  readonly codec: BatchCodec
}

/** What the store tells its driver. */
export interface RaftStoreEvents {
  /** Request `id` and all before it are on the disk. */
  stored(request: StoreRequest): void
  /** Batches that were asked for are in memory. */
  loaded(): void
  full(full: boolean): void
  /** The disk failed otherwise: what it holds is found out at the next start. */
  failed(error: unknown): void
}

/** A write request that is being made durable. */
interface Writing {
  readonly request: StoreRequest
  durable: boolean
}

export class RaftStore implements RaftLog {
  readonly snapshots: RaftSnapshots
  readonly #options: RaftStoreOptions
  readonly #hardStateFile: HardStateFile
  readonly #logs: LogStore
  readonly #log: CommitLog
  readonly #index = new BatchIndex(HOT_BATCH_BYTES_MAX)
  /** Runs of batches read back from the disk, by the index they were asked for; the newest last. */
  readonly #runs = new Map<LogIndex, readonly Batch[]>()
  readonly #loading = new Set<LogIndex>()
  readonly #tasks: (() => Promise<void> | void)[] = []
  readonly #writing: Writing[] = []
  #events: RaftStoreEvents | undefined
  #configurations: readonly ConfigurationAt[] = []
  #hardState: HardState
  #recordedEnd: LogIndex = logIndex(0)
  #busy = false
  #full = false
  #retry: Timer | undefined
  #stopped = false

  private constructor(
    options: RaftStoreOptions,
    parts: {
      readonly snapshots: RaftSnapshots
      readonly hardStateFile: HardStateFile
      readonly hardState: HardState
      readonly logs: LogStore
      readonly log: CommitLog
    },
  ) {
    this.#options = options
    this.snapshots = parts.snapshots
    this.#hardStateFile = parts.hardStateFile
    this.#hardState = parts.hardState
    this.#logs = parts.logs
    this.#log = parts.log
  }

  /** Writes the term and vote of a disk that has neither: before it belongs to a cluster. */
  static async found({ disk, directory, compute }: Pick<RaftStoreOptions, 'disk' | 'directory' | 'compute'>): Promise<void> {
    disk.makeDirectory(directory)
    await disk.syncDirectory('')
    await hardStateFileOf(disk, directory, crcOf(compute)).write({ term: term(0), votedFor: undefined })
  }

  /** Rejects with a CommitLogError or DiskError when this disk cannot serve: above all when term and vote are gone. */
  static async open(options: RaftStoreOptions): Promise<RaftStore> {
    const { disk, clock, compute, directory } = options
    const crc32c = crcOf(compute)
    const hardStateFile = hardStateFileOf(disk, directory, crc32c)
    const hardState = await hardStateFile.read()
    if (hardState === undefined) throw new CommitLogError('corrupt', `${directory}: term and vote are gone; this disk must not vote again`)
    const snapshots = await RaftSnapshots.open(disk, `${directory}/snapshots`, crc32c)
    const logs = await openLogStore({ disk, clock, compute, directory })
    const log = await openWhole(logs, options.codec)
    const store = new RaftStore(options, { snapshots, hardStateFile, hardState, logs, log })
    await store.#recover()
    return store
  }

  /** Told from here on. */
  listen(events: RaftStoreEvents): void {
    this.#events = events
  }

  get hardState(): HardState {
    return this.#hardState
  }

  /** The last index that was ever recorded as durable; beyond the log's end it means damage. */
  get recordedEnd(): LogIndex {
    return this.#recordedEnd
  }

  get snapshot(): Snapshot {
    return this.snapshots.newest ?? { index: logIndex(0), term: term(0), configuration: this.#options.founders, sizeBytes: 0 }
  }

  get lastIndex(): LogIndex {
    return this.#index.last?.lastIndex ?? this.snapshot.index
  }

  extentAt(index: LogIndex): Extent | undefined {
    return this.#index.extentAt(index)
  }

  configurations(): readonly ConfigurationAt[] {
    return this.#configurations
  }

  batchesFrom(index: LogIndex, bytesMax: number): readonly Batch[] | undefined {
    const hot = this.#index.hotFrom(index, bytesMax)
    if (hot !== undefined) return hot
    const run = this.#runs.get(index)
    if (run !== undefined) return upTo(run, bytesMax)
    void this.#load(index)
    return undefined
  }

  /** Queues a write. */
  write(request: StoreRequest): void {
    this.#writing.push({ request, durable: false })
    const writing = this.#writing.at(-1) as Writing
    this.#do(() => this.#perform(writing))
  }

  /** Queues work that must not overlap with a write: of snapshots. */
  inOrder(task: () => Promise<void>): void {
    this.#do(task)
  }

  /** Discards what a snapshot stands for, up to the batch that holds `index`. */
  async discardBefore(index: number): Promise<void> {
    const extent = this.#index.extentAt(logIndex(index))
    if (extent === undefined) return
    await this.#log.deleteBefore(offset(extent.firstIndex))
    this.#index.dropBefore(extent.firstIndex)
  }

  /** Everything that was lost is there again. */
  settleDebt(): void {
    this.#do(() => this.#log.settleDebt())
  }

  /** Stops writing, and closes in order if the disk lets it. */
  async close(): Promise<void> {
    this.#stopped = true
    this.#retry?.cancel()
    this.snapshots.close()
    if (!this.#busy) await this.#logs.close()
  }

  #do(task: () => Promise<void> | void): void {
    this.#tasks.push(task)
    if (!this.#busy && !this.#full) void this.#work()
  }

  /** One task after the other. Up to its first wait this runs in the turn of the caller. */
  async #work(): Promise<void> {
    this.#busy = true
    try {
      for (let task = this.#tasks[0]; task !== undefined && !this.#stopped; task = this.#tasks[0]) {
        const done = task()
        if (done !== undefined) await done
        this.#tasks.shift()
        this.#noteRoom(false)
      }
    } catch (error) {
      if (isFull(error)) this.#noteRoom(true)
      else this.#fail(error)
    } finally {
      this.#busy = false
    }
  }

  /** No room: the same again in a while. Everything that was done before may be done twice. */
  #noteRoom(full: boolean): void {
    if (full) {
      this.#retry = this.#options.clock.after(DISK_FULL_RETRY_MS, () => {
        if (!this.#stopped && !this.#busy) void this.#work()
      })
    }
    if (full === this.#full) return
    this.#full = full
    this.#events?.full(full)
  }

  #fail(error: unknown): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#events?.failed(error)
  }

  #perform(writing: Writing): Promise<void> | void {
    const { hardState, install, batches } = writing.request
    const first = batches[0]
    const conflicts = first !== undefined && first.firstIndex < this.#log.logEnd
    if (hardState === undefined && install === undefined && !conflicts) return this.#append(writing)
    return this.#prepare(writing).then(() => this.#append(writing))
  }

  /** What comes before the batches: hard state, snapshot, truncation. Each is durable when it is done. */
  async #prepare({ request: { hardState, install, batches } }: Writing): Promise<void> {
    if (hardState !== undefined) {
      await this.#hardStateFile.write(hardState)
      this.#hardState = hardState
    }
    if (install !== undefined && this.snapshot.index < install.index) await this.snapshots.install(install)
    if (install !== undefined) await this.#restartAfter(install)
    const [first] = batches
    if (first !== undefined && first.firstIndex < this.#log.logEnd) {
      await this.#log.truncate(offset(first.firstIndex))
      this.#index.truncateFrom(first.firstIndex)
      this.#runs.clear()
    }
  }

  #append(writing: Writing): void {
    const { batches } = writing.request
    if (batches.length > 0) {
      this.#log.appendPlaced(this.#options.codec.encodeAll(batches))
      for (const batch of batches) this.#index.push(batch)
    }
    this.#log.durable(this.#log.logEnd).then(
      () => {
        writing.durable = true
        this.#report()
      },
      (error: unknown) => this.#fail(error),
    )
  }

  #report(): void {
    for (let oldest = this.#writing[0]; oldest?.durable && !this.#stopped; oldest = this.#writing[0]) {
      this.#writing.shift()
      this.#events?.stored(oldest.request)
    }
  }

  async #restartAfter({ index }: Snapshot): Promise<void> {
    this.#index.truncateFrom(0)
    this.#runs.clear()
    await this.#log.restartAt(offset(index + 1))
  }

  async #load(index: LogIndex): Promise<void> {
    if (this.#loading.has(index)) return
    this.#loading.add(index)
    try {
      const batches = this.#options.codec.decodeAll(joined(await this.#log.read(offset(index), { bytesMax: LOAD_BYTES })))
      // What was truncated or replaced meanwhile is not what was asked for.
      const there = batches.filter(({ term: inTerm, firstIndex }) => this.#index.extentAt(firstIndex)?.term === inTerm)
      if (there.length > 0) this.#runs.set(index, there)
      if (this.#runs.size > LOADED_RUNS_MAX) this.#runs.delete(this.#runs.keys().next().value as LogIndex)
    } catch (error) {
      if (!(error instanceof CommitLogError && (error.code === 'out_of_range' || error.code === 'closed'))) this.#fail(error)
    } finally {
      this.#loading.delete(index)
    }
    if (!this.#stopped) this.#events?.loaded()
  }

  /** Reads the whole log: where its batches lie, which configurations it holds, and that all of it makes sense. */
  async #recover(): Promise<void> {
    const { newest } = this.snapshots
    const after = (newest?.index ?? 0) + 1
    this.#recordedEnd = logIndex(Math.max(0, (this.#log.owedEnd ?? this.#log.logEnd) - 1))
    if (this.#log.logEnd < after || this.#log.logStart === 0) {
      // Founded just now, or a snapshot was installed and the log not yet begun anew behind it.
      await this.#log.restartAt(offset(after))
      this.#recordedEnd = logIndex(Math.max(after - 1, this.#log.owedEnd === undefined ? 0 : this.#recordedEnd))
    }
    if (this.#log.logStart > after)
      throw new CommitLogError('corrupt', `the log begins at ${this.#log.logStart}, the newest snapshot ends at ${after - 1}`)
    await this.#readAll()
    const there = newest && this.#index.extentAt(newest.index)
    if (newest !== undefined && there !== undefined && there.term !== newest.term) await this.#restartAfter(newest)
  }

  async #readAll(): Promise<void> {
    const configurations: ConfigurationAt[] = []
    for (let at: number = this.#log.logStart; at < this.#log.logEnd; ) {
      const batches = this.#options.codec.decodeAll(joined(await this.#log.read(offset(at), { bytesMax: LOAD_BYTES })))
      assert(batches.length > 0, 'a log reads on to its end')
      for (const batch of batches) {
        this.#index.push(batch)
        for (const { index, payload } of batch.entries)
          if (payload.kind === 'configuration') configurations.push({ index, configuration: payload.configuration })
        at = batch.lastIndex + 1
      }
    }
    this.#configurations = configurations
  }

  /** The term of the entry at `index`, stored or in the snapshot. */
  termAt(index: LogIndex): Term | undefined {
    return index === this.snapshot.index ? this.snapshot.term : this.#index.extentAt(index)?.term
  }
}

function crcOf(compute: Pick<Compute, 'crc32c'>): Crc32c {
  return (bytes, before) => compute.crc32c(bytes, before)
}

function hardStateFileOf(disk: Disk, directory: string, crc32c: Crc32c): HardStateFile {
  return new HardStateFile(disk, `${directory}/hard-state`, crc32c)
}

/** Opens the log; of a damaged one the part that is intact, which then owes the rest. */
async function openWhole(logs: LogStore, codec: BatchCodec): Promise<CommitLog> {
  const options = { verify: 'all', check: (batch: Uint8Array) => whyNone(codec, batch) } as const
  try {
    return await logs.openLog(LOG_NAME, options)
  } catch (error) {
    if (!(error instanceof CommitLogError) || error.damage === undefined) throw error
    await logs.putDamageAside(LOG_NAME, error.damage)
    return logs.openLog(LOG_NAME, options)
  }
}

/** Why these bytes are no batch of Raft's; undefined when they are one. */
function whyNone(codec: BatchCodec, batch: Uint8Array): string | undefined {
  try {
    codec.decodeAll(batch)
    return undefined
  } catch (error) {
    if (error instanceof RecordsError) return error.message
    throw error
  }
}

function isFull(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'disk_full'
}

function upTo(batches: readonly Batch[], bytesMax: number): readonly Batch[] {
  let bytes = 0
  const past = batches.findIndex((batch, place) => {
    bytes += batch.sizeBytes
    return place > 0 && bytes > bytesMax
  })
  return past === -1 ? batches : batches.slice(0, past)
}
