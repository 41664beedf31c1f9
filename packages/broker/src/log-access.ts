// Appending to and reading from the partitions that this broker leads: one path for Kafka's clients and for native ones.
// Nothing is served without a registration in force: a broker that was fenced is not the leader of anything, whatever its
// replicas still believe.
import { type Clock, type Compute, InvariantError } from '@atoll/base'
import { CommitLogError } from '@atoll/commit-log'
import { type ErrorCode, ProtocolError } from '@atoll/protocol'
import {
  checkProduced,
  createCompression,
  decodeRecords,
  type LeaderEpoch,
  type Offset,
  setAppendTime,
  setMaxTimestamp,
} from '@atoll/records'
import type { PartitionKey } from './adapters/fetch-wire.ts'
import type { TopicRules } from './metadata/topic-settings.ts'
import type { Acks } from './partition/inputs.ts'
import type { Read, ReadRefusal } from './partition/replica.ts'
import type { PartitionHost, Produced } from './partition-host.ts'

export interface LogAccessOptions {
  readonly host: PartitionHost
  readonly clock: Clock
  readonly compute: Compute
  /** False while this broker has no right to act. */
  readonly mayServe: () => boolean
  /** What to wait for where a partition is about to be led here. */
  readonly leadsSoon: (key: PartitionKey) => Promise<void> | undefined
}

export interface Append {
  readonly key: PartitionKey
  /** One batch as a producer makes it. It belongs to the log from here on. */
  readonly batch: Uint8Array
  readonly rules: TopicRules
  readonly acks: Acks
  readonly timeoutMs: number
  readonly zstdAllowed?: boolean
}

export interface Wanted {
  readonly key: PartitionKey
  /** The epoch that the reader believes current, if it says. */
  readonly leaderEpoch: number | undefined
  readonly offset: number
  readonly bytesMax: number
}

export interface Patience {
  readonly bytesMin: number
  /** Of all partitions together; the first batch found may exceed it (KIP-74). */
  readonly bytesMax: number
  readonly maxWaitMs: number
}

export interface Found {
  /** Undefined: all is well. */
  readonly error: ErrorCode | undefined
  readonly batches: readonly Uint8Array[]
  /** -1 when they are not known. */
  readonly highWatermark: number
  readonly logStart: number
  readonly leaderEpoch: number
}

export interface FoundOffset {
  /** Undefined: no record is so late. */
  readonly offset: number | undefined
  readonly timestampMs: number | undefined
  readonly leaderEpoch: number
}

const refusals: Readonly<Record<ReadRefusal, ErrorCode>> = {
  fenced_leader_epoch: 'fenced_leader_epoch',
  unknown_leader_epoch: 'unknown_leader_epoch',
  not_leader: 'not_partition_leader',
  stale_broker_epoch: 'not_partition_leader',
  not_a_replica: 'not_partition_leader',
  out_of_range: 'offset_out_of_range',
  offset_not_available: 'offset_not_available',
}

export class LogAccess {
  readonly #options: LogAccessOptions
  readonly #compression: ReturnType<typeof createCompression>
  readonly #crc32c: (bytes: Uint8Array, before?: number) => number

  constructor(options: LogAccessOptions) {
    this.#options = options
    this.#compression = createCompression(options.compute)
    this.#crc32c = (bytes, before) => options.compute.crc32c(bytes, before)
  }

  /**
   * Appends in this very turn, unless the log has to be opened first. Resolves with where, or with undefined for `acks` none. Rejects with a RecordsError for a batch
   * that may not be appended, or with the errors of `log_produce`.
   */
  async append({ key, batch, rules, acks, timeoutMs, zstdAllowed = true }: Append): Promise<Produced | undefined> {
    const { host, clock } = this.#options
    if (!this.#options.mayServe()) throw new ProtocolError('not_partition_leader')
    const soon = this.#options.leadsSoon(key)
    if (soon !== undefined) await soon
    // Whoever asks the wrong broker is told so before the batch is looked at, which takes time.
    if (host.replica(key)?.isLeader !== true) throw new ProtocolError('not_partition_leader')
    const { header, maxTimestampMs } = checkProduced(batch, {
      crc32c: this.#crc32c,
      decompress: this.#compression.decompress,
      batchBytesMax: rules.batchBytesMax,
      keysRequired: rules.isCompacted,
      zstdAllowed,
    })
    if (rules.appendTime) setAppendTime(batch, 0, clock.wallMs(), this.#crc32c)
    else if (maxTimestampMs !== header.maxTimestampMs) setMaxTimestamp(batch, 0, maxTimestampMs, this.#crc32c)
    return host.produce(key, batch, header, acks, timeoutMs)
  }

  /** Reads of each partition what is committed, in their order; waits until there is enough of it, or for as long as is allowed. */
  async read(wanted: readonly Wanted[], patience: Patience): Promise<readonly Found[]> {
    const found = await this.#readAll(wanted, patience.bytesMax)
    const bytes = bytesOf(found)
    if (bytes >= patience.bytesMin || patience.maxWaitMs <= 0 || found.some(({ error }) => error !== undefined)) return found
    const keys = wanted.map(({ key }) => key)
    await this.#options.host.more(keys, Math.max(1, patience.bytesMin - bytes), patience.maxWaitMs)
    return this.#readAll(wanted, patience.bytesMax)
  }

  /** The first offset, or the next one to be committed. Rejects with the errors of `log_list_offsets`. */
  async end(key: PartitionKey, which: 'earliest' | 'latest', leaderEpoch: number | undefined): Promise<FoundOffset> {
    const soon = this.#options.leadsSoon(key)
    if (soon !== undefined) await soon
    const replica = this.#leading(key)
    const offset = replica.listOffset(which, leaderEpoch as LeaderEpoch | undefined)
    if (typeof offset === 'string') throw new ProtocolError(refusals[offset])
    return { offset, timestampMs: undefined, leaderEpoch: replica.leaderEpoch }
  }

  /** The first committed record of `timestampMs` or later. Rejects as `end` does. */
  async atTime(key: PartitionKey, timestampMs: number, leaderEpoch: number | undefined): Promise<FoundOffset> {
    // Fences, and says whether this leader knows what is committed.
    await this.end(key, 'latest', leaderEpoch)
    const replica = this.#leading(key)
    const { highWatermark, leaderEpoch: epoch } = replica
    const { logStart } = replica.status
    const batch = await this.#fromDisk(async () => this.#options.host.log(key)?.findTime(timestampMs, highWatermark))
    const records = batch === undefined ? [] : decodeRecords(batch, { decompress: this.#compression.decompress })
    const first = records.find(record => record.timestampMs >= timestampMs && record.offset >= logStart)
    return { offset: first?.offset, timestampMs: first?.timestampMs, leaderEpoch: epoch }
  }

  /** Where `epoch` ended (KIP-320); undefined when the leader has none so early. Throws the errors of `log_epoch_end`. */
  endOfEpoch(key: PartitionKey, epoch: number, leaderEpoch: number | undefined) {
    const end = this.#leading(key).endOfEpoch(epoch as LeaderEpoch, leaderEpoch as LeaderEpoch | undefined)
    if (typeof end === 'string') throw new ProtocolError(refusals[end])
    return end
  }

  /** Makes `before` the first offset there is; undefined is the high watermark. Rejects with the errors of `log_delete_records`. */
  async deleteBefore(key: PartitionKey, before: number | undefined, timeoutMs: number): Promise<number> {
    this.#leading(key)
    return this.#options.host.deleteRecords(key, before as Offset | undefined, timeoutMs)
  }

  #leading(key: PartitionKey) {
    const replica = this.#options.mayServe() ? this.#options.host.replica(key) : undefined
    if (replica === undefined) throw new ProtocolError('not_partition_leader')
    return replica
  }

  async #readAll(wanted: readonly Wanted[], bytesMax: number): Promise<readonly Found[]> {
    const found: Found[] = []
    let left = bytesMax
    for (const one of wanted) {
      const outcome = await this.#readOne(one, left, left === bytesMax)
      for (const batch of outcome.batches) left -= batch.length
      found.push(outcome)
    }
    return found
  }

  /** Also of a partition for which no room is left it is said how it is. */
  async #readOne({ key, leaderEpoch, offset, bytesMax }: Wanted, left: number, isFirst: boolean): Promise<Found> {
    const soon = this.#options.leadsSoon(key)
    if (soon !== undefined) await soon
    const replica = this.#options.mayServe() ? this.#options.host.replica(key) : undefined
    if (replica === undefined) return failed('not_partition_leader')
    const room = Math.min(bytesMax, left)
    const read = replica.readForConsumer(leaderEpoch as LeaderEpoch | undefined, offset as Offset, Math.max(0, room))
    const { highWatermark, logStart } = read
    const place = { highWatermark, logStart, leaderEpoch: replica.leaderEpoch }
    if (read.kind === 'refused') return { ...place, error: refusals[read.reason], batches: [] }
    try {
      const batches = left <= 0 ? [] : await this.#batchesOf(key, read, offset as Offset, room)
      // A batch that is larger than what is left comes alone, or with another request.
      const fits = isFirst || (batches[0]?.length ?? 0) <= left
      return { ...place, error: undefined, batches: fits ? batches : [] }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return { ...place, error: error.code, batches: [] }
    }
  }

  async #batchesOf(key: PartitionKey, read: Exclude<Read, { kind: 'refused' }>, offset: Offset, bytesMax: number) {
    if (read.kind === 'batches') return read.batches
    const log = this.#options.host.log(key)
    return (await this.#fromDisk(async () => log?.readCold(offset, read.end, bytesMax))) ?? []
  }

  async #fromDisk<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      if (error instanceof InvariantError || !(error instanceof CommitLogError)) throw error
      if (error.code === 'out_of_range') throw new ProtocolError('offset_out_of_range', undefined, { cause: error })
      throw new ProtocolError(error.code === 'closed' ? 'not_partition_leader' : 'log_disk_failed', error.message, { cause: error })
    }
  }
}

const failed = (error: ErrorCode): Found => ({ error, batches: [], highWatermark: -1, logStart: -1, leaderEpoch: -1 })

function bytesOf(found: readonly Found[]): number {
  let bytes = 0
  for (const { batches } of found) for (const batch of batches) bytes += batch.length
  return bytes
}
