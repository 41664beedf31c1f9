// Topics: what brokers and administrators ask of the controller. The requests that change something are replicated
// commands; what they change is read under reserved keys (stored-topics.ts).
import { bool, i53, list, nodeName, oneOf, optional, str, u16, u32, type ValueOf } from '../field-types.ts'
import { field, struct } from '../fields.ts'
import { conversation, rpc } from '../table.ts'
import { once, type Revision, revisionAfter } from './keys.ts'
import { exactlyOnce, leading } from './kv.ts'
import {
  type LeaderEpoch,
  REPLICAS_MAX,
  replicaMember,
  replicaNodes,
  topicConfigs,
  topicIdBytes,
  topicIdText,
  topicName,
} from './stored-topics.ts'

/** Partitions that one request creates; more are added by `topic_grow`. */
export const PARTITIONS_PER_REQUEST_MAX = 500
/** Partitions of one topic. */
export const PARTITIONS_PER_TOPIC_MAX = 10_000
/** Partitions that one request is about otherwise: a few milliseconds. */
export const PARTITION_CHANGES_MAX = 128
/** Producer ids given away at once. */
export const PRODUCER_ID_BLOCK = 1_000

const name = field(topicName(), 'Its name: 1 to 249 of letters, digits, `.`, `_` and `-`.')
const assignment = field(
  list(replicaNodes(), { max: PARTITIONS_PER_REQUEST_MAX }),
  'The replicas of each new partition, the preferred leader first; empty: they are placed.',
)
const validateOnly = field(bool(), 'Answer what would be, and change nothing.')
const topicErrors = ['unknown_topic', 'invalid_topic', 'store_full'] as const

export const partitionName = struct('partition name', {
  topicId: field(topicIdText(), 'The identity of its topic.'),
  partition: field(u32(), 'Its number.'),
})
export type PartitionName = ValueOf<typeof partitionName>
const partitions = field(list(partitionName, { max: PARTITION_CHANGES_MAX }), 'Which.')
/** What became of each of the partitions asked for, in their order. */
const partitionOutcome = struct('partition outcome', {
  code: field(u16(), 'The code of an error; 0: done.'),
  leader: field(optional(nodeName()), 'Its leader now.'),
  leaderEpoch: field(i53<LeaderEpoch>(), 'Its leader’s epoch now.'),
  partitionEpoch: field(i53(), 'Its partition epoch now.'),
})
export type PartitionOutcome = ValueOf<typeof partitionOutcome>
const outcomes = { revision: revisionAfter, outcomes: field(list(partitionOutcome, { max: PARTITION_CHANGES_MAX }), 'Of each, in order.') }
const asBroker = {
  node: field(nodeName(), 'The broker that asks.'),
  epoch: field(i53<Revision>(), 'Its registration; one that is over is refused.'),
}
const brokerErrors = [...exactlyOnce, 'stale_registration', 'unknown_node'] as const

export const topicCreate = rpc({
  key: 0x0560,
  name: 'topic_create',
  doc: 'Creates a topic.',
  idempotent: true,
  request: {
    ...once,
    name,
    id: field(topicIdBytes(), 'Its identity: 16 random bytes, drawn by whoever asks.'),
    partitions: field(u32({ max: PARTITIONS_PER_REQUEST_MAX }), 'How many; with an assignment 0.'),
    replicationFactor: field(u16({ max: REPLICAS_MAX }), 'Replicas of each; with an assignment 0.'),
    assignment,
    configs: field(topicConfigs(), 'What shall differ from the defaults.'),
    internal: field(bool(), 'It holds the cluster’s own state: nobody deletes it.'),
    validateOnly,
  },
  response: {
    revision: revisionAfter,
    id: field(topicIdText(), 'Its identity.'),
    partitions: field(u32(), 'How many.'),
    replicationFactor: field(u16(), 'Replicas of each.'),
  },
  errors: [
    ...exactlyOnce,
    ...([
      'topic_exists',
      'invalid_topic',
      'invalid_partitions',
      'invalid_replication_factor',
      'invalid_assignment',
      'invalid_config',
    ] as const),
    'store_full',
  ],
})

export const topicDelete = rpc({
  key: 0x0561,
  name: 'topic_delete',
  doc: 'Deletes a topic. Its name is free at once; its partitions go with it, or soon after when they are many.',
  idempotent: true,
  request: { ...once, name, id: field(topicIdText(), 'Only the one of this identity; empty: whichever.') },
  response: { revision: revisionAfter, id: field(topicIdText(), 'Which it was.') },
  errors: [...exactlyOnce, 'unknown_topic', 'invalid_topic'],
})

export const topicConfigure = rpc({
  key: 0x0562,
  name: 'topic_configure',
  doc: 'Changes what a topic was told. Partitions follow one after the other.',
  idempotent: true,
  request: {
    ...once,
    name,
    set: field(topicConfigs(), 'These get these values.'),
    unset: field(list(str({ max: 128 }), { max: 64 }), 'These get their defaults again.'),
    validateOnly,
  },
  response: { revision: revisionAfter, configs: field(topicConfigs(), 'What differs from the defaults now.') },
  errors: [...exactlyOnce, ...topicErrors, 'invalid_config'],
})

export const topicGrow = rpc({
  key: 0x0563,
  name: 'topic_grow',
  doc: 'Adds partitions to a topic.',
  idempotent: true,
  request: {
    ...once,
    name,
    partitions: field(u32({ max: PARTITIONS_PER_TOPIC_MAX }), 'How many it shall have.'),
    assignment,
    validateOnly,
  },
  response: { revision: revisionAfter, partitions: field(u32(), 'How many it has.') },
  errors: [...exactlyOnce, ...topicErrors, 'invalid_partitions', 'invalid_assignment', 'invalid_replication_factor'],
})

const isrProposal = struct('isr proposal', {
  topicId: field(topicIdText(), 'The topic.'),
  partition: field(u32(), 'The partition.'),
  leaderEpoch: field(i53<LeaderEpoch>(), 'In which the asker leads.'),
  partitionEpoch: field(i53(), 'What it knows: after any other change the proposal is refused.'),
  isr: field(list(replicaMember, { max: REPLICAS_MAX }), 'Who shall be in sync, the leader among them, with their registrations.'),
})
export type IsrProposal = ValueOf<typeof isrProposal>

export const isrChange = rpc({
  key: 0x0564,
  name: 'isr_change',
  doc: 'Leaders say who is in sync with them. Each partition is decided for itself.',
  source: 'KIP-497, KIP-841, KIP-903',
  idempotent: false,
  request: { ...once, ...asBroker, changes: field(list(isrProposal, { max: PARTITION_CHANGES_MAX }), 'What they say.') },
  response: outcomes,
  errors: brokerErrors,
})

export const brokerReady = rpc({
  key: 0x0565,
  name: 'broker_ready',
  doc: 'A broker knows what it has and has said what is lost: from now on it may be elected and take part.',
  source: 'KIP-631',
  idempotent: true,
  request: { ...once, ...asBroker, rack: field(str({ max: 64 }), 'Where it stands; empty: nowhere in particular.') },
  response: { revision: revisionAfter },
  errors: brokerErrors,
})

export const brokerLeave = rpc({
  key: 0x0566,
  name: 'broker_leave',
  doc: 'A broker is about to stop: what it leads moves to others that are in sync.',
  idempotent: true,
  request: { ...once, ...asBroker },
  response: { revision: revisionAfter },
  errors: brokerErrors,
})

export const replicasYield = rpc({
  key: 0x0567,
  name: 'replicas_yield',
  doc: 'A broker gives up partitions: it cannot lead them any more, or has lost what it had of them.',
  idempotent: true,
  request: {
    ...once,
    ...asBroker,
    lost: field(bool(), 'Its copies are damaged or incomplete: it must not be elected with them.'),
    partitions,
  },
  response: outcomes,
  errors: brokerErrors,
})

export const leadersElect = rpc({
  key: 0x0568,
  name: 'leaders_elect',
  doc: 'Elects leaders anew: the preferred one, or, where nobody in sync is left, one that may have less than was acknowledged.',
  source: 'KIP-460',
  idempotent: true,
  request: { ...once, election: field(oneOf('preferred', 'unclean'), '`unclean` may lose acknowledged records.'), partitions },
  response: outcomes,
  errors: exactlyOnce,
})

const reassignment = struct('reassignment', {
  topicId: field(topicIdText(), 'The topic.'),
  partition: field(u32(), 'The partition.'),
  replicas: field(replicaNodes(), 'Who shall have copies, the preferred leader first; empty: as it was before the move under way.'),
})
export const partitionsReassign = rpc({
  key: 0x0569,
  name: 'partitions_reassign',
  doc: 'Moves replicas: new ones are added, and once they are in sync the old ones go. Or calls that off.',
  source: 'KIP-455',
  idempotent: true,
  request: { ...once, changes: field(list(reassignment, { max: PARTITION_CHANGES_MAX }), 'What goes where.') },
  response: outcomes,
  errors: exactlyOnce,
})

export const producerIds = rpc({
  key: 0x056a,
  name: 'producer_ids',
  doc: 'Gives a broker producer ids that nobody was given before.',
  source: 'KIP-730',
  idempotent: true,
  request: { ...once, ...asBroker },
  response: { first: field(i53(), 'The first one.'), count: field(u32(), 'How many.') },
  errors: brokerErrors,
})

export const nodeExited = rpc({
  key: 0x056b,
  name: 'node_exited',
  doc: 'The supervisor, whose child it was, says that a process is gone: nobody has to wait until its lease ends.',
  idempotent: true,
  request: {
    node: field(nodeName(), 'Which node.'),
    epoch: field(i53<Revision>(), 'The registration of that process; a later one is not touched.'),
  },
  response: {},
  errors: leading,
})

export const topicsConversation = conversation({
  name: 'topics',
  doc: 'Topics, partitions and their leaders, as brokers and administrators change them.',
  keys: 0x05,
  messages: {
    topicCreate,
    topicDelete,
    topicConfigure,
    topicGrow,
    isrChange,
    brokerReady,
    brokerLeave,
    replicasYield,
    leadersElect,
    partitionsReassign,
    producerIds,
    nodeExited,
  },
})
