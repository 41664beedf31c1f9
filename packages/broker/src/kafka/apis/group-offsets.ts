// Up to where a group has consumed.
import { api } from '../api.ts'
import { field, struct } from '../fields.ts'
import { array, bool, int16, int32, int64, int64Clamped, nullable, string } from '../kinds.ts'

export const offsetCommit = api({
  key: 8,
  name: 'OffsetCommit',
  doc: 'Remembers the offset from which a group goes on.',
  // librdkafka before 2.11 asks for version 1 and 2 by name.
  versions: [1, 9],
  flexibleFrom: 8,
  request: {
    groupId: field(string, 'The group.'),
    generationIdOrMemberEpoch: field(int32, 'The round; -1 commits without being a member.', { fallback: -1 }),
    memberId: field(string, 'The member, or empty.'),
    groupInstanceId: field(nullable(string), 'Its name, if it is static.', { from: 7, fallback: null }),
    retentionTimeMs: field(int64Clamped, 'How long to remember, in milliseconds; -1 leaves that to the broker.', {
      from: 2,
      to: 4,
      fallback: -1,
    }),
    topics: field(
      array(
        struct({
          name: field(string, 'The topic.'),
          partitions: field(
            array(
              struct({
                partitionIndex: field(int32, 'The partition.'),
                committedOffset: field(int64, 'Next offset to consume.'),
                committedLeaderEpoch: field(int32, 'The epoch of the record before it; -1 is unknown.', { from: 6, fallback: -1 }),
                commitTimestamp: field(int64Clamped, 'The time of the commit; -1 is now.', { from: 1, to: 1, fallback: -1 }),
                committedMetadata: field(nullable(string), 'The client’s own words, which come back with the offset.'),
              }),
            ),
            'Its partitions.',
          ),
        }),
      ),
      'What to remember.',
    ),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { from: 3, fallback: 0 }),
    topics: field(
      array(
        struct({
          name: field(string, 'The topic.'),
          partitions: field(
            array(
              struct({
                partitionIndex: field(int32, 'The partition.'),
                errorCode: field(int16, 'What is wrong, or 0.'),
              }),
            ),
            'Its partitions.',
          ),
        }),
      ),
      'What became of each.',
    ),
  },
})

export const offsetFetch = api({
  key: 9,
  name: 'OffsetFetch',
  doc: 'The offsets from which groups go on.',
  versions: [1, 9],
  flexibleFrom: 6,
  request: {
    groupId: field(string, 'The group.', { to: 7, fallback: '' }),
    topics: field(
      nullable(
        array(
          struct({
            name: field(string, 'The topic.'),
            partitionIndexes: field(array(int32), 'Its partitions.'),
          }),
        ),
        { from: 2, to: 7 },
      ),
      'What to look up; null is everything.',
      { to: 7, fallback: null },
    ),
    groups: field(
      array(
        struct({
          groupId: field(string, 'The group.'),
          memberId: field(nullable(string), 'The member, in the protocol of KIP-848.', { from: 9, fallback: null }),
          memberEpoch: field(int32, 'Its epoch; -1 is none.', { from: 9, fallback: -1 }),
          topics: field(
            nullable(
              array(
                struct({
                  name: field(string, 'The topic.'),
                  partitionIndexes: field(array(int32), 'Its partitions.'),
                }),
              ),
            ),
            'What to look up; null is everything.',
          ),
        }),
      ),
      'The same for several groups at once.',
      { from: 8, fallback: [] },
    ),
    requireStable: field(bool, 'Whether offsets in an open transaction are an error (KIP-447).', { from: 7, fallback: false }),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { from: 3, fallback: 0 }),
    topics: field(
      array(
        struct({
          name: field(string, 'The topic.'),
          partitions: field(
            array(
              struct({
                partitionIndex: field(int32, 'The partition.'),
                committedOffset: field(int64, 'Next offset to consume; -1 is none.'),
                committedLeaderEpoch: field(int32, 'The epoch of the record before it; -1 is unknown.', { from: 5, fallback: -1 }),
                metadata: field(nullable(string), 'The client’s own words.'),
                errorCode: field(int16, 'What is wrong, or 0.'),
              }),
            ),
            'Its partitions.',
          ),
        }),
      ),
      'What is remembered.',
      { to: 7, fallback: [] },
    ),
    errorCode: field(int16, 'What is wrong with the request as a whole, or 0.', { from: 2, to: 7, fallback: 0 }),
    groups: field(
      array(
        struct({
          groupId: field(string, 'The group.'),
          topics: field(
            array(
              struct({
                name: field(string, 'The topic.'),
                partitions: field(
                  array(
                    struct({
                      partitionIndex: field(int32, 'The partition.'),
                      committedOffset: field(int64, 'Next offset to consume; -1 is none.'),
                      committedLeaderEpoch: field(int32, 'The epoch of the record before it; -1 is unknown.', { fallback: -1 }),
                      metadata: field(nullable(string), 'The client’s own words.'),
                      errorCode: field(int16, 'What is wrong, or 0.'),
                    }),
                  ),
                  'Its partitions.',
                ),
              }),
            ),
            'What is remembered.',
          ),
          errorCode: field(int16, 'What is wrong with the group as a whole, or 0.', { fallback: 0 }),
        }),
      ),
      'The same for several groups at once.',
      { from: 8, fallback: [] },
    ),
  },
})
