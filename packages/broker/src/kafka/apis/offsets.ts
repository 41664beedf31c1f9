// ListOffsets, OffsetForLeaderEpoch, DeleteRecords: where a log begins and ends, and where one leader's part of it ends.
import { api } from '../api.ts'
import { field, struct } from '../fields.ts'
import { array, int8, int16, int32, int64, int64Clamped, string } from '../kinds.ts'

export const listOffsets = api({
  key: 2,
  name: 'ListOffsets',
  doc: 'Offsets by time.',
  versions: [1, 10],
  flexibleFrom: 6,
  request: {
    replicaId: field(int32, '-1 is a consumer.'),
    isolationLevel: field(int8, '1: `latest` ends where a transaction is still open.', { from: 2, fallback: 0 }),
    topics: field(
      array(
        struct({
          name: field(string, 'The topic.'),
          partitions: field(
            array(
              struct({
                partitionIndex: field(int32, 'The partition.'),
                currentLeaderEpoch: field(int32, 'The epoch that the client believes current; -1 is unknown.', { from: 4, fallback: -1 }),
                timestamp: field(
                  int64Clamped,
                  'Milliseconds since the Unix epoch: the first record not before it. -1 latest, -2 earliest, -3 latest time, -4 earliest here, -5 latest elsewhere.',
                ),
              }),
            ),
            'Its partitions.',
          ),
        }),
      ),
      'What to look up.',
    ),
    timeoutMs: field(int32, 'How long to wait for what is stored elsewhere, in milliseconds.', { from: 10, fallback: 0 }),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { from: 2, fallback: 0 }),
    topics: field(
      array(
        struct({
          name: field(string, 'The topic.'),
          partitions: field(
            array(
              struct({
                partitionIndex: field(int32, 'The partition.'),
                errorCode: field(int16, 'What is wrong, or 0.'),
                timestamp: field(int64, 'The record’s time; -1 when an end was asked for, or there is none.', { fallback: -1 }),
                offset: field(int64, 'Its offset; -1 when there is none.', { fallback: -1 }),
                leaderEpoch: field(int32, 'Its leader’s epoch; -1 is unknown.', { from: 4, fallback: -1 }),
              }),
            ),
            'Its partitions.',
          ),
        }),
      ),
      'What was found.',
    ),
  },
})

export const offsetForLeaderEpoch = api({
  key: 23,
  name: 'OffsetForLeaderEpoch',
  doc: 'Where a leader’s epoch ends, so that a client sees whether its log was cut (KIP-320).',
  versions: [2, 4],
  flexibleFrom: 4,
  request: {
    replicaId: field(int32, '-1 is a consumer, -2 a tool.', { from: 3, fallback: -2 }),
    topics: field(
      array(
        struct({
          topic: field(string, 'The topic.'),
          partitions: field(
            array(
              struct({
                partition: field(int32, 'The partition.'),
                currentLeaderEpoch: field(int32, 'The epoch that the client believes current; -1 is unknown.', { fallback: -1 }),
                leaderEpoch: field(int32, 'The epoch whose end is wanted.'),
              }),
            ),
            'Its partitions.',
          ),
        }),
      ),
      'What to look up.',
    ),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { fallback: 0 }),
    topics: field(
      array(
        struct({
          topic: field(string, 'The topic.'),
          partitions: field(
            array(
              struct({
                errorCode: field(int16, 'What is wrong, or 0.'),
                partition: field(int32, 'The partition.'),
                leaderEpoch: field(int32, 'The largest epoch not above the one asked for; -1 is none.', { fallback: -1 }),
                endOffset: field(int64, 'Where it ends, exclusive; -1 is unknown.', { fallback: -1 }),
              }),
            ),
            'Its partitions.',
          ),
        }),
      ),
      'What was found.',
    ),
  },
})

export const deleteRecords = api({
  key: 21,
  name: 'DeleteRecords',
  doc: 'Removes the records before given offsets.',
  versions: [0, 2],
  flexibleFrom: 2,
  request: {
    topics: field(
      array(
        struct({
          name: field(string, 'The topic.'),
          partitions: field(
            array(
              struct({
                partitionIndex: field(int32, 'The partition.'),
                offset: field(int64, 'First offset to keep; -1 is the high watermark.'),
              }),
            ),
            'Its partitions.',
          ),
        }),
      ),
      'What to remove.',
    ),
    timeoutMs: field(int32, 'How long to wait for the replicas, in milliseconds.'),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { fallback: 0 }),
    topics: field(
      array(
        struct({
          name: field(string, 'The topic.'),
          partitions: field(
            array(
              struct({
                partitionIndex: field(int32, 'The partition.'),
                lowWatermark: field(int64, 'First offset that every replica still has; -1 with an error.'),
                errorCode: field(int16, 'What is wrong, or 0.'),
              }),
            ),
            'Its partitions.',
          ),
        }),
      ),
      'What was removed.',
    ),
  },
})
