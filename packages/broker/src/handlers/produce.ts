// Produce: one batch for each partition, appended in the turn in which the request came, so that the batches of one
// connection keep their order; answered when all of them are as safe as was asked for. InitProducerId: ids for producers
// whose retries are not to be written twice.
import { InvariantError } from '@atoll/base'
import { ProtocolError } from '@atoll/protocol'
import { RecordsError } from '@atoll/records'
import type { KafkaRequest, KafkaResponse } from '../kafka/apis.ts'
import { KafkaError } from '../kafka/handlers.ts'
import { kafkaErrorCode, kafkaErrorOfRecords } from '../kafka/kafka-errors.ts'
import { PRODUCE_WAIT_MS_MAX } from '../limits.ts'
import { rulesOf } from '../metadata/topic-settings.ts'
import type { Acks } from '../partition/inputs.ts'
import { type BrokerParts, toldOf } from './broker-parts.ts'
import { kafkaErrorOf } from './kafka-names.ts'

/** Since that version batches may be compressed with zstd. */
const ZSTD_SINCE = 7

type TopicRow = KafkaResponse<'produce'>['topics'][number]
type PartitionRow = TopicRow['partitions'][number]

const acksOf: ReadonlyMap<number, Acks> = new Map([
  [0, 'none'],
  [1, 'leader'],
  [-1, 'all'],
])

export async function produce(parts: BrokerParts, request: KafkaRequest<'produce'>, apiVersion: number): Promise<KafkaResponse<'produce'>> {
  const acks = acksOf.get(request.acks)
  if (acks === undefined) throw new KafkaError('invalid_required_acks', `acks ${request.acks}`)
  if (request.transactionalId !== null) throw new KafkaError('invalid_txn_state', 'transactions are not supported')
  const how = { acks, timeoutMs: Math.min(Math.max(1, request.timeoutMs), PRODUCE_WAIT_MS_MAX), zstdAllowed: apiVersion >= ZSTD_SINCE }
  // All begin now; none waits for another.
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    rows: partitions.map(({ index, records }) => append(parts, name, index, records, how)),
  }))
  const answered = await Promise.all(
    topics.map(async ({ name, rows }): Promise<TopicRow> => ({ name, partitions: await Promise.all(rows) })),
  )
  if (acks === 'none') failSilently(answered)
  return { topics: answered }
}

async function append(
  { metadata, access }: BrokerParts,
  name: string,
  index: number,
  batch: Uint8Array | null,
  how: { readonly acks: Acks; readonly timeoutMs: number; readonly zstdAllowed: boolean },
): Promise<PartitionRow> {
  const topic = metadata.topic(name)
  const key = topic && metadata.keyOf(topic.id, index)
  if (topic === undefined || key === undefined) return refused(index, 'unknown_topic_or_partition', null)
  if (topic.internal) return refused(index, 'invalid_topic_exception', `${name} is the cluster’s own`)
  try {
    const rules = rulesOf(topic)
    const appended = await access.append({ key, batch: batch ?? new Uint8Array(0), rules, ...how })
    return { index, errorCode: 0, baseOffset: appended?.firstOffset ?? -1, logStartOffset: appended?.logStart ?? -1 }
  } catch (error) {
    if (error instanceof RecordsError) return ofRecords(index, error)
    if (error instanceof InvariantError || !(error instanceof ProtocolError)) throw error
    return refused(index, kafkaErrorOf(error.code), error.message)
  }
}

function refused(index: number, error: Parameters<typeof kafkaErrorCode>[0], message: string | null): PartitionRow {
  return { index, errorCode: kafkaErrorCode(error), baseOffset: -1, errorMessage: message }
}

/** A batch that may not be appended, and which of its records are to blame. */
function ofRecords(index: number, { code, message, recordIndexes }: RecordsError): PartitionRow {
  const recordErrors = recordIndexes.map(batchIndex => ({ batchIndex, message }))
  return { ...refused(index, kafkaErrorOfRecords(code), message), recordErrors }
}

/** A producer that wants no answer can only notice that its connection ends. */
function failSilently(topics: readonly TopicRow[]): void {
  const failed = topics.flatMap(({ partitions }) => partitions).find(({ errorCode }) => errorCode !== 0)
  if (failed !== undefined) throw new KafkaError('unknown_server_error', failed.errorMessage ?? 'not appended')
}

export async function initProducerId(
  parts: BrokerParts,
  { transactionalId }: KafkaRequest<'initProducerId'>,
): Promise<KafkaResponse<'initProducerId'>> {
  if (transactionalId !== null) throw new KafkaError('transactional_id_authorization_failed', 'transactions are not supported')
  try {
    // An id is never given twice, so its first epoch is enough for a producer that lost its place.
    return { errorCode: 0, producerId: await parts.drawProducerId(), producerEpoch: 0 }
  } catch (error) {
    const told = toldOf(error)
    throw new KafkaError('coordinator_not_available', told.message, { cause: error })
  }
}
