// What the coordinator's store holds of the log: topics, partitions and brokers, each under a reserved key. Brokers and
// clients follow them with watches, without gap or repeat; only replicated commands change them. A partition stands under
// the identity of its topic, so one that is deleted and created again shares nothing with what was there before (KIP-516).
import type { Brand } from '@atoll/base'
import { bool, bytes, i53, list, nodeName, oneOf, optional, str, u16, u32, type ValueOf } from '../field-types.ts'
import { field, type ObjectOf, struct } from '../fields.ts'
import { StoredRecord } from '../stored-record.ts'
import type { Revision } from './keys.ts'

/** Of one partition: grows with every change of its leader, and with every start of the process that leads it. */
export type LeaderEpoch = Brand<number, 'LeaderEpoch'>

export const TOPIC_NAME_MAX = 249
/** A topic's identity, in bytes; as text twice as many hexadecimal digits. */
export const TOPIC_ID_BYTES = 16
export const REPLICAS_MAX = 16
export const CONFIGS_MAX = 64
const CONFIG_NAME_MAX = 128
const CONFIG_VALUE_MAX = 1_024

export const TOPIC_PREFIX = '$atoll/topic/'
export const PARTITION_PREFIX = '$atoll/partition/'
export const BROKER_PREFIX = '$atoll/broker/'
/** Where the next block of producer ids begins. */
export const PRODUCER_IDS_KEY = '$atoll/producer-ids'
/** How many partitions there are and were: placement goes on where it stopped. */
export const PLACEMENT_KEY = '$atoll/placement'

export const topicKey = (name: string): string => TOPIC_PREFIX + name
export const brokerKey = (node: string): string => BROKER_PREFIX + node
/** All partitions of a topic. */
export const partitionsOf = (topicId: string): string => `${PARTITION_PREFIX}${topicId}/`
/** Padded, so that the order of keys is the order of numbers. */
export const partitionKey = (topicId: string, partition: number): string => partitionsOf(topicId) + String(partition).padStart(5, '0')

export const topicName = () => str({ max: TOPIC_NAME_MAX })
export const topicIdText = () => str({ max: 2 * TOPIC_ID_BYTES })
export const topicConfig = struct('topic config', {
  name: field(str({ max: CONFIG_NAME_MAX }), 'As Kafka names it.'),
  value: field(str({ max: CONFIG_VALUE_MAX }), 'Its value, as text.'),
})
export type TopicConfig = ValueOf<typeof topicConfig>
export const topicConfigs = () => list(topicConfig, { max: CONFIGS_MAX })

/** One replica’s membership, or its right to be elected. */
export const replicaMember = struct('replica membership', {
  node: field(nodeName(), 'The broker.'),
  epoch: field(i53<Revision>(), 'The registration in which it got there: a process that started later has to get there again.'),
})
export type ReplicaMember = ValueOf<typeof replicaMember>
const members = () => list(replicaMember, { max: REPLICAS_MAX })
export const replicaNodes = () => list(nodeName(), { max: REPLICAS_MAX })

/** What is stored of a topic, under `$atoll/topic/<name>`. */
export const topicFields = {
  name: field(topicName(), 'Its name.'),
  id: field(topicIdText(), 'Its identity, in hexadecimal: another one after it was deleted and created again.'),
  partitions: field(u32(), 'How many partitions it has; they never become fewer.'),
  replicationFactor: field(u16(), 'Replicas of each, as it was created.'),
  internal: field(bool(), 'It holds the cluster’s own state.'),
  configs: field(topicConfigs(), 'What differs from the defaults.'),
}
export type TopicRecord = ObjectOf<typeof topicFields>

/** What is stored of a partition, under `$atoll/partition/<topic id>/<number>`. */
export const partitionFields = {
  topic: field(topicName(), 'Its topic.'),
  partition: field(u32(), 'Its number.'),
  replicas: field(replicaNodes(), 'Who has a copy, the preferred leader first.'),
  isr: field(members(), 'Who has all that is committed, and whom the leader waits for. The last one stays though it may be away.'),
  eligible: field(
    members(),
    'Who left while less than `minIsr` were in sync, so that nothing was committed since: may be elected when nobody in sync is there.',
  ),
  leader: field(
    optional(nodeName()),
    'Who orders its records; nothing while nobody may. It leads only in the epoch that `isr` names for it.',
  ),
  leaderEpoch: field(i53<LeaderEpoch>(), 'Fences earlier leaders.'),
  partitionEpoch: field(i53(), 'Grows with every change of this record.'),
  adding: field(replicaNodes(), 'Replicas on their way in.'),
  removing: field(replicaNodes(), 'Replicas that leave once those are in sync.'),
  minIsr: field(u16(), 'Nothing is committed with less in sync.'),
  flush: field(oneOf('disk', 'os'), 'What an acknowledgement waits for: the disk, or the page cache as in Kafka.'),
  uncleanEpoch: field(
    optional(i53<LeaderEpoch>()),
    'The newest leader epoch whose leader was elected without being in sync: acknowledged records may be gone since.',
  ),
}
export type PartitionRecord = ObjectOf<typeof partitionFields>

/** What is stored of a broker, under `$atoll/broker/<name>`, beside its registration under `$atoll/node/`. */
export const brokerFields = {
  node: field(nodeName(), 'Its name.'),
  epoch: field(i53<Revision>(), 'The registration this is about.'),
  state: field(oneOf('starting', 'ready', 'leaving'), '`starting`: finds out what it has. `leaving`: hands over what it leads.'),
  rack: field(str({ max: 64 }), 'Where it stands; replicas are spread over racks. Empty: nowhere in particular.'),
  disk: field(str({ max: 64 }), 'The identity of its disk.'),
  bootId: field(str({ max: 64 }), 'The boot of its machine.'),
  starts: field(i53(), 'How often its directory had been opened.'),
  diskSince: field(i53<Revision>(), 'The registration that brought this disk: what it had before is gone.'),
  cacheSince: field(i53<Revision>(), 'The registration before which its machine may have lost what was not synced.'),
}
export type BrokerRecord = ObjectOf<typeof brokerFields>

export const placementFields = {
  placed: field(i53(), 'Partitions ever placed.'),
  partitions: field(u32(), 'Partitions there are.'),
}
export const producerIdFields = { next: field(i53(), 'The first id that was not given away.') }

export const topicRecord = () => new StoredRecord('topic', topicFields)
export const partitionRecord = () => new StoredRecord('partition', partitionFields)
export const brokerRecord = () => new StoredRecord('broker', brokerFields)
export const topicIdBytes = () => bytes({ max: TOPIC_ID_BYTES })
