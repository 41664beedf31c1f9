// What the controller has committed about brokers, topics and partitions, as far as this broker has heard: the records under
// the coordinators' reserved keys, taken one by one as they come. Nobody here decides anything; requests are routed by it,
// and replicas obey it.
import type { NodeId } from '@atoll/base'
import {
  BROKER_PREFIX,
  type BrokerRecord,
  brokerRecord,
  type ObjectOf,
  PARTITION_PREFIX,
  type PartitionRecord,
  partitionRecord,
  registration,
  StoredRecord,
  TOPIC_PREFIX,
  type TopicRecord,
  topicRecord,
} from '@atoll/protocol'
import { type PartitionKey, partitionKeyOf } from '../adapters/fetch-wire.ts'
import type { Registrations } from '../partition/assignment.ts'

/** Everything that is followed lies below this. */
export const FOLLOWED_PREFIX = '$atoll/'
const NODE_PREFIX = '$atoll/node/'

export type NodeRegistration = ObjectOf<typeof registration>

/** Told of every change, after it was taken. */
export interface MetadataListener {
  /** Undefined: there is no such partition any more. */
  partitionChanged?(key: PartitionKey, record: PartitionRecord | undefined): void
  topicDeleted?(topic: TopicRecord): void
  /** A broker registered, was fenced, or is ready or leaving. */
  brokersChanged?(): void
}

export class ClusterMetadata implements Registrations {
  readonly #registrationCodec = new StoredRecord('registration', registration)
  readonly #brokerCodec = brokerRecord()
  readonly #topicCodec = topicRecord()
  readonly #partitionCodec = partitionRecord()
  readonly #registrations = new Map<string, NodeRegistration>()
  readonly #brokers = new Map<string, BrokerRecord>()
  readonly #topics = new Map<string, TopicRecord>()
  readonly #topicsById = new Map<string, TopicRecord>()
  readonly #partitions = new Map<string, Map<number, { readonly key: PartitionKey; readonly record: PartitionRecord }>>()
  readonly #listeners: MetadataListener[] = []

  listen(listener: MetadataListener): void {
    this.#listeners.push(listener)
  }

  /** A key was written, or with undefined deleted. Keys of other things are passed over. */
  take(key: string, value: Uint8Array | undefined): void {
    if (key.startsWith(PARTITION_PREFIX)) this.#takePartition(key.slice(PARTITION_PREFIX.length), value)
    else if (key.startsWith(TOPIC_PREFIX)) this.#takeTopic(key.slice(TOPIC_PREFIX.length), value)
    else if (key.startsWith(BROKER_PREFIX)) this.#takeBroker(key.slice(BROKER_PREFIX.length), value)
    else if (key.startsWith(NODE_PREFIX)) this.#takeNode(key.slice(NODE_PREFIX.length), value)
  }

  /** These are all there are now: what is not among them is gone. */
  replace(entries: Iterable<{ readonly key: string; readonly value: Uint8Array }>): void {
    const known = new Set(this.#keys())
    for (const { key, value } of entries) {
      known.delete(key)
      this.take(key, value)
    }
    for (const key of known) this.take(key, undefined)
  }

  get topics(): Iterable<TopicRecord> {
    return this.#topics.values()
  }

  topic(name: string): TopicRecord | undefined {
    return this.#topics.get(name)
  }

  topicById(id: string): TopicRecord | undefined {
    return this.#topicsById.get(id)
  }

  partition(topicId: string, partition: number): PartitionRecord | undefined {
    return this.#partitions.get(topicId)?.get(partition)?.record
  }

  /** The key of a partition that there is: always the same string, which is found faster than one that was put together anew. */
  keyOf(topicId: string, partition: number): PartitionKey | undefined {
    return this.#partitions.get(topicId)?.get(partition)?.key
  }

  /** Each with its key. */
  *partitions(): Generator<readonly [PartitionKey, PartitionRecord]> {
    for (const partitions of this.#partitions.values()) for (const { key, record } of partitions.values()) yield [key, record]
  }

  broker(node: string): BrokerRecord | undefined {
    return this.#brokers.get(node)
  }

  /** Brokers that clients may be sent to, in order of their names. */
  liveBrokers(): NodeId[] {
    return [...this.#brokers.values()]
      .filter(({ node }) => this.#isLive(node))
      .map(({ node }) => node)
      .toSorted()
  }

  /** Where a node said that it is reached. */
  endpointOf(node: string, protocol: string): { readonly host: string; readonly port: number } | undefined {
    return this.#registrations.get(node)?.endpoints.find(endpoint => endpoint.protocol === protocol)
  }

  brokerEpoch(node: NodeId): number | undefined {
    const found = this.#registrations.get(node)
    return found?.state === 'active' ? found.epoch : undefined
  }

  mayJoin(node: NodeId): boolean {
    return this.#isLive(node) && this.#brokers.get(node)?.state === 'ready'
  }

  #isLive(node: NodeId): boolean {
    const broker = this.#brokers.get(node)
    return broker !== undefined && broker.state !== 'starting' && this.brokerEpoch(node) === broker.epoch
  }

  *#keys(): Generator<string> {
    for (const node of this.#registrations.keys()) yield NODE_PREFIX + node
    for (const node of this.#brokers.keys()) yield BROKER_PREFIX + node
    for (const name of this.#topics.keys()) yield TOPIC_PREFIX + name
    for (const [topicId, partitions] of this.#partitions)
      for (const number of partitions.keys()) yield `${PARTITION_PREFIX}${topicId}/${String(number).padStart(5, '0')}`
  }

  #takeNode(node: string, value: Uint8Array | undefined): void {
    if (value === undefined) this.#registrations.delete(node)
    else this.#registrations.set(node, this.#registrationCodec.read(value))
    this.#tellOfBrokers()
  }

  #takeBroker(node: string, value: Uint8Array | undefined): void {
    if (value === undefined) this.#brokers.delete(node)
    else this.#brokers.set(node, this.#brokerCodec.read(value))
    this.#tellOfBrokers()
  }

  #takeTopic(name: string, value: Uint8Array | undefined): void {
    const before = this.#topics.get(name)
    const topic = value && this.#topicCodec.read(value)
    if (topic === undefined) this.#topics.delete(name)
    else {
      this.#topics.set(name, topic)
      this.#topicsById.set(topic.id, topic)
    }
    if (before === undefined || before.id === topic?.id) return
    this.#topicsById.delete(before.id)
    for (const listener of this.#listeners) listener.topicDeleted?.(before)
  }

  #takePartition(rest: string, value: Uint8Array | undefined): void {
    const slash = rest.lastIndexOf('/')
    const topicId = rest.slice(0, slash)
    const number = Number(rest.slice(slash + 1))
    const record = value && this.#partitionCodec.read(value)
    const partitions = this.#partitions.get(topicId) ?? new Map<number, { readonly key: PartitionKey; readonly record: PartitionRecord }>()
    const key = partitions.get(number)?.key ?? partitionKeyOf(topicId, number)
    if (record === undefined) partitions.delete(number)
    else partitions.set(number, { key, record })
    if (partitions.size > 0) this.#partitions.set(topicId, partitions)
    else this.#partitions.delete(topicId)
    for (const listener of this.#listeners) listener.partitionChanged?.(key, record)
  }

  #tellOfBrokers(): void {
    for (const listener of this.#listeners) listener.brokersChanged?.()
  }
}
