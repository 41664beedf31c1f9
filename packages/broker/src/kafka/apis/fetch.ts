// Fetch: records from the leaders of partitions, for consumers.
import { api } from '../api.ts'
import { field, struct, tagged } from '../fields.ts'
import { array, int8, int16, int32, int64, NO_UUID, nullable, records, string, uuid } from '../kinds.ts'
import { currentLeader, nodeEndpoints } from './produce.ts'

const MOST_BYTES = 0x7fff_ffff

export const fetch = api({
  key: 1,
  name: 'Fetch',
  doc: 'Batches of records from given offsets on. The first batch comes whole even where it is above the bounds (KIP-74).',
  versions: [4, 17],
  flexibleFrom: 12,
  request: {
    clusterId: tagged(0, nullable(string), 'The cluster that a replica believes itself in.', { from: 12 }),
    replicaId: field(int32, '-1 is a consumer.', { to: 14, fallback: -1 }),
    replicaState: tagged(
      1,
      struct({
        replicaId: field(int32, '-1 is a consumer.', { fallback: -1 }),
        replicaEpoch: field(int64, 'The broker’s epoch; -1 is unknown.', { fallback: -1 }),
      }),
      'Who fetches, in the form of version 15.',
      { from: 15 },
    ),
    maxWaitMs: field(int32, 'How long an answer below `minBytes` may be held, in milliseconds.'),
    minBytes: field(int32, 'Fewer bytes are waited for.'),
    maxBytes: field(int32, 'Bound of all records of the answer, in bytes.', { fallback: MOST_BYTES }),
    isolationLevel: field(int8, '0: up to the high watermark; 1: only of transactions that are committed.', { fallback: 0 }),
    sessionId: field(int32, 'The fetch session; 0 is none (KIP-227).', { from: 7, fallback: 0 }),
    sessionEpoch: field(int32, '-1: without a session; 0: a new one.', { from: 7, fallback: -1 }),
    topics: field(
      array(
        struct({
          topic: field(string, 'The topic.', { to: 12, fallback: '' }),
          topicId: field(uuid, 'Its id, which replaces the name.', { from: 13, fallback: NO_UUID }),
          partitions: field(
            array(
              struct({
                partition: field(int32, 'The partition.'),
                currentLeaderEpoch: field(int32, 'The epoch that the client believes current; -1 is unknown.', { from: 9, fallback: -1 }),
                fetchOffset: field(int64, 'First offset wanted.'),
                lastFetchedEpoch: field(int32, 'The epoch of the record before it; -1 is unknown.', { from: 12, fallback: -1 }),
                logStartOffset: field(int64, 'A replica’s first offset; -1 for consumers.', { from: 5, fallback: -1 }),
                partitionMaxBytes: field(int32, 'Bound of the records of this partition, in bytes.'),
                replicaDirectoryId: tagged(0, uuid, 'The directory of a replica.', { from: 17 }),
              }),
            ),
            'Its partitions.',
          ),
        }),
      ),
      'What to fetch; with a session, what changed.',
    ),
    forgottenTopics: field(
      array(
        struct({
          topic: field(string, 'The topic.', { to: 12, fallback: '' }),
          topicId: field(uuid, 'Its id, which replaces the name.', { from: 13, fallback: NO_UUID }),
          partitions: field(array(int32), 'Its partitions.'),
        }),
      ),
      'What leaves the session.',
      { from: 7, fallback: [] },
    ),
    rackId: field(string, 'Where the consumer stands.', { from: 11, fallback: '' }),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { fallback: 0 }),
    errorCode: field(int16, 'What is wrong with the request as a whole, or 0.', { from: 7, fallback: 0 }),
    sessionId: field(int32, 'The fetch session; 0 is none.', { from: 7, fallback: 0 }),
    topics: field(
      array(
        struct({
          topic: field(string, 'The topic.', { to: 12, fallback: '' }),
          topicId: field(uuid, 'Its id, which replaces the name.', { from: 13, fallback: NO_UUID }),
          partitions: field(
            array(
              struct({
                partitionIndex: field(int32, 'The partition.'),
                errorCode: field(int16, 'Why nothing can be fetched, or 0.'),
                highWatermark: field(int64, 'First offset not yet in every in-sync replica.'),
                lastStableOffset: field(int64, 'First offset of a transaction still open; -1 is unknown.', { fallback: -1 }),
                logStartOffset: field(int64, 'First offset still kept; -1 is unknown.', { from: 5, fallback: -1 }),
                divergingEpoch: tagged(
                  0,
                  struct({
                    epoch: field(int32, 'The largest epoch not above the one asked with.', { fallback: -1 }),
                    endOffset: field(int64, 'Where it ends.', { fallback: -1 }),
                  }),
                  'Where the log and the client’s part from each other; then there are no records.',
                  { from: 12 },
                ),
                currentLeader: tagged(1, currentLeader, 'Who leads instead.', { from: 12 }),
                snapshotId: tagged(
                  2,
                  struct({
                    endOffset: field(int64, 'Where the snapshot ends.', { fallback: -1 }),
                    epoch: field(int32, 'Its epoch.', { fallback: -1 }),
                  }),
                  'Of no meaning here.',
                  { from: 12 },
                ),
                abortedTransactions: field(
                  nullable(
                    array(
                      struct({
                        producerId: field(int64, 'The producer.'),
                        firstOffset: field(int64, 'First offset of its transaction.'),
                      }),
                    ),
                  ),
                  'Transactions to skip, by first offset.',
                  { fallback: null },
                ),
                preferredReadReplica: field(int32, 'The broker to fetch from instead; -1 is none.', { from: 11, fallback: -1 }),
                records: field(nullable(records), 'Whole batches, except that the last may be cut off.'),
              }),
            ),
            'Its partitions.',
          ),
        }),
      ),
      'What was fetched.',
    ),
    nodeEndpoints: tagged(0, nodeEndpoints, 'Where the leaders named above are.', { from: 16 }),
  },
})
