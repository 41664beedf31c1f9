// The log: producers, consumers and followers with the broker that leads a partition. Batches travel as they are stored
// (RecordBatch v2), behind the body, and are never encoded again.
import { assert } from '@atoll/base'
import { bool, i53, i53OrNone, list, oneOf, optional, u16, u32, type ValueOf } from '../field-types.ts'
import { field, struct } from '../fields.ts'
import { FRAME_BYTES_MAX, MiB } from '../limits.ts'
import { conversation, oneWay, rpc } from '../table.ts'
import type { Revision } from './keys.ts'
import { type LeaderEpoch, topicIdText } from './stored-topics.ts'
import { partitionName } from './topics.ts'

/** One batch, in bytes; what a topic takes is at most this. */
export const LOG_BATCH_BYTES_MAX = 7 * MiB
/** Records in one answer, in bytes: what was asked for, and one batch that exceeds it. */
export const LOG_FETCH_BYTES_MAX = 8 * MiB
export const LOG_ANSWER_BYTES_MAX = LOG_FETCH_BYTES_MAX + LOG_BATCH_BYTES_MAX
/** Partitions that one follower names in one request. */
export const LOG_FETCH_PARTITIONS_MAX = 4_096

// A row of a partition takes at most 200 bytes.
assert(LOG_ANSWER_BYTES_MAX + LOG_FETCH_PARTITIONS_MAX * 200 <= FRAME_BYTES_MAX, 'a full answer fits a frame')

const topicId = field(topicIdText(), 'The identity of the topic.')
const partition = field(u32(), 'The partition.')
const offset = (doc: string) => field(i53(), doc)
const highWatermark = offset('The first offset that is not committed. Exclusive.')
const logStart = offset('The first offset that is still kept. Inclusive.')
const leaderEpoch = (doc: string) => field(i53<LeaderEpoch>(), doc)
const epochOrNone = (doc: string) => field(i53OrNone<LeaderEpoch>(), doc)
const offsetOrNone = (doc: string) => field(i53OrNone(), doc)
const believedEpoch = field(optional(i53<LeaderEpoch>()), 'The leader epoch the asker believes current; another one is refused.')
const brokerEpoch = field(i53<Revision>(), 'The registration of the follower.')
const notHere = ['unknown_partition', 'not_partition_leader', 'fenced_leader_epoch', 'unknown_leader_epoch'] as const

export const logProduce = rpc({
  key: 0x0701,
  name: 'log_produce',
  doc: 'Appends one batch to a partition.',
  source: 'KIP-98 (what makes a retry safe: producer id, epoch and sequence in the batch)',
  idempotent: false,
  request: {
    topicId,
    partition,
    acks: field(oneOf('none', 'leader', 'all'), '`all`: every in-sync replica has it on disk. `leader`: the leader has.'),
  },
  requestAttachment: { max: LOG_BATCH_BYTES_MAX, doc: 'The batch, as a producer makes it: base offset 0.' },
  response: {
    firstOffset: offset('The offset of its first record.'),
    logStart,
    duplicate: field(bool(), 'It had been appended before: the offset is the one it got then.'),
  },
  errors: [
    'unknown_partition',
    'not_partition_leader',
    'not_enough_replicas',
    'not_enough_replicas_after_append',
    'partition_leadership_lost',
    'out_of_order_sequence',
    'invalid_producer_epoch',
    'invalid_batch',
    'batch_too_large',
    'invalid_topic',
    'log_disk_full',
    'log_disk_failed',
  ],
})

const fetchPosition = struct('fetch position', {
  topicId,
  partition,
  leaderEpoch: believedEpoch,
  offset: offset('The first offset wanted; the first batch is the one that holds it.'),
  bytesMax: field(u32({ max: LOG_FETCH_BYTES_MAX }), 'Bound of its records, in bytes; the first batch of an answer may exceed it.'),
})
export type FetchPosition = ValueOf<typeof fetchPosition>

const fetchedRecords = struct('fetched records', {
  error: field(u16(), 'The code of an error: of this partition nothing was read; otherwise 0.'),
  highWatermark: offsetOrNone('The first offset that is not committed. Exclusive; -1 when it is not known.'),
  logStart: offsetOrNone('The first offset that is still kept. Inclusive; -1 when it is not known.'),
  leaderEpoch: epochOrNone('In which it was read; -1 when it is not known.'),
  recordsBytes: field(u32({ max: LOG_ANSWER_BYTES_MAX }), 'Its part of what follows the body, in the order of this list.'),
})
export type FetchedRecords = ValueOf<typeof fetchedRecords>

export const logFetch = rpc({
  key: 0x0702,
  name: 'log_fetch',
  doc: 'Reads committed batches of any number of partitions, each from an offset on.',
  source: 'KIP-74',
  idempotent: true,
  request: {
    partitions: field(list(fetchPosition, { max: LOG_FETCH_PARTITIONS_MAX }), 'What is wanted, in the order in which room is given.'),
    bytesMax: field(
      u32({ max: LOG_FETCH_BYTES_MAX }),
      'Bound of all records, in bytes; one batch may exceed it so that a fetch progresses.',
    ),
    bytesMin: field(u32({ max: LOG_FETCH_BYTES_MAX }), 'The answer is held until there is so much, or an error.'),
    maxWaitMs: field(u32({ max: 30_000 }), 'But no longer than this, in milliseconds.'),
  },
  response: { partitions: field(list(fetchedRecords, { max: LOG_FETCH_PARTITIONS_MAX }), 'Of each, in the order of the request.') },
  responseAttachment: { max: LOG_ANSWER_BYTES_MAX, doc: 'Whole batches, one after another, of all partitions.' },
  errors: [],
})

const followerPosition = struct('follower position', {
  topicId,
  partition,
  leaderEpoch: leaderEpoch('The epoch the follower believes current.'),
  fetchOffset: offset('Its log end: the first offset it wants.'),
  lastFetchedEpoch: field(optional(i53<LeaderEpoch>()), 'The epoch of its last record; nothing when it has none.'),
  durableEnd: offset('What it has on its disk. Exclusive.'),
  logStart,
})
export type FollowerPosition = ValueOf<typeof followerPosition>

const fetchedPartition = struct('fetched partition', {
  topicId,
  partition,
  result: field(
    oneOf('records', 'diverging', 'out_of_range', 'refused'),
    '`diverging`: the logs part before the fetch offset; `epoch` and `end` say where the leader’s ended.',
  ),
  recordsBytes: field(u32({ max: LOG_ANSWER_BYTES_MAX }), 'Its part of what follows the body, in the order of this list.'),
  highWatermark,
  logStart,
  epoch: epochOrNone('With `diverging`: the largest epoch the leader has up to the one that was named; -1 when none.'),
  end: offsetOrNone('With `diverging`: where it ended. With `out_of_range`: the leader’s log end. Exclusive.'),
  error: field(u16(), 'With `refused`: the code of an error; otherwise 0.'),
})
export type FetchedPartition = ValueOf<typeof fetchedPartition>

export const logReplicaFetch = rpc({
  key: 0x0703,
  name: 'log_replica_fetch',
  doc: 'A follower asks a leader for what follows its logs: all partitions they have in common at once, and of those only what changed.',
  source: 'KIP-101, KIP-227, KIP-320, KIP-595, KIP-903',
  idempotent: true,
  request: {
    brokerEpoch,
    session: field(u32(), 'Higher each time the follower begins anew.'),
    sequence: field(u32(), 'Counts the requests of a session; the first, 0, names every partition.'),
    changed: field(list(followerPosition, { max: LOG_FETCH_PARTITIONS_MAX }), 'Partitions that are new or whose position changed.'),
    forgotten: field(list(partitionName, { max: LOG_FETCH_PARTITIONS_MAX }), 'Partitions that are wanted no more.'),
    bytesMax: field(u32({ max: LOG_FETCH_BYTES_MAX }), 'Bound of all records, in bytes; one batch may exceed it.'),
    maxWaitMs: field(u32({ max: 30_000 }), 'How long an empty answer may be held, in milliseconds.'),
  },
  response: {
    unknownSession: field(bool(), 'The leader does not know the session: the follower begins anew.'),
    partitions: field(list(fetchedPartition, { max: LOG_FETCH_PARTITIONS_MAX }), 'Those of which there is something to say.'),
  },
  responseAttachment: { max: LOG_ANSWER_BYTES_MAX, doc: 'The batches of all partitions, one after another.' },
  errors: [],
})

const durableEnd = struct('durable end', {
  topicId,
  partition,
  leaderEpoch: leaderEpoch('The epoch the follower believes current.'),
  durableEnd: offset('What it has on its disk now. Exclusive.'),
})
export type DurableEnd = ValueOf<typeof durableEnd>

export const logDurableEnds = oneWay({
  key: 0x0704,
  name: 'log_durable_ends',
  doc: 'A sync ended at a follower whose fetch the leader holds. The next fetch says the same. Without ends: that fetch is to be answered now, because the follower has something else to ask.',
  message: { brokerEpoch, ends: field(list(durableEnd, { max: LOG_FETCH_PARTITIONS_MAX }), 'Of each partition whose durable end rose.') },
})

export const logListOffsets = rpc({
  key: 0x0705,
  name: 'log_list_offsets',
  doc: 'Where a partition begins, where what is committed ends, or which record is the first of a time.',
  source: 'KIP-79, KIP-207',
  idempotent: true,
  request: {
    topicId,
    partition,
    leaderEpoch: believedEpoch,
    which: field(oneOf('earliest', 'latest', 'time'), 'What is asked.'),
    timestampMs: field(i53(), 'With `time`: the first committed record of this time or later, in milliseconds since the Unix epoch.'),
  },
  response: {
    offset: offsetOrNone('-1 when there is none.'),
    timestampMs: field(i53OrNone(), 'Of the record found by time; otherwise -1.'),
    leaderEpoch: leaderEpoch('In which the answer was given.'),
  },
  errors: [...notHere, 'offset_not_available'],
})

export const logEpochEnd = rpc({
  key: 0x0706,
  name: 'log_epoch_end',
  doc: 'Where an epoch ended in the leader’s log: consumers find with it whether what they read is still there.',
  source: 'KIP-320',
  idempotent: true,
  request: { topicId, partition, leaderEpoch: believedEpoch, epoch: leaderEpoch('The epoch asked about.') },
  response: {
    epoch: epochOrNone('The largest one up to it that the leader has; -1 when none.'),
    end: offsetOrNone('Where it ended. Exclusive; -1 when there is none.'),
  },
  errors: notHere,
})

export const logDeleteRecords = rpc({
  key: 0x0707,
  name: 'log_delete_records',
  doc: 'Deletes the records before an offset, on every live replica.',
  source: 'KIP-107',
  idempotent: true,
  request: { topicId, partition, before: field(optional(i53()), 'The first offset to keep; nothing: the high watermark.') },
  response: { lowWatermark: offset('Below this no live replica has a record.') },
  errors: ['unknown_partition', 'not_partition_leader', 'offset_out_of_range', 'invalid_topic'],
})

export const logProducerId = rpc({
  key: 0x0708,
  name: 'log_producer_id',
  doc: 'Gives a producer an id that nobody had before, for batches that may be sent again. Any broker gives it.',
  source: 'KIP-98, KIP-730',
  idempotent: true,
  request: {},
  response: { producerId: field(i53(), 'Its id; its epoch begins at 0.') },
  errors: ['shutting_down', 'not_connected'],
})

export const logConversation = conversation({
  name: 'log',
  doc: 'Producers, consumers and followers with the broker that leads a partition.',
  keys: 0x07,
  messages: { logProduce, logFetch, logReplicaFetch, logDurableEnds, logListOffsets, logEpochEnd, logDeleteRecords, logProducerId },
})
