// Topics, partitions, leaders and in-sync sets as part of the replicated state: what each command of the conversation
// `topics`, and the controller's own, makes of the records in the store. Nothing is kept beside the store, so snapshots,
// watches and compaction have it all; and no command is about more than a bounded number of partitions.
import type { NodeId } from '@atoll/base'
import {
  BROKER_PREFIX,
  errorRows,
  type nodeRegister,
  PARTITIONS_PER_REQUEST_MAX,
  PARTITIONS_PER_TOPIC_MAX,
  type PartitionName,
  type PartitionOutcome,
  type PartitionRecord,
  PRODUCER_ID_BLOCK,
  ProtocolError,
  type RequestOf,
  type ResponseOf,
  type Revision,
  TOPIC_ID_BYTES,
  type TopicRecord,
} from '@atoll/protocol'
import type { CommandOf, TopicCommandKind } from '../commands.ts'
import type { Draft } from '../draft.ts'
import type { Registrations } from '../registrations.ts'
import { allWith } from '../selection.ts'
import { type Broker, brokerRegistered, DraftedBrokers, writeBroker } from './brokers.ts'
import { changeIsr } from './isr-change.ts'
import { firstBy, nextEpoch, revised } from './members.ts'
import { beginMove, cancelMove } from './moves.ts'
import { checkTopicName, settingsOf } from './settings.ts'
import { type SettleOptions, settle } from './settle.ts'
import { TopicStore } from './topic-store.ts'

type Outcomes = { readonly revision: Revision; readonly outcomes: readonly PartitionOutcome[] }
type TopicCommand = { [K in TopicCommandKind]: CommandOf<K> }[TopicCommandKind]

export class Topics {
  readonly #registrations: Registrations

  constructor(registrations: Registrations) {
    this.#registrations = registrations
  }

  /** A node has registered; brokers begin to find out what they have. */
  registered(draft: Draft, command: RequestOf<typeof nodeRegister>, { epoch, start }: ResponseOf<typeof nodeRegister>): void {
    if (command.role === 'broker') brokerRegistered(draft, command, epoch, start === 'clean')
  }

  perform(draft: Draft, command: TopicCommand) {
    const change = new TopicChange(draft, this.#registrations)
    switch (command.kind) {
      case 'topic_create':
        return change.create(command)
      case 'topic_delete':
        return change.remove(command)
      case 'topic_configure':
        return change.configure(command)
      case 'topic_grow':
        return change.grow(command)
      case 'isr_change':
        return change.changeIsr(command)
      case 'broker_ready':
        return change.setState(command, 'ready', command.rack)
      case 'broker_leave':
        return change.setState(command, 'leaving')
      case 'replicas_yield':
        return change.yield(command)
      case 'leaders_elect':
        return change.elect(command)
      case 'partitions_reassign':
        return change.reassign(command)
      case 'producer_ids':
        return change.giveProducerIds(command)
      case 'partitions_settle':
        return change.settle(command.partitions)
      case 'topic_sweep':
        return change.sweep(command)
    }
  }
}

/** One command at work on one draft. */
class TopicChange {
  readonly #draft: Draft
  readonly #brokers: DraftedBrokers
  readonly #topics: TopicStore

  constructor(draft: Draft, registrations: Registrations) {
    this.#draft = draft
    this.#brokers = new DraftedBrokers(draft, registrations)
    this.#topics = new TopicStore(draft)
  }

  create({ name, id, partitions, replicationFactor, assignment, configs, internal, validateOnly }: CommandOf<'topic_create'>) {
    checkTopicName(name)
    if (this.#topics.topic(name) !== undefined) throw new ProtocolError('topic_exists', `a topic ${name} exists`)
    if (id.byteLength !== TOPIC_ID_BYTES || id.every(byte => byte === 0))
      throw new ProtocolError('invalid_argument', `the identity of a topic has ${TOPIC_ID_BYTES} bytes that are not all zero`)
    checkDistinct(configs.map(config => config.name))
    const placed = this.#assigned(assignment, partitions, replicationFactor)
    const topic: TopicRecord = {
      name,
      id: Array.from(id, byte => byte.toString(16).padStart(2, '0')).join(''),
      partitions: placed.length,
      replicationFactor: (placed[0] as readonly NodeId[]).length,
      internal,
      configs,
    }
    if (!validateOnly) this.#add(topic, placed, 0)
    return { revision: this.#draft.revisionAfter, id: topic.id, partitions: topic.partitions, replicationFactor: topic.replicationFactor }
  }

  remove({ name, id }: CommandOf<'topic_delete'>) {
    const topic = this.#topics.expectTopic(name)
    if (id !== '' && id !== topic.id) throw new ProtocolError('unknown_topic', `${name} is another topic by now`)
    if (topic.internal) throw new ProtocolError('invalid_topic', `${name} is the cluster’s own`)
    this.#topics.forget(name)
    this.#topics.sweep(topic.id, PARTITIONS_PER_REQUEST_MAX)
    return { revision: this.#draft.revisionAfter, id: topic.id }
  }

  configure({ name, set, unset, validateOnly }: CommandOf<'topic_configure'>) {
    const topic = this.#topics.expectTopic(name)
    checkDistinct([...set.map(config => config.name), ...unset])
    const changed = new Set([...set.map(config => config.name), ...unset])
    const configs = [...topic.configs.filter(config => !changed.has(config.name)), ...set]
    if (!validateOnly) this.#topics.writeTopic({ ...topic, configs })
    return { revision: this.#draft.revisionAfter, configs }
  }

  grow({ name, partitions, assignment, validateOnly }: CommandOf<'topic_grow'>) {
    const topic = this.#topics.expectTopic(name)
    const more = partitions - topic.partitions
    if (more <= 0 || more > PARTITIONS_PER_REQUEST_MAX || partitions > PARTITIONS_PER_TOPIC_MAX)
      throw new ProtocolError('invalid_partitions', `${name} has ${topic.partitions} partitions, it cannot have ${partitions} next`)
    if (assignment.length > 0 && assignment.length !== more)
      throw new ProtocolError('invalid_assignment', `${assignment.length} assignments for ${more} partitions`)
    const placed = this.#assigned(assignment, assignment.length > 0 ? 0 : more, assignment.length > 0 ? 0 : topic.replicationFactor)
    if (!validateOnly) this.#add({ ...topic, partitions }, placed, topic.partitions)
    return { revision: this.#draft.revisionAfter, partitions }
  }

  changeIsr({ node, epoch, changes }: CommandOf<'isr_change'>): Outcomes {
    this.#brokers.expectCurrent(node, epoch)
    return this.#each(changes, (partition, _, at) =>
      changeIsr(partition, changes[at] as (typeof changes)[0], { node, epoch }, this.#brokers),
    )
  }

  setState({ node, epoch }: { readonly node: NodeId; readonly epoch: Revision }, state: 'ready' | 'leaving', rack?: string) {
    const before = this.#brokers.expectCurrent(node, epoch)
    const after = { ...before, state, rack: rack ?? before.rack }
    // Whoever leaves does not come back but by registering again.
    const changes = before.state !== 'leaving' && (before.state !== state || before.rack !== after.rack)
    if (changes && before.epoch === epoch) writeBroker(this.#draft, after)
    return { revision: this.#draft.revisionAfter }
  }

  yield({ node, epoch, lost, partitions }: CommandOf<'replicas_yield'>): Outcomes {
    this.#brokers.expectCurrent(node, epoch)
    return this.#each(partitions, (partition, topic) => this.#settled(partition, topic, lost ? { lost: node } : { resigning: node }))
  }

  elect({ election, partitions }: CommandOf<'leaders_elect'>): Outcomes {
    return this.#each(partitions, (partition, topic) => {
      if (election === 'preferred') return this.#preferred(partition)
      if (partition.leader !== undefined) throw new ProtocolError('election_not_needed')
      const next = this.#settled(partition, topic, { unclean: true })
      if (next.leader === undefined) throw new ProtocolError('leader_not_available')
      return next
    })
  }

  reassign({ changes }: CommandOf<'partitions_reassign'>): Outcomes {
    return this.#each(changes, (partition, topic, at) => {
      const { replicas } = changes[at] as (typeof changes)[0]
      const moving = partition.adding.length + partition.removing.length > 0
      if (replicas.length === 0 && !moving) throw new ProtocolError('no_reassignment')
      if (replicas.length > 0) this.#checkReplicas(replicas)
      const next = replicas.length === 0 ? cancelMove(partition) : beginMove(partition, replicas)
      return revised(partition, { ...this.#settled(next, topic), partitionEpoch: partition.partitionEpoch })
    })
  }

  giveProducerIds({ node, epoch }: CommandOf<'producer_ids'>) {
    this.#brokers.expectCurrent(node, epoch)
    return { first: this.#topics.takeProducerIds(), count: PRODUCER_ID_BLOCK }
  }

  settle(partitions: readonly PartitionName[]): Outcomes {
    return this.#each(partitions, (partition, topic) => this.#settled(partition, topic))
  }

  sweep({ name, topicId }: CommandOf<'topic_sweep'>) {
    if (this.#topics.topic(name)?.id === topicId) throw new ProtocolError('invalid_topic', `${name} is not deleted`)
    this.#topics.sweep(topicId, PARTITIONS_PER_REQUEST_MAX)
    return { revision: this.#draft.revisionAfter }
  }

  #settled(partition: PartitionRecord, topic: TopicRecord, options: SettleOptions = {}): PartitionRecord {
    return settle(partition, settingsOf(topic.configs, partition), this.#brokers, options)
  }

  #preferred(partition: PartitionRecord): PartitionRecord {
    const { replicas, isr, leader } = partition
    const wanted = replicas[0] as NodeId
    if (leader === wanted) throw new ProtocolError('election_not_needed')
    const broker = this.#brokers.get(wanted)
    const there = broker?.live === true && !broker.leaving && isr.some(({ node, epoch }) => node === wanted && epoch === broker.epoch)
    if (!there) throw new ProtocolError('leader_not_available')
    return revised(partition, { ...partition, leader: wanted, leaderEpoch: nextEpoch(partition) })
  }

  /** Decides each partition for itself: what is refused there changes nothing elsewhere. */
  #each(
    names: readonly PartitionName[],
    decide: (partition: PartitionRecord, topic: TopicRecord, at: number) => PartitionRecord,
  ): Outcomes {
    const outcomes = names.map((name, at): PartitionOutcome => {
      let shown: PartitionRecord | undefined
      try {
        const { record, topic } = this.#topics.partition(name)
        shown = record
        const next = decide(record, topic, at)
        if (next !== record) this.#topics.write(name.topicId, next)
        return outcomeOf(0, next)
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error
        return outcomeOf(errorRows[error.code].code, shown)
      }
    })
    return { revision: this.#draft.revisionAfter, outcomes }
  }

  /** The replicas of new partitions, as told or placed. */
  #assigned(assignment: readonly (readonly NodeId[])[], partitions: number, replicationFactor: number): readonly (readonly NodeId[])[] {
    if (assignment.length > 0) {
      if (partitions > 0 || replicationFactor > 0) throw new ProtocolError('invalid_assignment', 'an assignment says how many there are')
      for (const replicas of assignment) {
        this.#checkReplicas(replicas)
        if (replicas.length !== assignment[0]?.length)
          throw new ProtocolError('invalid_assignment', 'partitions with unlike numbers of replicas')
        if (!replicas.some(node => this.#mayJoin(node))) throw new ProtocolError('invalid_assignment', 'nobody of a partition is there')
      }
      this.#topics.checkPartitions(assignment.length)
      return assignment
    }
    if (partitions === 0) throw new ProtocolError('invalid_partitions', 'a topic has a partition')
    this.#topics.checkPartitions(partitions)
    return this.#topics.place(this.#allBrokers(), partitions, replicationFactor)
  }

  #checkReplicas(replicas: readonly NodeId[]): void {
    const known = replicas.every(node => this.#brokers.get(node)?.retired === false)
    if (replicas.length === 0 || new Set(replicas).size !== replicas.length || !known)
      throw new ProtocolError('invalid_assignment', `${replicas.join(', ')}: want distinct brokers that are known`)
  }

  #add(topic: TopicRecord, placed: readonly (readonly NodeId[])[], first: number): void {
    this.#topics.writeTopic(topic)
    for (const [n, replicas] of placed.entries()) {
      const isr = replicas.filter(node => this.#mayJoin(node)).map(node => ({ node, epoch: (this.#brokers.get(node) as Broker).epoch }))
      const { minIsr, flush } = settingsOf(topic.configs, { replicas, removing: [] })
      this.#topics.write(topic.id, {
        topic: topic.name,
        partition: first + n,
        replicas,
        isr,
        eligible: [],
        leader: firstBy(replicas, isr)[0]?.node,
        leaderEpoch: 0 as PartitionRecord['leaderEpoch'],
        partitionEpoch: 0,
        adding: [],
        removing: [],
        minIsr,
        flush,
        uncleanEpoch: undefined,
      })
    }
    this.#topics.added(placed.length)
    this.#draft.checkRoom()
  }

  #mayJoin(node: NodeId): boolean {
    const broker = this.#brokers.get(node)
    return broker?.live === true && !broker.leaving
  }

  #allBrokers(): Broker[] {
    const names: NodeId[] = []
    for (const [key, version] of this.#draft.scan(allWith(BROKER_PREFIX)))
      if (version !== undefined) names.push(key.slice(BROKER_PREFIX.length) as NodeId)
    return this.#brokers.all(names)
  }
}

function outcomeOf(code: number, partition: PartitionRecord | undefined): PartitionOutcome {
  const { leader, leaderEpoch = 0 as PartitionRecord['leaderEpoch'], partitionEpoch = 0 } = partition ?? {}
  return { code, leader, leaderEpoch, partitionEpoch }
}

function checkDistinct(names: readonly string[]): void {
  if (new Set(names).size !== names.length) throw new ProtocolError('invalid_config', 'a setting is named twice')
}
