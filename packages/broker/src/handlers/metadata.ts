// Metadata and DescribeCluster: who the brokers are, and who leads what. Topics are not created by being asked for.
import type { TopicRecord } from '@atoll/protocol'
import type { KafkaRequest, KafkaResponse } from '../kafka/apis.ts'
import { type KafkaErrorName, kafkaErrorCode } from '../kafka/kafka-errors.ts'
import { NO_UUID } from '../kafka/kinds.ts'
import { METADATA_WAIT_MS } from '../limits.ts'
import type { BrokerParts } from './broker-parts.ts'
import { brokerNumber } from './kafka-names.ts'

type TopicRow = KafkaResponse<'metadata'>['topics'][number]

export async function metadata(
  parts: BrokerParts,
  { topics }: KafkaRequest<'metadata'>,
  apiVersion: number,
): Promise<KafkaResponse<'metadata'>> {
  // A broker that has just begun knows nothing yet, and would say that there is nothing.
  await parts.known(1, METADATA_WAIT_MS)
  const everything = topics === null || (apiVersion === 0 && topics.length === 0)
  const rows = everything
    ? [...parts.metadata.topics].map(topic => described(parts, topic))
    : topics.map(({ name, topicId }) => wanted(parts, name, topicId))
  return { brokers: brokerRows(parts), clusterId: parts.clusterId, controllerId: controllerNumber(parts), topics: rows }
}

export async function describeCluster(
  parts: BrokerParts,
  { endpointType }: KafkaRequest<'describeCluster'>,
): Promise<KafkaResponse<'describeCluster'>> {
  await parts.known(1, METADATA_WAIT_MS)
  const isOfBrokers = endpointType === 1
  return {
    errorCode: kafkaErrorCode(isOfBrokers ? 'none' : 'unsupported_endpoint_type'),
    errorMessage: isOfBrokers ? null : 'Controllers speak the native protocol only.',
    endpointType,
    clusterId: parts.clusterId,
    controllerId: controllerNumber(parts),
    brokers: isOfBrokers ? brokerRows(parts).map(({ nodeId: brokerId, host, port }) => ({ brokerId, host, port, rack: null })) : [],
  }
}

/** Where clients reach the brokers that are there. */
export function brokerRows({ metadata: known }: BrokerParts): { readonly nodeId: number; readonly host: string; readonly port: number }[] {
  return known.liveBrokers().flatMap(node => {
    const endpoint = known.endpointOf(node, 'kafka')
    return endpoint === undefined ? [] : [{ nodeId: brokerNumber(node), ...place(endpoint) }]
  })
}

const place = ({ host, port }: { readonly host: string; readonly port: number }) => ({ host, port })

/** Any broker passes on what the controller is to do; clients are told one of them, always the same while it is there. */
const controllerNumber = ({ metadata: known }: BrokerParts): number => brokerNumber(known.liveBrokers()[0])

function wanted(parts: BrokerParts, name: string | null, topicId: string): TopicRow {
  const byId = name === null || topicId !== NO_UUID
  const topic = byId ? parts.metadata.topicById(topicId) : parts.metadata.topic(name)
  if (topic !== undefined) return described(parts, topic)
  const error: KafkaErrorName = byId ? 'unknown_topic_id' : isTopicName(name) ? 'unknown_topic_or_partition' : 'invalid_topic_exception'
  return { errorCode: kafkaErrorCode(error), name, topicId, partitions: [] }
}

export function isTopicName(name: string): boolean {
  return name.length <= 249 && /^[a-zA-Z0-9._-]+$/.test(name) && name !== '.' && name !== '..'
}

function described({ metadata: known }: BrokerParts, { name, id, internal, partitions }: TopicRecord): TopicRow {
  const live = new Set<string>(known.liveBrokers())
  const rows = Array.from({ length: partitions }, (_, partitionIndex): TopicRow['partitions'][number] => {
    const record = known.partition(id, partitionIndex)
    if (record === undefined)
      return { errorCode: kafkaErrorCode('leader_not_available'), partitionIndex, leaderId: -1, replicaNodes: [], isrNodes: [] }
    const { leader, leaderEpoch, replicas, isr } = record
    return {
      errorCode: kafkaErrorCode(leader === undefined ? 'leader_not_available' : 'none'),
      partitionIndex,
      leaderId: brokerNumber(leader),
      leaderEpoch,
      replicaNodes: replicas.map(brokerNumber),
      isrNodes: isr.map(({ node }) => brokerNumber(node)),
      offlineReplicas: replicas.filter(node => !live.has(node)).map(brokerNumber),
    }
  })
  return { errorCode: 0, name, topicId: id, isInternal: internal, partitions: rows }
}
