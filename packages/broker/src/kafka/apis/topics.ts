// Making, growing and removing topics.
import { api } from '../api.ts'
import { field, struct, tagged } from '../fields.ts'
import { array, bool, int8, int16, int32, NO_UUID, nullable, string, uuid } from '../kinds.ts'

export const createTopics = api({
  key: 19,
  name: 'CreateTopics',
  doc: 'Creates topics.',
  versions: [2, 7],
  flexibleFrom: 5,
  request: {
    topics: field(
      array(
        struct({
          name: field(string, 'The topic.'),
          numPartitions: field(int32, 'Partitions; -1 is the broker’s default, or what `assignments` says.'),
          replicationFactor: field(int16, 'Copies of each; -1 is the broker’s default, or what `assignments` says.'),
          assignments: field(
            array(
              struct({
                partitionIndex: field(int32, 'The partition.'),
                brokerIds: field(array(int32), 'Brokers with a copy, the first one to lead.'),
              }),
            ),
            'Where the copies go; none leaves that to the broker.',
          ),
          configs: field(
            array(
              struct({
                name: field(string, 'The setting.'),
                value: field(nullable(string), 'Its value.'),
              }),
            ),
            'Settings of the topic.',
          ),
        }),
      ),
      'What to create.',
    ),
    timeoutMs: field(int32, 'How long to wait for it, in milliseconds.', { fallback: 60_000 }),
    validateOnly: field(bool, 'Only says whether it could be done.', { from: 1, fallback: false }),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { fallback: 0 }),
    topics: field(
      array(
        struct({
          name: field(string, 'The topic.'),
          topicId: field(uuid, 'Its id.', { from: 7, fallback: NO_UUID }),
          errorCode: field(int16, 'What is wrong, or 0.'),
          errorMessage: field(nullable(string), 'The same in words.', { fallback: null }),
          topicConfigErrorCode: tagged(0, int16, 'Why the settings are not shown, or 0.', { from: 5 }),
          numPartitions: field(int32, 'Partitions; -1 with an error.', { from: 5, fallback: -1 }),
          replicationFactor: field(int16, 'Copies of each; -1 with an error.', { from: 5, fallback: -1 }),
          configs: field(
            nullable(
              array(
                struct({
                  name: field(string, 'The setting.'),
                  value: field(nullable(string), 'Its value.'),
                  readOnly: field(bool, 'Whether it cannot be changed.'),
                  configSource: field(int8, 'Where the value comes from.', { fallback: -1 }),
                  isSensitive: field(bool, 'Whether the value is a secret, and not shown.'),
                }),
              ),
            ),
            'Settings of the topic.',
            { from: 5, fallback: null },
          ),
        }),
      ),
      'One row for each.',
    ),
  },
})

export const deleteTopics = api({
  key: 20,
  name: 'DeleteTopics',
  doc: 'Deletes topics, by name or by id.',
  versions: [1, 6],
  flexibleFrom: 4,
  request: {
    topics: field(
      array(
        struct({
          name: field(nullable(string), 'The topic; null when the id says it.', { fallback: null }),
          topicId: field(uuid, 'Its id.', { fallback: NO_UUID }),
        }),
      ),
      'What to delete.',
      { from: 6, fallback: [] },
    ),
    topicNames: field(array(string), 'The same in older versions.', { to: 5, fallback: [] }),
    timeoutMs: field(int32, 'How long to wait for it, in milliseconds.'),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { fallback: 0 }),
    responses: field(
      array(
        struct({
          name: field(nullable(string, { from: 6 }), 'The topic; null when its id is unknown.'),
          topicId: field(uuid, 'Its id.', { from: 6, fallback: NO_UUID }),
          errorCode: field(int16, 'What is wrong, or 0.'),
          errorMessage: field(nullable(string), 'The same in words.', { from: 5, fallback: null }),
        }),
      ),
      'One row for each.',
    ),
  },
})

export const createPartitions = api({
  key: 37,
  name: 'CreatePartitions',
  doc: 'Adds partitions to topics.',
  versions: [0, 3],
  flexibleFrom: 2,
  request: {
    topics: field(
      array(
        struct({
          name: field(string, 'The topic.'),
          count: field(int32, 'Partitions it will have, the present ones included.'),
          assignments: field(
            nullable(array(struct({ brokerIds: field(array(int32), 'Brokers with a copy, the first one to lead.') }))),
            'Where the copies of each new one go; null leaves that to the broker.',
          ),
        }),
      ),
      'What to add.',
    ),
    timeoutMs: field(int32, 'How long to wait for it, in milliseconds.'),
    validateOnly: field(bool, 'Only says whether it could be done.'),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { fallback: 0 }),
    results: field(
      array(
        struct({
          name: field(string, 'The topic.'),
          errorCode: field(int16, 'What is wrong, or 0.'),
          errorMessage: field(nullable(string), 'The same in words.', { fallback: null }),
        }),
      ),
      'One row for each.',
    ),
  },
})
