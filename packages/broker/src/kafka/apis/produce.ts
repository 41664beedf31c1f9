// Produce: records for the leaders of partitions. InitProducerId: who the producer is, so that retries are not written twice.
import { api } from '../api.ts'
import { field, struct, tagged } from '../fields.ts'
import { array, int16, int32, int64, nullable, records, string } from '../kinds.ts'

/** KIP-951: who leads instead. Epoch -1 is unknown. */
export const currentLeader = struct({
  leaderId: field(int32, 'The broker that leads; -1 is unknown.', { fallback: -1 }),
  leaderEpoch: field(int32, 'Its epoch; -1 is unknown.', { fallback: -1 }),
})

/** KIP-951: where the brokers named in `currentLeader` are. */
export const nodeEndpoints = array(
  struct({
    nodeId: field(int32, 'The broker.'),
    host: field(string, 'Where clients reach it.'),
    port: field(int32, 'Its port.'),
    rack: field(nullable(string), 'Where it stands.', { fallback: null }),
  }),
)

export const produce = api({
  key: 0,
  name: 'Produce',
  doc: 'Appends one batch of records to each partition named. With `acks` 0 there is no response at all.',
  versions: [3, 11],
  // librdkafka before 2.11 compresses only for brokers that list version 0; Kafka lists it too and serves it no more (KAFKA-18659).
  advertisedFrom: 0,
  flexibleFrom: 9,
  request: {
    transactionalId: field(nullable(string), 'The transaction that the records belong to.', { fallback: null }),
    acks: field(int16, '0: no response; 1: written by the leader; -1: by all in-sync replicas.'),
    timeoutMs: field(int32, 'How long the leader may wait for its followers, in milliseconds.'),
    topics: field(
      array(
        struct({
          name: field(string, 'The topic.'),
          partitions: field(
            array(
              struct({
                index: field(int32, 'The partition.'),
                records: field(nullable(records), 'One batch; a view of the request.'),
              }),
            ),
            'Its partitions.',
          ),
        }),
      ),
      'What to append where.',
    ),
  },
  response: {
    topics: field(
      array(
        struct({
          name: field(string, 'The topic.'),
          partitions: field(
            array(
              struct({
                index: field(int32, 'The partition.'),
                errorCode: field(int16, 'Why nothing was appended, or 0.'),
                baseOffset: field(int64, 'Offset of the batch’s first record; -1 with an error.'),
                logAppendTimeMs: field(int64, 'The broker’s time of the append where the topic is set so, else -1.', { fallback: -1 }),
                logStartOffset: field(int64, 'First offset still kept; -1 is unknown.', { from: 5, fallback: -1 }),
                recordErrors: field(
                  array(
                    struct({
                      batchIndex: field(int32, 'Which record of the batch, from 0.'),
                      message: field(nullable(string), 'What is wrong with it.', { fallback: null }),
                    }),
                  ),
                  'Records for which the batch was refused (KIP-467).',
                  { from: 8, fallback: [] },
                ),
                errorMessage: field(nullable(string), 'The error in words.', { from: 8, fallback: null }),
                currentLeader: tagged(0, currentLeader, 'Who leads instead.', { from: 10 }),
              }),
            ),
            'Its partitions.',
          ),
        }),
      ),
      'What became of each append.',
    ),
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { fallback: 0 }),
    nodeEndpoints: tagged(0, nodeEndpoints, 'Where the leaders named above are.', { from: 10 }),
  },
})

export const initProducerId = api({
  key: 22,
  name: 'InitProducerId',
  doc: 'An id for an idempotent or transactional producer; for the latter also a new epoch that fences the one before.',
  versions: [0, 5],
  flexibleFrom: 2,
  request: {
    transactionalId: field(nullable(string), 'Null: idempotent without transactions.'),
    transactionTimeoutMs: field(int32, 'A transaction open for longer is aborted, in milliseconds.'),
    producerId: field(int64, 'The id it has; -1 is none (KIP-360).', { from: 3, fallback: -1 }),
    producerEpoch: field(int16, 'The epoch it has; -1 is none.', { from: 3, fallback: -1 }),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { fallback: 0 }),
    errorCode: field(int16, 'What is wrong, or 0.'),
    producerId: field(int64, 'The id; -1 with an error.', { fallback: -1 }),
    producerEpoch: field(int16, 'The epoch; -1 with an error.'),
  },
})
