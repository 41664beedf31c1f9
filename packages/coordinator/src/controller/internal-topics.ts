// The cluster's own topics, there before anybody asks for them: "coordinator not available" at first use is what users of
// other brokers complain about. They are created once there are brokers enough, or after a while with those there are, and
// then get the replicas they lack as more brokers come.
import type { NodeId } from '@atoll/base'
import { type LeaseId, MiB, PARTITION_CHANGES_MAX, type TopicConfig, type TopicRecord } from '@atoll/protocol'
import type { CommandOf } from '../core/index.ts'
import type { ClusterView } from './cluster-view.ts'

/** The controller asks again by looking again. */
export const NOT_IN_A_SESSION = { session: 0 as LeaseId, sequence: 0, answeredBelow: 0 } as const

export interface InternalTopic {
  readonly name: string
  readonly partitions: number
  /** As many at most; fewer where the cluster is planned with fewer brokers. */
  readonly replicationFactor: number
  readonly configs: readonly TopicConfig[]
}

/** Committed offsets and the state of groups (Kafka’s name and form). */
export const offsetsTopic: InternalTopic = {
  name: '__consumer_offsets',
  partitions: 16,
  replicationFactor: 3,
  configs: [
    { name: 'cleanup.policy', value: 'compact' },
    { name: 'compression.type', value: 'producer' },
    { name: 'segment.bytes', value: String(16 * MiB) },
  ],
}

export interface InternalTopicOptions {
  readonly topics: readonly InternalTopic[]
  readonly brokersPlanned: number
  readonly drawTopicId: () => Uint8Array
}

/** What is to be done about `topic` next. `patient`: more brokers may still come. */
export function internalTopicCommand(
  view: ClusterView,
  topic: InternalTopic,
  { brokersPlanned, drawTopicId }: InternalTopicOptions,
  patient: boolean,
): CommandOf<'topic_create'> | CommandOf<'partitions_reassign'> | undefined {
  const there = view.brokers().filter(({ live, leaving }) => live && !leaving)
  const wanted = Math.max(1, Math.min(topic.replicationFactor, brokersPlanned))
  const possible = Math.min(wanted, there.length)
  const existing = view.topic(topic.name)
  if (possible === 0) return undefined
  if (existing !== undefined)
    return addReplicas(
      view,
      existing,
      there.map(({ node }) => node),
      wanted,
    )
  if (possible < wanted && patient) return undefined
  const { name, partitions, configs } = topic
  return {
    kind: 'topic_create',
    ...NOT_IN_A_SESSION,
    name,
    id: drawTopicId(),
    partitions,
    replicationFactor: possible,
    assignment: [],
    configs,
    internal: true,
    validateOnly: false,
  }
}

function addReplicas(
  view: ClusterView,
  { id }: TopicRecord,
  there: readonly NodeId[],
  wanted: number,
): CommandOf<'partitions_reassign'> | undefined {
  const changes: CommandOf<'partitions_reassign'>['changes'][number][] = []
  for (const { record } of view.partitionsOf(id)) {
    const { partition, replicas, adding, removing } = record
    const free = there.filter(node => !replicas.includes(node))
    if (changes.length === PARTITION_CHANGES_MAX || adding.length + removing.length > 0 || replicas.length >= wanted || free.length === 0)
      continue
    const turned = free.map((_, n) => free[(partition + n) % free.length] as NodeId)
    changes.push({ topicId: id, partition, replicas: [...replicas, ...turned.slice(0, wanted - replicas.length)] })
  }
  return changes.length === 0 ? undefined : { kind: 'partitions_reassign', ...NOT_IN_A_SESSION, changes }
}
