// The controller's mind: what to propose next, given what the state is and who is known to be gone. It decides nothing
// that the state machine does not decide again, so it may be wrong, late or started anew on any leader: a proposal that is
// no longer right changes nothing. The death of a broker with a thousand partitions is a few bounded proposals.
import type { MonotonicMs, NodeId } from '@atoll/base'
import { PARTITION_CHANGES_MAX, type PartitionName } from '@atoll/protocol'
import { type Change, type Command, type CoordinatorState, settingsOf, settle } from '../core/index.ts'
import { PARTITIONS_LOOKED_AT_MAX } from '../limits.ts'
import { ClusterView, type KnownPartition } from './cluster-view.ts'
import type { Exit } from './exits.ts'
import { type InternalTopicOptions, internalTopicCommand, NOT_IN_A_SESSION } from './internal-topics.ts'

export interface PlannerOptions extends InternalTopicOptions {
  /** How long internal topics wait for as many brokers as are planned, from the first one on, in milliseconds. */
  readonly internalTopicsPatienceMs: number
  /** Leadership goes back to preferred leaders once nothing else happened for so long, in milliseconds. */
  readonly balanceAfterMs: number
}

/** What to do: a command, or wait until something changes or that moment comes, or look on at once. */
export type Step =
  | { readonly kind: 'propose'; readonly command: Command }
  | { readonly kind: 'wait'; readonly untilMs: MonotonicMs | undefined }
  | { readonly kind: 'again' }

export class Planner {
  readonly view: ClusterView
  readonly #options: PlannerOptions
  readonly #exits = new Map<string, Exit>()
  readonly #deleted = new Map<string, string>()
  #brokersSinceMs: MonotonicMs | undefined
  #quietSinceMs: MonotonicMs
  #balanced = false

  constructor(state: CoordinatorState, options: PlannerOptions, nowMs: MonotonicMs) {
    this.view = new ClusterView(state)
    this.#options = options
    this.#quietSinceMs = nowMs
  }

  /** True when that concerns it. */
  follow(change: Change): boolean {
    return this.view.follow(change)
  }

  /** A process is proven to be gone. */
  exited(exit: Exit): void {
    this.#exits.set(exit.node, exit)
  }

  next(nowMs: MonotonicMs): Step {
    const command = this.#fence() ?? this.#settle(nowMs)
    if (command === 'again') return { kind: 'again' }
    const proposal = command ?? this.#sweep() ?? this.#internalTopic(nowMs) ?? this.#balance(nowMs)
    return proposal === undefined ? { kind: 'wait', untilMs: this.#wakeMs(nowMs) } : { kind: 'propose', command: proposal }
  }

  /** What was proposed came to nothing, or nobody knows what: look at it again. */
  failed(command: Command): void {
    if (command.kind === 'partitions_settle') for (const name of command.partitions) this.#lookAgain(name)
    if (command.kind === 'topic_sweep') this.#deleted.set(command.topicId, command.name)
    if (command.kind === 'leaders_elect') this.#balanced = false
  }

  #lookAgain({ topicId, partition }: PartitionName): void {
    const found = this.view.partitionsOf(topicId).find(({ record }) => record.partition === partition)
    if (found !== undefined) this.view.lookAgain(found.key)
  }

  #fence(): Command | undefined {
    for (const [node, exit] of this.#exits) {
      const registration = this.view.registration(exit.node)
      if (registration?.state === 'active' && registration.epoch === exit.epoch)
        return { kind: 'node_fence', node: exit.node, epoch: registration.epoch }
      this.#exits.delete(node)
    }
    return undefined
  }

  /** The next batch of partitions that would be changed by settling them. */
  #settle(nowMs: MonotonicMs): Command | 'again' | undefined {
    const partitions: PartitionName[] = []
    for (let looks = 0; partitions.length < PARTITION_CHANGES_MAX; looks++) {
      if (looks === PARTITIONS_LOOKED_AT_MAX && partitions.length === 0) return 'again'
      const found = looks < PARTITIONS_LOOKED_AT_MAX ? this.view.takeUnseen() : undefined
      if (found === undefined) break
      this.#disturbed(nowMs)
      if (this.#unsettled(found)) partitions.push({ topicId: found.topicId, partition: found.record.partition })
    }
    return partitions.length === 0 ? undefined : { kind: 'partitions_settle', partitions }
  }

  /** Something happened: leaders go back only once nothing did for a while. */
  #disturbed(nowMs: MonotonicMs): void {
    if (this.#balanced) this.#quietSinceMs = nowMs
    this.#balanced = false
  }

  #unsettled({ topicId, record }: KnownPartition): boolean {
    const topic = this.view.topic(record.topic)
    if (topic?.id !== topicId) {
      this.#deleted.set(topicId, record.topic)
      return false
    }
    return settle(record, settingsOf(topic.configs, record), this.view) !== record
  }

  #sweep(): Command | undefined {
    for (const [topicId, name] of this.#deleted) {
      if (this.view.partitionsOf(topicId).length > 0 && this.view.topic(name)?.id !== topicId) return { kind: 'topic_sweep', name, topicId }
      this.#deleted.delete(topicId)
    }
    return undefined
  }

  #internalTopic(nowMs: MonotonicMs): Command | undefined {
    if (this.view.brokers().some(({ live }) => live)) this.#brokersSinceMs ??= nowMs
    const patient = nowMs < this.#patienceEndsMs
    for (const topic of this.#options.topics) {
      const command = internalTopicCommand(this.view, topic, this.#options, patient)
      if (command !== undefined) return command
    }
    return undefined
  }

  #balance(nowMs: MonotonicMs): Command | undefined {
    if (this.#balanced || nowMs < this.#quietSinceMs + this.#options.balanceAfterMs) return undefined
    const partitions: PartitionName[] = []
    for (const { topicId, record } of this.view.partitions()) {
      if (partitions.length === PARTITION_CHANGES_MAX) break
      const broker = this.view.get(record.replicas[0] as NodeId)
      const member = record.isr.find(({ node }) => node === broker?.node)
      const may = broker?.live === true && !broker.leaving && member?.epoch === broker.epoch
      if (may && record.leader !== undefined && record.leader !== broker.node) partitions.push({ topicId, partition: record.partition })
    }
    // There may be more where a batch is full.
    this.#balanced = partitions.length < PARTITION_CHANGES_MAX
    return partitions.length === 0 ? undefined : { kind: 'leaders_elect', ...NOT_IN_A_SESSION, election: 'preferred', partitions }
  }

  get #patienceEndsMs(): number {
    return this.#brokersSinceMs === undefined ? Infinity : this.#brokersSinceMs + this.#options.internalTopicsPatienceMs
  }

  #wakeMs(nowMs: MonotonicMs): MonotonicMs | undefined {
    const balanceMs = this.#balanced ? Infinity : this.#quietSinceMs + this.#options.balanceAfterMs
    const patienceMs = this.#patienceEndsMs > nowMs ? this.#patienceEndsMs : Infinity
    const wake = Math.min(balanceMs, patienceMs)
    return wake === Infinity ? undefined : (wake as MonotonicMs)
  }
}
