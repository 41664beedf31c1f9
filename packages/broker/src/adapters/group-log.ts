// The groups' own log: a partition of `__consumer_offsets` that this broker leads, as records.
import { type Clock, type Compute, InvariantError, present, sleep } from '@atoll/base'
import { CommitLogError } from '@atoll/commit-log'
import { ProtocolError } from '@atoll/protocol'
import { decodeRecords, encodeBatch, type Offset, readBatchHeader } from '@atoll/records'
import type { GroupRecord } from '../groups/group-records.ts'
import type { GroupLog } from '../groups/group-service.ts'
import { OFFSETS_TOPIC } from '../handlers/coordinators.ts'
import { kafkaErrorOf } from '../handlers/kafka-names.ts'
import { KafkaError } from '../kafka/handlers.ts'
import type { ClusterMetadata } from '../metadata/cluster-metadata.ts'
import type { PartitionHost } from '../partition-host.ts'
import { type PartitionKey, partitionKeyOf } from './fetch-wire.ts'

export interface OffsetsLogOptions {
  readonly clock: Clock
  readonly compute: Pick<Compute, 'crc32c'>
  readonly metadata: ClusterMetadata
  readonly host: PartitionHost
}

/** Read at once: a few milliseconds to go through. */
const SLICE_BYTES = 131_072
/** How long it is waited for other replicas, in milliseconds. */
const COMMIT_MS = 5_000
/** Between two looks whether a new leader knows what is committed, in milliseconds. */
const LOOK_MS = 500

export class OffsetsLog implements GroupLog {
  readonly #options: OffsetsLogOptions

  constructor(options: OffsetsLogOptions) {
    this.#options = options
  }

  async *read(partition: number, signal: AbortSignal): AsyncIterable<readonly GroupRecord[]> {
    try {
      yield* this.#read(partition, signal)
    } catch (error) {
      // Whoever leads no more is told so within this turn: then nobody wants to know why this could not be read.
      await sleep(this.#options.clock, 0)
      throw error
    }
  }

  async append(partition: number, records: readonly GroupRecord[]): Promise<void> {
    const { clock, compute, host } = this.#options
    const timestampMs = clock.wallMs()
    const rows = records.map(({ key, value }) => ({ timestampMs, key, value: value ?? null }))
    const batch = encodeBatch(rows, { crc32c: (bytes, before) => compute.crc32c(bytes, before) })
    try {
      await host.produce(this.#key(partition), batch, readBatchHeader(batch), 'all', COMMIT_MS)
    } catch (error) {
      if (error instanceof InvariantError || !(error instanceof ProtocolError)) throw error
      throw new KafkaError(kafkaErrorOf(error.code), error.message, { cause: error })
    }
  }

  async *#read(partition: number, signal: AbortSignal): AsyncIterable<readonly GroupRecord[]> {
    const key = this.#key(partition)
    await this.#committedKnown(key, signal)
    const replica = this.#replica(key)
    const end = replica.highWatermark
    let from = replica.status.logStart
    while (from < end && !signal.aborted) {
      const batches = await this.#batches(key, from, end)
      for (const batch of batches)
        yield decodeRecords(batch).map(record => ({
          key: present(record.key, 'the key of a record of a compacted topic'),
          value: record.value ?? undefined,
        }))
      const last = batches.at(-1)
      if (last === undefined) throw new KafkaError('kafka_storage_error', `${key}: nothing at offset ${from}`)
      from = (readBatchHeader(last).lastOffset + 1) as Offset
    }
  }

  #key(partition: number): PartitionKey {
    const topic = this.#options.metadata.topic(OFFSETS_TOPIC)
    if (topic === undefined) throw new KafkaError('unknown_topic_or_partition', `${OFFSETS_TOPIC} is not there`)
    return partitionKeyOf(topic.id, partition)
  }

  #replica(key: PartitionKey) {
    const replica = this.#options.host.replica(key)
    if (replica?.isLeader !== true) throw new KafkaError('not_leader_or_follower', `${key} is led elsewhere`)
    return replica
  }

  /** A new leader has to hear from its followers before it knows how far its log is committed. */
  async #committedKnown(key: PartitionKey, signal: AbortSignal): Promise<void> {
    while (this.#replica(key).listOffset('latest') === 'offset_not_available') {
      await this.#options.host.more([key], 1, LOOK_MS)
      signal.throwIfAborted()
    }
  }

  async #batches(key: PartitionKey, from: Offset, end: Offset): Promise<readonly Uint8Array[]> {
    const read = this.#replica(key).readForConsumer(undefined, from, SLICE_BYTES)
    if (read.kind === 'refused') throw new KafkaError('not_leader_or_follower', `${key}: ${read.reason}`)
    if (read.kind === 'batches') return read.batches
    try {
      return (await this.#options.host.log(key)?.readCold(from, end, SLICE_BYTES)) ?? []
    } catch (error) {
      if (!(error instanceof CommitLogError)) throw error
      throw new KafkaError('kafka_storage_error', error.message, { cause: error })
    }
  }
}
