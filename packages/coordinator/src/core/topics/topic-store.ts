// Topics and partitions as one draft sees them, with the bounds on how many there are.
import type { NodeId } from '@atoll/base'
import {
  type PartitionName,
  type PartitionRecord,
  PLACEMENT_KEY,
  PRODUCER_ID_BLOCK,
  PRODUCER_IDS_KEY,
  ProtocolError,
  partitionKey,
  partitionRecord,
  partitionsOf,
  placementFields,
  producerIdFields,
  StoredRecord,
  type TopicRecord,
  topicKey,
  topicRecord,
} from '@atoll/protocol'
import { type Draft, NO_LEASE } from '../draft.ts'
import { PARTITIONS_MAX } from '../limits.ts'
import { allWith } from '../selection.ts'
import type { Broker } from './brokers.ts'
import { place } from './placement.ts'

export const topicCodec = topicRecord()
export const partitionCodec = partitionRecord()
const placementCodec = new StoredRecord('placement', placementFields)
const producerIdCodec = new StoredRecord('producer ids', producerIdFields)

export class TopicStore {
  readonly #draft: Draft
  /** Those read already: a command is about many partitions of few topics. */
  readonly #topics = new Map<string, TopicRecord | undefined>()

  constructor(draft: Draft) {
    this.#draft = draft
  }

  topic(name: string): TopicRecord | undefined {
    if (this.#topics.has(name)) return this.#topics.get(name)
    const version = this.#draft.get(topicKey(name))
    const topic = version && topicCodec.read(version.value)
    this.#topics.set(name, topic)
    return topic
  }

  expectTopic(name: string): TopicRecord {
    const found = this.topic(name)
    if (found === undefined) throw new ProtocolError('unknown_topic', `there is no topic ${name}`)
    return found
  }

  writeTopic(topic: TopicRecord): void {
    this.#topics.set(topic.name, topic)
    this.#draft.set(topicKey(topic.name), topicCodec.write(topic), NO_LEASE)
    this.#draft.checkRoom()
  }

  /** Its name is free. */
  forget(name: string): void {
    this.#topics.set(name, undefined)
    this.#draft.clear(topicKey(name))
  }

  /** Throws `unknown_partition`, also for one whose topic is deleted and that is only not yet swept. */
  partition({ topicId, partition }: PartitionName): { readonly record: PartitionRecord; readonly topic: TopicRecord } {
    const version = this.#draft.get(partitionKey(topicId, partition))
    const record = version && partitionCodec.read(version.value)
    const topic = record && this.topic(record.topic)
    if (record === undefined || topic?.id !== topicId) throw new ProtocolError('unknown_partition')
    return { record, topic }
  }

  write(topicId: string, record: PartitionRecord): void {
    this.#draft.set(partitionKey(topicId, record.partition), partitionCodec.write(record), NO_LEASE)
  }

  /** Throws unless `count` more partitions may be. */
  checkPartitions(count: number): void {
    if (this.#placement.partitions + count > PARTITIONS_MAX)
      throw new ProtocolError('invalid_partitions', `${this.#placement.partitions} of ${PARTITIONS_MAX} partitions are there`)
  }

  /** The replicas of `count` partitions more; nothing is written. */
  place(brokers: readonly Broker[], count: number, replicas: number): NodeId[][] {
    const candidates = brokers.filter(({ retired, leaving }) => !retired && !leaving)
    if (replicas === 0 || replicas > candidates.length || !candidates.some(({ live }) => live)) {
      const live = candidates.filter(one => one.live).length
      throw new ProtocolError('invalid_replication_factor', `${replicas} replicas on ${candidates.length} brokers, ${live} of them there`)
    }
    return place(candidates, { count, replicas, placed: this.#placement.placed })
  }

  added(count: number): void {
    const { placed, partitions } = this.#placement
    this.#writePlacement(placed + count, partitions + count)
  }

  /** Deletes partitions of a topic that is gone, `max` at most. */
  sweep(topicId: string, max: number): void {
    const doomed: string[] = []
    for (const [key, version] of this.#draft.scan(allWith(partitionsOf(topicId)))) {
      // Earlier ones may be remembered as deleted.
      if (version !== undefined) doomed.push(key)
      if (doomed.length === max) break
    }
    for (const key of doomed) this.#draft.clear(key)
    if (doomed.length === 0) return
    const { placed, partitions } = this.#placement
    this.#writePlacement(placed, partitions - doomed.length)
  }

  takeProducerIds(): number {
    const version = this.#draft.get(PRODUCER_IDS_KEY)
    const first = version === undefined ? 0 : producerIdCodec.read(version.value).next
    this.#draft.set(PRODUCER_IDS_KEY, producerIdCodec.write({ next: first + PRODUCER_ID_BLOCK }), NO_LEASE)
    return first
  }

  get #placement() {
    const version = this.#draft.get(PLACEMENT_KEY)
    return version === undefined ? { placed: 0, partitions: 0 } : placementCodec.read(version.value)
  }

  #writePlacement(placed: number, partitions: number): void {
    this.#draft.set(PLACEMENT_KEY, placementCodec.write({ placed, partitions }), NO_LEASE)
  }
}
