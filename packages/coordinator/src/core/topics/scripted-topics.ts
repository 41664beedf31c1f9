// For tests: a state with brokers and topics, and what one asks of it in short words.
import type { NodeId } from '@atoll/base'
import { errorNamed, errorRows, type PartitionRecord, partitionKey, partitionRecord, topicKey, topicRecord } from '@atoll/protocol'
import type { CommandOf } from '../commands.ts'
import { onceOf, register, rev, ScriptedState } from '../scripted-state.ts'

const never = onceOf(0, 0, 0)
const codec = partitionRecord()
const topicCodec = topicRecord()
export const nodeOf = (name: string): NodeId => name as NodeId
export const topicId = (seed: number): Uint8Array => new Uint8Array(16).fill(seed)
export const idText = (seed: number): string => seed.toString(16).padStart(2, '0').repeat(16)

export const createTopic = (name: string, rest: Partial<CommandOf<'topic_create'>> = {}): CommandOf<'topic_create'> => ({
  kind: 'topic_create',
  ...never,
  name,
  id: topicId(1),
  partitions: rest.assignment === undefined ? 1 : 0,
  replicationFactor: rest.assignment === undefined ? 3 : 0,
  assignment: [],
  configs: [],
  internal: false,
  validateOnly: false,
  ...rest,
})

export class ScriptedTopics extends ScriptedState {
  readonly epochs = new Map<string, number>()
  readonly #starts = new Map<string, number>()

  /** Brokers `1` to `count`, ready. */
  static withBrokers(count: number, racks: readonly string[] = []): ScriptedTopics {
    const one = new ScriptedTopics()
    for (let n = 1; n <= count; n++) one.start(String(n), {}, racks[n - 1] ?? '')
    return one
  }

  /** The broker’s process starts, and is ready. */
  start(node: string, rest: Partial<CommandOf<'node_register'>> = {}, rack = ''): void {
    this.boot(node, rest)
    this.ready(node, rack)
  }

  /** The broker’s process starts, and does not know yet what it has. */
  boot(node: string, rest: Partial<CommandOf<'node_register'>> = {}): void {
    const starts = (this.#starts.get(node) ?? 0) + 1
    this.#starts.set(node, starts)
    this.epochs.set(node, this.do(register(node, `disk-${node}`, starts, rest)).epoch)
  }

  ready(node: string, rack = ''): void {
    this.do({ kind: 'broker_ready', ...never, ...this.as(node), rack })
  }

  fence(node: string): void {
    this.apply({ kind: 'node_fence', node: nodeOf(node), epoch: this.as(node).epoch })
  }

  leave(node: string): void {
    this.do({ kind: 'broker_leave', ...never, ...this.as(node) })
  }

  stop(node: string): void {
    this.do({ kind: 'node_stop', ...never, ...this.as(node) })
  }

  /** Registered, by now. */
  isThere(node: string): boolean {
    const version = this.state.store.get(`$atoll/node/${node}`)
    return version !== undefined && this.state.registrations.read(version).state === 'active'
  }

  as(node: string): { readonly node: NodeId; readonly epoch: ReturnType<typeof rev> } {
    return { node: nodeOf(node), epoch: rev(this.epochs.get(node) ?? 0) }
  }

  /** The controller looks at these partitions; at all of the topic when none is named. */
  settle(topic = 't', ...partitions: number[]): void {
    const numbers = partitions.length > 0 ? partitions : Array.from({ length: this.topic(topic)?.partitions ?? 0 }, (_, n) => n)
    const id = this.topic(topic)?.id ?? ''
    this.do({ kind: 'partitions_settle', partitions: numbers.map(partition => ({ topicId: id, partition })) })
  }

  topic(name: string) {
    const version = this.state.store.get(topicKey(name))
    return version && topicCodec.read(version.value)
  }

  partition(topic = 't', partition = 0): PartitionRecord {
    const version = this.state.store.get(partitionKey(this.topic(topic)?.id ?? '', partition))
    if (version === undefined) throw new Error(`there is no ${topic}-${partition}`)
    return codec.read(version.value)
  }

  /** `leader epoch: isr (eligible)`. */
  shape(topic = 't', partition = 0): string {
    const { leader, leaderEpoch, isr, eligible } = this.partition(topic, partition)
    const names = (members: PartitionRecord['isr']) => members.map(({ node }) => node).join(',')
    return `${leader ?? 'none'} ${leaderEpoch}: ${names(isr)} (${names(eligible)})`
  }

  /** The leader says who is in sync, as of now unless `rest` says otherwise. */
  isr(
    members: readonly string[],
    rest: { by?: string; leaderEpoch?: number; partitionEpoch?: number; epochs?: readonly number[] } = {},
  ): string {
    const { leader, leaderEpoch, partitionEpoch } = this.partition()
    const [outcome] = this.do({
      kind: 'isr_change',
      ...never,
      ...this.as(rest.by ?? String(leader)),
      changes: [
        {
          topicId: this.topic('t')?.id ?? '',
          partition: 0,
          leaderEpoch: (rest.leaderEpoch ?? leaderEpoch) as PartitionRecord['leaderEpoch'],
          partitionEpoch: rest.partitionEpoch ?? partitionEpoch,
          isr: members.map((node, i) => ({ node: nodeOf(node), epoch: rev(rest.epochs?.[i] ?? this.as(node).epoch) })),
        },
      ],
    }).outcomes
    return named(outcome?.code)
  }

  elect(election: 'preferred' | 'unclean', partition = 0): string {
    const partitions = [{ topicId: this.topic('t')?.id ?? '', partition }]
    return named(this.do({ kind: 'leaders_elect', ...never, election, partitions }).outcomes[0]?.code)
  }

  yield(node: string, lost: boolean): string {
    const partitions = [{ topicId: this.topic('t')?.id ?? '', partition: 0 }]
    return named(this.do({ kind: 'replicas_yield', ...never, ...this.as(node), lost, partitions }).outcomes[0]?.code)
  }

  move(...replicas: string[]): string {
    const changes = [{ topicId: this.topic('t')?.id ?? '', partition: 0, replicas: replicas.map(nodeOf) }]
    return named(this.do({ kind: 'partitions_reassign', ...never, changes }).outcomes[0]?.code)
  }
}

/** The error of that code; `done` for none. */
function named(code: number | undefined): string {
  return code === 0 ? 'done' : (errorNamed(code ?? errorRows.internal_error.code) ?? 'unknown')
}
