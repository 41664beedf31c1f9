// Fetch: committed records from given offsets on. Without sessions: whoever wants one is answered that there is none, and
// names its partitions each time (KIP-227 allows that). ListOffsets, OffsetForLeaderEpoch and DeleteRecords: where a log begins
// and ends, and that it begin later.
import { InvariantError } from '@atoll/base'
import { ProtocolError } from '@atoll/protocol'
import type { PartitionKey } from '../adapters/fetch-wire.ts'
import type { KafkaRequest, KafkaResponse } from '../kafka/apis.ts'
import { kafkaErrorCode } from '../kafka/kafka-errors.ts'
import { NO_UUID } from '../kafka/kinds.ts'
import { FETCH_BYTES_MAX, FETCH_WAIT_MS_MAX, PRODUCE_WAIT_MS_MAX } from '../limits.ts'
import type { Found, Wanted } from '../log-access.ts'
import type { BrokerParts } from './broker-parts.ts'
import { brokerNumber, kafkaErrorOf, knownEpoch } from './kafka-names.ts'

type TopicRow = KafkaResponse<'fetch'>['topics'][number]
type PartitionRow = TopicRow['partitions'][number]

/** Times that ask for an end of the log. */
const LATEST = -1
const EARLIEST = -2
const EARLIEST_HERE = -4

export async function fetch(parts: BrokerParts, request: KafkaRequest<'fetch'>): Promise<KafkaResponse<'fetch'>> {
  if (request.sessionId !== 0) return { errorCode: kafkaErrorCode('fetch_session_id_not_found'), topics: [] }
  const wanted: Wanted[] = []
  const places = new Map<PartitionKey, number>()
  for (const row of request.topics)
    for (const { partition, currentLeaderEpoch, fetchOffset, partitionMaxBytes } of row.partitions) {
      const key = keyOf(parts, row, partition)
      if (key === undefined || places.has(key)) continue
      places.set(key, wanted.length)
      wanted.push({ key, leaderEpoch: knownEpoch(currentLeaderEpoch), offset: Math.max(0, fetchOffset), bytesMax: partitionMaxBytes })
    }
  const isWhole = wanted.length === request.topics.reduce((count, { partitions }) => count + partitions.length, 0)
  const found = await parts.access.read(wanted, {
    bytesMin: request.minBytes,
    bytesMax: Math.min(Math.max(0, request.maxBytes), FETCH_BYTES_MAX),
    // Whoever is to be told of an error is told at once.
    maxWaitMs: isWhole ? Math.min(request.maxWaitMs, FETCH_WAIT_MS_MAX) : 0,
  })
  const topics = request.topics.map((row): TopicRow => {
    const partitions = row.partitions.map(({ partition }) => {
      const key = keyOf(parts, row, partition)
      const one = key === undefined ? undefined : found[places.get(key) ?? -1]
      return one === undefined || key === undefined ? unknown(row, partition) : answered(parts, key, partition, one)
    })
    return { topic: row.topic, topicId: row.topicId, partitions }
  })
  return { topics }
}

export async function listOffsets(parts: BrokerParts, { topics }: KafkaRequest<'listOffsets'>): Promise<KafkaResponse<'listOffsets'>> {
  const rows = topics.map(async ({ name, partitions }) => ({
    name,
    partitions: await Promise.all(
      partitions.map(async ({ partitionIndex, currentLeaderEpoch, timestamp }) => {
        const key = keyOf(parts, { topic: name, topicId: NO_UUID }, partitionIndex)
        if (key === undefined) return { partitionIndex, errorCode: kafkaErrorCode('unknown_topic_or_partition') }
        return told(partitionIndex, async () => {
          const { offset = -1, timestampMs = -1, leaderEpoch } = await located(parts, key, timestamp, knownEpoch(currentLeaderEpoch))
          return { partitionIndex, errorCode: 0, offset, timestamp: timestampMs, leaderEpoch }
        })
      }),
    ),
  }))
  return { topics: await Promise.all(rows) }
}

export function offsetForLeaderEpoch(
  parts: BrokerParts,
  { topics }: KafkaRequest<'offsetForLeaderEpoch'>,
): KafkaResponse<'offsetForLeaderEpoch'> {
  const rows = topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition, currentLeaderEpoch, leaderEpoch }) => {
      const key = keyOf(parts, { topic, topicId: NO_UUID }, partition)
      if (key === undefined) return { partition, errorCode: kafkaErrorCode('unknown_topic_or_partition') }
      try {
        const end = parts.access.endOfEpoch(key, leaderEpoch, knownEpoch(currentLeaderEpoch))
        return { partition, errorCode: 0, leaderEpoch: end?.epoch ?? -1, endOffset: end?.end ?? -1 }
      } catch (error) {
        if (error instanceof InvariantError || !(error instanceof ProtocolError)) throw error
        return { partition, errorCode: kafkaErrorCode(kafkaErrorOf(error.code)) }
      }
    }),
  }))
  return { topics: rows }
}

/** DeleteRecords: offset -1 is the high watermark (KIP-107). */
export async function deleteRecords(
  parts: BrokerParts,
  { topics, timeoutMs }: KafkaRequest<'deleteRecords'>,
): Promise<KafkaResponse<'deleteRecords'>> {
  const rows = topics.map(async ({ name, partitions }) => ({
    name,
    partitions: await Promise.all(
      partitions.map(async ({ partitionIndex, offset }) => {
        const key = keyOf(parts, { topic: name, topicId: NO_UUID }, partitionIndex)
        try {
          if (key === undefined) throw new ProtocolError('unknown_partition')
          if (parts.metadata.topic(name)?.internal === true) throw new ProtocolError('invalid_topic')
          const lowWatermark = await parts.access.deleteBefore(
            key,
            offset < 0 ? undefined : offset,
            Math.min(Math.max(1, timeoutMs), PRODUCE_WAIT_MS_MAX),
          )
          return { partitionIndex, lowWatermark, errorCode: 0 }
        } catch (error) {
          if (error instanceof InvariantError || !(error instanceof ProtocolError)) throw error
          return { partitionIndex, lowWatermark: -1, errorCode: kafkaErrorCode(kafkaErrorOf(error.code)) }
        }
      }),
    ),
  }))
  return { topics: await Promise.all(rows) }
}

/** Undefined when this broker knows no such partition. */
function keyOf(
  { metadata }: BrokerParts,
  { topic: name, topicId }: { readonly topic: string; readonly topicId: string },
  partition: number,
): PartitionKey | undefined {
  const topic = topicId === NO_UUID ? metadata.topic(name) : metadata.topicById(topicId)
  return topic && metadata.keyOf(topic.id, partition)
}

function unknown({ topicId }: { readonly topicId: string }, partition: number): PartitionRow {
  const error = topicId === NO_UUID ? 'unknown_topic_or_partition' : 'unknown_topic_id'
  return { partitionIndex: partition, errorCode: kafkaErrorCode(error), highWatermark: -1, records: null }
}

function answered({ metadata }: BrokerParts, key: PartitionKey, partition: number, found: Found): PartitionRow {
  const { error, highWatermark, logStart, batches } = found
  const row = {
    partitionIndex: partition,
    errorCode: error === undefined ? 0 : kafkaErrorCode(kafkaErrorOf(error)),
    highWatermark,
    // Nothing is ever open: there are no transactions.
    lastStableOffset: highWatermark,
    logStartOffset: logStart,
    records: batches,
  }
  if (error !== 'not_partition_leader' && error !== 'fenced_leader_epoch') return row
  const slash = key.lastIndexOf('/')
  const record = metadata.partition(key.slice(0, slash), partition)
  return { ...row, currentLeader: { leaderId: brokerNumber(record?.leader), leaderEpoch: record?.leaderEpoch ?? -1 } }
}

async function located({ access }: BrokerParts, key: PartitionKey, timestamp: number, leaderEpoch: number | undefined) {
  if (timestamp === LATEST) return access.end(key, 'latest', leaderEpoch)
  if (timestamp === EARLIEST || timestamp === EARLIEST_HERE) return access.end(key, 'earliest', leaderEpoch)
  if (timestamp < 0) throw new ProtocolError('unknown_message', 'that kind of offset is not supported')
  return access.atTime(key, timestamp, leaderEpoch)
}

type OffsetRow = KafkaResponse<'listOffsets'>['topics'][number]['partitions'][number]

async function told(partitionIndex: number, look: () => Promise<OffsetRow>): Promise<OffsetRow> {
  try {
    return await look()
  } catch (error) {
    if (error instanceof InvariantError || !(error instanceof ProtocolError)) throw error
    return { partitionIndex, errorCode: kafkaErrorCode(kafkaErrorOf(error.code)) }
  }
}
