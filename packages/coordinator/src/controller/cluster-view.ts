// What the controller knows: brokers, topics and partitions, read from the leader's own state once and followed from then
// on, so that planning looks only at what may have changed. It is derived, never replicated: another leader makes its own.
import type { NodeId } from '@atoll/base'
import {
  BROKER_PREFIX,
  type BrokerRecord,
  brokerRecord,
  PARTITION_PREFIX,
  type PartitionRecord,
  partitionRecord,
  TOPIC_PREFIX,
  type TopicRecord,
  topicRecord,
} from '@atoll/protocol'
import {
  allWith,
  type Broker,
  type BrokerLookup,
  brokerOf,
  type Change,
  type CoordinatorState,
  NODE_PREFIX,
  type Registration,
  type Version,
} from '../core/index.ts'
import { VIEW_SLICE_KEYS } from '../limits.ts'

export interface KnownPartition {
  readonly key: string
  readonly topicId: string
  readonly record: PartitionRecord
}

const PREFIXES = [NODE_PREFIX, BROKER_PREFIX, TOPIC_PREFIX, PARTITION_PREFIX] as const

export class ClusterView implements BrokerLookup {
  readonly #state: CoordinatorState
  readonly #brokerCodec = brokerRecord()
  readonly #topicCodec = topicRecord()
  readonly #partitionCodec = partitionRecord()
  readonly #registrations = new Map<NodeId, Registration>()
  readonly #records = new Map<NodeId, BrokerRecord>()
  readonly #brokers = new Map<NodeId, Broker>()
  readonly #topics = new Map<string, TopicRecord>()
  readonly #partitions = new Map<string, KnownPartition>()
  readonly #byReplica = new Map<NodeId, Set<string>>()
  readonly #byTopic = new Map<string, Set<string>>()
  /** Partitions that have to be looked at, in the order in which something happened to them. */
  readonly #unseen = new Set<string>()

  constructor(state: CoordinatorState) {
    this.#state = state
  }

  /** Reads everything, a bounded number of keys between two `yield`s. What changes meanwhile comes by `follow`. */
  *load(): Generator<void, void> {
    let left = VIEW_SLICE_KEYS
    for (const prefix of PREFIXES) {
      let after = ''
      for (;;) {
        let last: string | undefined
        for (const [key, version] of this.#state.store.scan(allWith(prefix), this.#state.store.revision, after)) {
          if (key === after) continue
          last = key
          if (version !== undefined) this.#take(key, version)
          if (--left === 0) break
        }
        if (last === undefined || left > 0) break
        after = last
        left = VIEW_SLICE_KEYS
        yield
      }
    }
  }

  /** True when something of it was changed. */
  follow({ events }: Change): boolean {
    const own = events.filter(({ key }) => PREFIXES.some(prefix => key.startsWith(prefix)))
    for (const { key, version } of own) this.#take(key, version.version > 0 ? version : undefined)
    return own.length > 0
  }

  get(node: NodeId): Broker | undefined {
    return this.#brokers.get(node)
  }

  /** In order of their names. */
  brokers(): readonly Broker[] {
    return [...this.#brokers.values()].sort((a, b) => (a.node < b.node ? -1 : 1))
  }

  registration(node: NodeId): Registration | undefined {
    return this.#registrations.get(node)
  }

  topic(name: string): TopicRecord | undefined {
    return this.#topics.get(name)
  }

  partition(key: string): KnownPartition | undefined {
    return this.#partitions.get(key)
  }

  partitions(): IterableIterator<KnownPartition> {
    return this.#partitions.values()
  }

  partitionsOf(topicId: string): KnownPartition[] {
    return [...(this.#byTopic.get(topicId) ?? [])].flatMap(key => this.#partitions.get(key) ?? [])
  }

  /** The next one to look at, which then counts as seen until something happens to it again. */
  takeUnseen(): KnownPartition | undefined {
    for (const key of this.#unseen) {
      this.#unseen.delete(key)
      const found = this.#partitions.get(key)
      if (found !== undefined) return found
    }
    return undefined
  }

  lookAgain(key: string): void {
    if (this.#partitions.has(key)) this.#unseen.add(key)
  }

  #take(key: string, version: Version | undefined): void {
    if (key.startsWith(PARTITION_PREFIX)) this.#takePartition(key, version)
    else if (key.startsWith(TOPIC_PREFIX)) this.#takeTopic(key.slice(TOPIC_PREFIX.length), version)
    else if (key.startsWith(BROKER_PREFIX)) this.#takeBroker(key.slice(BROKER_PREFIX.length) as NodeId, version)
    else this.#takeNode(key.slice(NODE_PREFIX.length) as NodeId, version)
  }

  #takeNode(node: NodeId, version: Version | undefined): void {
    if (version === undefined) this.#registrations.delete(node)
    else this.#registrations.set(node, this.#state.registrations.read(version))
    this.#refresh(node)
  }

  #takeBroker(node: NodeId, version: Version | undefined): void {
    if (version === undefined) this.#records.delete(node)
    else this.#records.set(node, this.#brokerCodec.read(version.value))
    this.#refresh(node)
  }

  #refresh(node: NodeId): void {
    const record = this.#records.get(node)
    if (record === undefined) this.#brokers.delete(node)
    else this.#brokers.set(node, brokerOf(record, this.#registrations.get(node)))
    for (const key of this.#byReplica.get(node) ?? []) this.#unseen.add(key)
  }

  #takeTopic(name: string, version: Version | undefined): void {
    const before = this.#topics.get(name)
    const topic = version && this.#topicCodec.read(version.value)
    if (topic === undefined) this.#topics.delete(name)
    else this.#topics.set(name, topic)
    for (const id of new Set([before?.id, topic?.id])) for (const key of this.#byTopic.get(id ?? '') ?? []) this.#unseen.add(key)
  }

  #takePartition(key: string, version: Version | undefined): void {
    const before = this.#partitions.get(key)
    for (const node of before?.record.replicas ?? []) this.#byReplica.get(node)?.delete(key)
    const topicId = key.slice(PARTITION_PREFIX.length, key.lastIndexOf('/'))
    if (version === undefined) {
      this.#partitions.delete(key)
      this.#unseen.delete(key)
      const mates = this.#byTopic.get(topicId)
      mates?.delete(key)
      if (mates?.size === 0) this.#byTopic.delete(topicId)
      return
    }
    const record = this.#partitionCodec.read(version.value)
    this.#partitions.set(key, { key, topicId, record })
    entered(this.#byTopic, topicId, key)
    for (const node of record.replicas) entered(this.#byReplica, node, key)
    this.#unseen.add(key)
  }
}

function entered<K>(index: Map<K, Set<string>>, under: K, key: string): void {
  const found = index.get(under)
  if (found === undefined) index.set(under, new Set([key]))
  else found.add(key)
}
