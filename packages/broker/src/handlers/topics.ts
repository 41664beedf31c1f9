// CreateTopics, CreatePartitions, DeleteTopics and DescribeConfigs: the controller decides, and the answer waits until this
// broker has heard of it, so that whoever asks next is not told of the past.
import {
  type LeaseId,
  type PartitionRecord,
  type TopicConfig,
  type TopicRecord,
  topicCreate,
  topicDelete,
  topicGrow,
} from '@atoll/protocol'
import type { KafkaRequest, KafkaResponse } from '../kafka/apis.ts'
import { KafkaError } from '../kafka/handlers.ts'
import { kafkaErrorCode } from '../kafka/kafka-errors.ts'
import { NO_UUID } from '../kafka/kinds.ts'
import { PARTITIONS_DEFAULT, REPLICAS_DEFAULT, TOPIC_CALL_MS, TOPIC_KNOWN_MS } from '../limits.ts'
import { type TopicSetting, topicSettings, valueOf } from '../metadata/topic-settings.ts'
import { type BrokerParts, toldOf } from './broker-parts.ts'
import { brokerNumber } from './kafka-names.ts'

const TOPIC_RESOURCE = 2
const FROM_TOPIC = 1
const FROM_DEFAULT = 5
const TOPIC_ID_BYTES = 16

/** The answer to a lost answer is `topic_exists`, with the identity that was asked for: then it was this request. */
const unnumbered = { session: 0 as LeaseId, sequence: 0, answeredBelow: 0 }

type Wanted = KafkaRequest<'createTopics'>['topics'][number]
type CreatedRow = KafkaResponse<'createTopics'>['topics'][number]

export async function createTopics(parts: BrokerParts, request: KafkaRequest<'createTopics'>): Promise<KafkaResponse<'createTopics'>> {
  const { validateOnly } = request
  const topics = await Promise.all(request.topics.map(topic => attempted(topic.name, () => create(parts, topic, validateOnly))))
  return { topics }
}

async function create(parts: BrokerParts, wanted: Wanted, validateOnly: boolean): Promise<CreatedRow> {
  const { name, numPartitions, replicationFactor, assignments, configs } = wanted
  const isAssigned = assignments.length > 0
  const brokers = parts.metadata.liveBrokers()
  const id = parts.compute.secureBytes(TOPIC_ID_BYTES)
  const answer = await parts.client.request(
    topicCreate,
    {
      ...unnumbered,
      name,
      id,
      partitions: isAssigned ? 0 : atLeastOne(numPartitions, PARTITIONS_DEFAULT, 'invalid_partitions'),
      replicationFactor: isAssigned
        ? 0
        : atLeastOne(replicationFactor, Math.min(REPLICAS_DEFAULT, brokers.length), 'invalid_replication_factor'),
      assignment: inOrder(assignments).map(({ brokerIds }) => brokerIds.map(number => brokerNamed(brokers, number))),
      configs: configs.flatMap(config => (config.value === null ? [] : [{ name: config.name, value: config.value }])),
      internal: false,
      validateOnly,
    },
    { timeoutMs: TOPIC_CALL_MS },
  )
  if (!validateOnly) await parts.known(answer.revision, TOPIC_KNOWN_MS)
  const own = configs.flatMap(config => (config.value === null ? [] : [{ name: config.name, value: config.value }]))
  return {
    name,
    topicId: validateOnly ? NO_UUID : answer.id,
    errorCode: 0,
    numPartitions: answer.partitions,
    replicationFactor: answer.replicationFactor,
    configs: shown(own, answer.replicationFactor).map(({ setting, value, source }) => ({
      name: setting.name,
      value,
      readOnly: false,
      configSource: source,
      isSensitive: false,
    })),
  }
}

export async function createPartitions(
  parts: BrokerParts,
  { topics, validateOnly }: KafkaRequest<'createPartitions'>,
): Promise<KafkaResponse<'createPartitions'>> {
  const brokers = parts.metadata.liveBrokers()
  const results = topics.map(({ name, count, assignments }) =>
    attempted(name, async () => {
      const assignment = (assignments ?? []).map(({ brokerIds }) => brokerIds.map(number => brokerNamed(brokers, number)))
      if (count < 1) throw new KafkaError('invalid_partitions', `${count} partitions`)
      const request = { ...unnumbered, name, partitions: count, assignment, validateOnly }
      const { revision } = await parts.client.request(topicGrow, request, { timeoutMs: TOPIC_CALL_MS })
      if (!validateOnly) await parts.known(revision, TOPIC_KNOWN_MS)
      return { name, errorCode: 0 }
    }),
  )
  return { results: await Promise.all(results) }
}

export async function deleteTopics(
  parts: BrokerParts,
  { topics, topicNames }: KafkaRequest<'deleteTopics'>,
): Promise<KafkaResponse<'deleteTopics'>> {
  const wanted = [...topics, ...topicNames.map(name => ({ name, topicId: NO_UUID }))]
  const responses = wanted.map(async ({ name, topicId }) => {
    const known = name ?? parts.metadata.topicById(topicId)?.name
    if (known === undefined) return { name: null, topicId, errorCode: kafkaErrorCode('unknown_topic_id') }
    const row = await attempted(known, async () => {
      const id = topicId === NO_UUID ? '' : topicId
      const { revision } = await parts.client.request(topicDelete, { ...unnumbered, name: known, id }, { timeoutMs: TOPIC_CALL_MS })
      await parts.known(revision, TOPIC_KNOWN_MS)
      return { name: known, errorCode: 0 }
    })
    return { ...row, topicId }
  })
  return { responses: await Promise.all(responses) }
}

/** Topics are described in full; brokers have nothing that could be set here. */
export function describeConfigs(
  { metadata }: BrokerParts,
  { resources, includeSynonyms, includeDocumentation }: KafkaRequest<'describeConfigs'>,
): KafkaResponse<'describeConfigs'> {
  const results = resources.map(({ resourceType, resourceName, configurationKeys }) => {
    const resource = { resourceType, resourceName }
    if (resourceType !== TOPIC_RESOURCE) return { ...resource, errorCode: 0, configs: [] }
    const topic = metadata.topic(resourceName)
    if (topic === undefined) return { ...resource, errorCode: kafkaErrorCode('unknown_topic_or_partition'), configs: [] }
    const rows = shown(topic.configs, replicasOf(metadata.partition(topic.id, 0), topic))
    const configs = rows
      .filter(({ setting }) => configurationKeys === null || configurationKeys.includes(setting.name))
      .map(({ setting, value, source }) => ({
        name: setting.name,
        value,
        readOnly: false,
        configSource: source,
        isSensitive: false,
        synonyms: includeSynonyms ? [{ name: setting.name, value, source }] : [],
        configType: setting.type,
        documentation: includeDocumentation ? setting.doc : null,
      }))
    return { ...resource, errorCode: 0, configs }
  })
  return { results }
}

const replicasOf = (partition: PartitionRecord | undefined, topic: TopicRecord): number =>
  partition?.replicas.length ?? topic.replicationFactor

/** Every setting with its value and where that is from. */
function shown(configs: readonly TopicConfig[], replicas: number): { setting: TopicSetting; value: string; source: number }[] {
  return topicSettings.map(setting => {
    const isOwn = configs.some(({ name }) => name === setting.name)
    const value = valueOf(configs, setting.name)
    // Its default is the majority of the replicas.
    return { setting, value: value === '' ? String(Math.floor(replicas / 2) + 1) : value, source: isOwn ? FROM_TOPIC : FROM_DEFAULT }
  })
}

/** A request about several topics answers for each of them. */
async function attempted<Row extends { readonly name: string; readonly errorCode: number }>(
  name: string,
  work: () => Promise<Row>,
): Promise<Row | { readonly name: string; readonly errorCode: number; readonly errorMessage: string }> {
  try {
    return await work()
  } catch (error) {
    const { code, message } = error instanceof KafkaError ? error : toldOf(error)
    return { name, errorCode: kafkaErrorCode(code), errorMessage: message }
  }
}

function atLeastOne(asked: number, fallback: number, error: 'invalid_partitions' | 'invalid_replication_factor'): number {
  const wanted = asked === -1 ? fallback : asked
  if (wanted < 1) throw new KafkaError(error, `want 1 at least, not ${wanted}`)
  return wanted
}

/** By number of partition, without a gap. */
function inOrder(assignments: Wanted['assignments']): Wanted['assignments'] {
  const sorted = assignments.toSorted((one, other) => one.partitionIndex - other.partitionIndex)
  if (sorted.some(({ partitionIndex }, at) => partitionIndex !== at))
    throw new KafkaError('invalid_replica_assignment', 'want each partition from 0 on, once')
  return sorted
}

function brokerNamed<Node extends string>(brokers: readonly Node[], number: number): Node {
  const found = brokers.find(node => brokerNumber(node as never) === number)
  if (found === undefined) throw new KafkaError('invalid_replica_assignment', `there is no broker ${number}`)
  return found
}
