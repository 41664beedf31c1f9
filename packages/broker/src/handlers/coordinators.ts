// FindCoordinator: a group belongs to whoever leads the partition of `__consumer_offsets` that its name hashes to.
import { partitionOfGroup } from '../groups/group-records.ts'
import type { KafkaRequest, KafkaResponse } from '../kafka/apis.ts'
import { type KafkaErrorName, kafkaErrorCode } from '../kafka/kafka-errors.ts'
import { METADATA_WAIT_MS } from '../limits.ts'
import type { BrokerParts } from './broker-parts.ts'
import { brokerNumber } from './kafka-names.ts'

export const OFFSETS_TOPIC = '__consumer_offsets'
const GROUP = 0
/** Since that version several are asked for at once. */
const FIND_MANY = 4

interface Coordinator {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly errorCode: number
  readonly errorMessage: string | null
}

export async function findCoordinator(
  parts: BrokerParts,
  { key, keyType, coordinatorKeys }: KafkaRequest<'findCoordinator'>,
  apiVersion: number,
): Promise<KafkaResponse<'findCoordinator'>> {
  await parts.known(1, METADATA_WAIT_MS)
  const find = (name: string): Coordinator =>
    keyType === GROUP ? coordinatorOf(parts, name) : nobody('invalid_request', 'transactions and share groups are not supported')
  return apiVersion >= FIND_MANY ? { coordinators: coordinatorKeys.map(name => ({ key: name, ...find(name) })) } : find(key)
}

function coordinatorOf({ metadata }: BrokerParts, groupId: string): Coordinator {
  const topic = metadata.topic(OFFSETS_TOPIC)
  if (topic === undefined) return nobody('coordinator_not_available', 'there are not enough brokers yet to keep offsets')
  const leader = metadata.partition(topic.id, partitionOfGroup(groupId, topic.partitions))?.leader
  const endpoint = leader === undefined ? undefined : metadata.endpointOf(leader, 'kafka')
  if (endpoint === undefined) return nobody('coordinator_not_available', 'its partition has no leader at present')
  return { nodeId: brokerNumber(leader), host: endpoint.host, port: endpoint.port, errorCode: 0, errorMessage: null }
}

function nobody(error: KafkaErrorName, errorMessage: string): Coordinator {
  return { nodeId: -1, host: '', port: -1, errorCode: kafkaErrorCode(error), errorMessage }
}
