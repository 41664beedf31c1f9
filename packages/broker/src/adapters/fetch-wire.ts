// A follower's fetch and a leader's answer as they travel: positions in the body, and behind it the batches of all
// partitions in one piece, of which each row says how much is its own.
import type { NodeId } from '@atoll/base'
import {
  type DurableEnd,
  type ErrorCode,
  errorNamed,
  errorRows,
  type FetchedPartition,
  type FollowerPosition,
  type LeaderEpoch,
  LOG_FETCH_PARTITIONS_MAX,
  type logDurableEnds,
  type logReplicaFetch,
  type MessageOf,
  type PartitionRecord,
  ProtocolError,
  type RequestOf,
  type ResponseOf,
  type Revision,
} from '@atoll/protocol'
import type { Offset } from '@atoll/records'
import type { Assignment } from '../partition/assignment.ts'
import type { DurableReport, FetchRequest, FetchResponse, ReceivedResponse } from '../partition/fetch-messages.ts'
import type { FetchPosition, FetchRefusal, FetchResult } from '../partition/inputs.ts'

type WireRequest = RequestOf<typeof logReplicaFetch>
type WireResponse = ResponseOf<typeof logReplicaFetch>

/** One partition of one topic, as a broker keeps it. */
export type PartitionKey = `${string}/${number}`

export const partitionKeyOf = (topicId: string, partition: number): PartitionKey => `${topicId}/${partition}`

export function namedPartition(key: PartitionKey): { readonly topicId: string; readonly partition: number } {
  const slash = key.lastIndexOf('/')
  return { topicId: key.slice(0, slash), partition: Number(key.slice(slash + 1)) }
}

const codes: Readonly<Record<FetchRefusal, ErrorCode>> = {
  fenced_leader_epoch: 'fenced_leader_epoch',
  unknown_leader_epoch: 'unknown_leader_epoch',
  not_leader: 'not_partition_leader',
  stale_broker_epoch: 'stale_registration',
  not_a_replica: 'not_a_replica',
}

export function requestToWire(request: FetchRequest<PartitionKey>, brokerEpoch: number): WireRequest {
  const { session, sequence, changed, forgotten, bytesMax, maxWaitMs } = request
  return {
    brokerEpoch: brokerEpoch as Revision,
    session,
    sequence,
    changed: changed.map(
      ({ key, position }): FollowerPosition => ({
        ...namedPartition(key),
        ...position,
        leaderEpoch: wireEpoch(position.leaderEpoch),
        lastFetchedEpoch: position.lastFetchedEpoch === undefined ? undefined : wireEpoch(position.lastFetchedEpoch),
      }),
    ),
    forgotten: forgotten.map(namedPartition),
    bytesMax,
    maxWaitMs,
  }
}

export function requestFromWire({ session, sequence, changed, forgotten, bytesMax, maxWaitMs }: WireRequest): FetchRequest<PartitionKey> {
  return {
    session,
    sequence,
    changed: changed.map(row => ({ key: partitionKeyOf(row.topicId, row.partition), position: positionOf(row) })),
    forgotten: forgotten.map(({ topicId, partition }) => partitionKeyOf(topicId, partition)),
    bytesMax,
    maxWaitMs,
  }
}

/** Copies the batches, once, into one piece. */
export function responseToWire({ unknownSession, partitions }: FetchResponse<PartitionKey>): WireResponse {
  const rows: FetchedPartition[] = []
  const pieces: Uint8Array[] = []
  let sizeBytes = 0
  for (const { key, answer } of partitions) {
    const row = { ...namedPartition(key), recordsBytes: 0, highWatermark: 0, logStart: 0, epoch: -1 as LeaderEpoch, end: 0, error: 0 }
    switch (answer.kind) {
      case 'records': {
        let recordsBytes = 0
        for (const batch of answer.batches) recordsBytes += batch.length
        pieces.push(...answer.batches)
        sizeBytes += recordsBytes
        rows.push({ ...row, result: 'records', recordsBytes, highWatermark: answer.highWatermark, logStart: answer.logStart })
        break
      }
      case 'diverging':
        rows.push({ ...row, result: 'diverging', epoch: wireEpoch(answer.end.epoch), end: answer.end.end })
        break
      case 'out_of_range':
        rows.push({ ...row, result: 'out_of_range', logStart: answer.logStart, end: answer.logEnd })
        break
      case 'refused':
        rows.push({ ...row, result: 'refused', error: errorRows[codes[answer.reason]].code })
        break
    }
  }
  return { unknownSession, partitions: rows, attachment: inOnePiece(pieces, sizeBytes) }
}

/** The records are views into the answer. Throws `bad_answer` when its parts are not as long as it says. */
export function responseFromWire(
  { unknownSession, partitions, attachment }: WireResponse,
  { session, sequence }: Pick<FetchRequest<PartitionKey>, 'session' | 'sequence'>,
): ReceivedResponse<PartitionKey> {
  let place = 0
  const received = partitions.map(row => {
    const records = attachment.subarray(place, place + row.recordsBytes)
    place += row.recordsBytes
    return { key: partitionKeyOf(row.topicId, row.partition), result: resultOf(row, records) }
  })
  if (place !== attachment.length) throw new ProtocolError('bad_answer', `${attachment.length} bytes of records, ${place} accounted for`)
  return { session, sequence, unknownSession, partitions: received }
}

export function reportsToWire(reports: readonly DurableReport<PartitionKey>[], brokerEpoch: number): MessageOf<typeof logDurableEnds> {
  const ends = reports
    .slice(0, LOG_FETCH_PARTITIONS_MAX)
    .map(({ key, leaderEpoch, durableEnd }): DurableEnd => ({ ...namedPartition(key), leaderEpoch: wireEpoch(leaderEpoch), durableEnd }))
  return { brokerEpoch: brokerEpoch as Revision, ends }
}

export function reportsFromWire({ ends }: MessageOf<typeof logDurableEnds>): readonly DurableReport<PartitionKey>[] {
  return ends.map(({ topicId, partition, leaderEpoch, durableEnd }) => ({
    key: partitionKeyOf(topicId, partition),
    leaderEpoch: logEpoch(leaderEpoch),
    durableEnd: durableEnd as Offset,
  }))
}

/**
 * What the controller committed, as a replica of `self` obeys it. A broker leads only under the registration that the ISR
 * names: what an earlier life of it was given, this one has to be given again.
 */
export function assignmentOf(record: PartitionRecord, self: NodeId, registration: number): Assignment {
  const { leader, leaderEpoch, partitionEpoch, replicas, isr, uncleanEpoch } = record
  const isEarlierLife = leader === self && isr.every(member => member.node !== self || member.epoch !== registration)
  return {
    leaderEpoch: logEpoch(leaderEpoch),
    partitionEpoch,
    leader: isEarlierLife ? undefined : leader,
    replicas,
    isr: isr.map(({ node }) => node),
    uncleanEpoch: uncleanEpoch === undefined ? undefined : logEpoch(uncleanEpoch),
  }
}

/** Both count the same leaderships: one brand is the wire's, one the log's. */
const wireEpoch = (epoch: number): LeaderEpoch => epoch as LeaderEpoch
const logEpoch = (epoch: number): FetchPosition['leaderEpoch'] => epoch as FetchPosition['leaderEpoch']

function positionOf(row: FollowerPosition): FetchPosition {
  return {
    leaderEpoch: logEpoch(row.leaderEpoch),
    fetchOffset: row.fetchOffset as Offset,
    lastFetchedEpoch: row.lastFetchedEpoch === undefined ? undefined : logEpoch(row.lastFetchedEpoch),
    durableEnd: row.durableEnd as Offset,
    logStart: row.logStart as Offset,
  }
}

function resultOf(row: FetchedPartition, records: Uint8Array): FetchResult {
  const logStart = row.logStart as Offset
  switch (row.result) {
    case 'records':
      return { kind: 'records', records, highWatermark: row.highWatermark as Offset, logStart }
    case 'diverging':
      return { kind: 'diverging', end: { epoch: logEpoch(row.epoch), end: row.end as Offset } }
    case 'out_of_range':
      return { kind: 'out_of_range', logStart, logEnd: row.end as Offset }
    case 'refused':
      return { kind: 'refused', reason: refusalOf(row.error) }
  }
}

/** A reason of a later version is one to ask again later, as they all are. */
function refusalOf(code: number): FetchRefusal {
  const name = errorNamed(code)
  return (Object.keys(codes) as FetchRefusal[]).find(reason => codes[reason] === name) ?? 'not_leader'
}

function inOnePiece(pieces: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const [only] = pieces
  if (only !== undefined && pieces.length === 1) return only
  const whole = new Uint8Array(sizeBytes)
  let place = 0
  for (const piece of pieces) {
    whole.set(piece, place)
    place += piece.length
  }
  return whole
}
