// All logs on one disk, with what they share: open files, the memory of their tails, and the rounds of syncs.
import type { Clock, Compute, Disk } from '@atoll/base'
import type { Crc32c, Offset } from '@atoll/records'
import { CommitLog, type LogContext, type LogOptions } from './commit-log.ts'
import { CommitLogError, type Damage, fromDisk } from './commit-log-error.ts'
import { putDamageAside } from './damage-repair.ts'
import { makeDurableDirectory } from './directory-sync.ts'
import { Durability } from './durability.ts'
import { DurableEnds } from './durable-ends.ts'
import { FileTable } from './file-table.ts'
import { TailBudget } from './hot-tail.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import { LOG_NAME_CHARACTERS_MAX, OPEN_FILES_DEFAULT, SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MAX, TAIL_BYTES_DEFAULT } from './limits.ts'
import { LoadedIndexes } from './loaded-indexes.ts'
import { type RecoveredLog, recoverLog } from './log-recovery.ts'
import { LogStateFile } from './log-state.ts'

export interface LogStoreOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly compute: Pick<Compute, 'crc32c'>
  /** On the disk; made if it is not there. */
  readonly directory: string
  /** Files open at once. Default 256. */
  readonly openFilesMax?: number
  /** Bytes of newest batches in memory, over all logs. Default 64 MiB. */
  readonly tailBytesMax?: number
}

export interface OpenLogOptions extends Partial<LogOptions> {
  /** `all` checks every batch before the log is used, `tail` (the default) what was written last; the rest is checked when read. */
  readonly verify?: 'tail' | 'all'
  /**
   * What is wrong with a batch that has a good checksum, for an owner who can tell: the checksum of Kafka's batches leaves
   * offset, size and epoch out, and above what is on record any later epoch is a new one. Called for each that is checked.
   */
  readonly check?: (batch: Uint8Array) => string | undefined
}

/** Indexes of closed segments in memory: 16,384 entries each at the default segment size. */
const LOADED_INDEXES_MAX = 64
const LOG_NAME = /^[a-zA-Z0-9._-]+$/

/** Reads the record of durable ends. Rejects with `newer_format`, `io` or `disk_full`. */
export async function openLogStore(options: LogStoreOptions): Promise<LogStore> {
  const { disk, directory, compute } = options
  const crc32c: Crc32c = (bytes, before) => compute.crc32c(bytes, before)
  try {
    await makeDurableDirectory(disk, directory)
    return new LogStore(options, crc32c, await DurableEnds.open(disk, directory, crc32c))
  } catch (error) {
    throw fromDisk(error, directory)
  }
}

export class LogStore {
  readonly durability: Durability
  readonly #disk: Disk
  readonly #directory: string
  readonly #ends: DurableEnds
  readonly #context: LogContext
  readonly #logs = new Map<string, CommitLog>()
  /** Logs that failed, and how far they were durable: what lies above is not to be believed even if it can be read. */
  readonly #failedAt = new Map<string, Offset>()
  /** Names being opened or removed. */
  readonly #busy = new Set<string>()

  constructor(options: LogStoreOptions, crc32c: Crc32c, ends: DurableEnds) {
    const { disk, clock, directory, openFilesMax = OPEN_FILES_DEFAULT, tailBytesMax = TAIL_BYTES_DEFAULT } = options
    this.#disk = disk
    this.#directory = directory
    this.#ends = ends
    this.durability = new Durability(clock, ends)
    this.#context = {
      disk,
      crc32c,
      files: new FileTable(disk, openFilesMax),
      indexes: new LoadedIndexes(LOADED_INDEXES_MAX),
      tails: new TailBudget(tailBytesMax),
      durability: this.durability,
    }
  }

  /** Logs of which something is on record, whether they can be opened or not. */
  get recordedNames(): readonly string[] {
    return this.#ends.names
  }

  /** How far the log is on record to have been durable. */
  recordedEnd(name: string): Offset | undefined {
    return this.#ends.get(name)
  }

  /**
   * Opens a log, or makes an empty one. Everything it then holds is durable. Rejects with `corrupt` or `newer_format`,
   * having changed nothing, with `io` or `disk_full`, and with `failed` once the record of durable ends has.
   */
  async openLog(name: string, options: OpenLogOptions = {}): Promise<CommitLog> {
    return this.#alone(name, async () => {
      if (this.#ends.failure !== undefined)
        throw new CommitLogError('failed', 'the record of durable ends has failed', { cause: this.#ends.failure })
      const directory = this.#place(name)
      const segmentBytes = Math.min(options.segmentBytes ?? SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MAX)
      const recovered = await recoverLog({
        disk: this.#disk,
        files: this.#context.files,
        crc32c: this.#context.crc32c,
        directory,
        recordedEnd: this.#ends.get(name),
        trustedEnd: this.#failedAt.get(name),
        verify: options.verify ?? 'tail',
        check: options.check,
      })
      const log = new CommitLog(name, directory, recovered ?? (await this.#make(directory)), this.#context, { ...options, segmentBytes })
      this.#logs.set(name, log)
      await log.flush()
      this.#failedAt.delete(name)
      return log
    })
  }

  /**
   * Puts aside what `damage` says of a log that could not be opened, so that it can be, up to where it is good. From then
   * on the log owes what it had: whoever counts on its copy asks `owedEnd`. Rejects with `io` or `disk_full`.
   */
  async putDamageAside(name: string, damage: Damage): Promise<void> {
    await this.#alone(name, async () => {
      this.#context.files.dropIn(this.#place(name))
      await putDamageAside(this.#disk, this.#place(name), damage, this.#context.crc32c)
      await this.durability.lower(name, damage.goodEnd)
    })
  }

  /** Removes a log with all that is in it. */
  async removeLog(name: string): Promise<void> {
    await this.#alone(name, async () => {
      await this.durability.forget(name)
      this.#context.files.dropIn(this.#place(name))
      await this.#disk.removeDirectory(this.#place(name))
      await this.#disk.syncDirectory(this.#directory)
    })
  }

  /** Closes every log and puts the last durable ends on record. */
  async close(): Promise<void> {
    await Promise.all([...this.#logs.values()].map(log => log.close()))
    await this.durability.settle()
    this.#context.files.closeAll()
    this.#ends.close()
  }

  async #make(directory: string): Promise<RecoveredLog> {
    this.#disk.makeDirectory(directory)
    const state = { logStart: 0 as Offset, owedEnd: undefined, epochs: [] }
    const file = new LogStateFile(this.#disk, directory, this.#context.crc32c)
    file.stage(state)
    await file.commit()
    await this.#disk.syncDirectory(this.#directory)
    return {
      segments: [],
      state,
      epochs: new LeaderEpochs(),
      logEnd: state.logStart,
      durableEnd: state.logStart,
      unsure: [],
      stateChanged: false,
      tornBytes: 0,
    }
  }

  async #alone<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (!LOG_NAME.test(name) || name.startsWith('.') || name.length > LOG_NAME_CHARACTERS_MAX)
      throw new RangeError(`not a log's name: ${JSON.stringify(name)}`)
    if (this.#busy.has(name)) throw new CommitLogError('closed', `${name} is being opened or removed`)
    this.#busy.add(name)
    try {
      const open = this.#logs.get(name)
      this.#logs.delete(name)
      await open?.close()
      // A log that failed while it was being cut may be durable beyond where it was to end.
      if (open?.failure !== undefined) this.#failedAt.set(name, Math.max(open.durableEnd, this.#ends.get(name) ?? 0) as Offset)
      return await work()
    } catch (error) {
      throw fromDisk(error, name)
    } finally {
      this.#busy.delete(name)
    }
  }

  #place(name: string): string {
    return this.#directory === '' ? name : `${this.#directory}/${name}`
  }
}
