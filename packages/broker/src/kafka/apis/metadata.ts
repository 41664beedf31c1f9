// Metadata and DescribeCluster: where the brokers are, and who leads what.
import { api } from '../api.ts'
import { field, struct } from '../fields.ts'
import { array, bool, int8, int16, int32, NO_UUID, nullable, string, uuid } from '../kinds.ts'

/** `…AuthorizedOperations` when nobody asked for them. */
export const OPERATIONS_NOT_ASKED = -0x8000_0000

export const metadata = api({
  key: 3,
  name: 'Metadata',
  doc: 'Brokers, topics, partitions and their leaders.',
  versions: [0, 13],
  flexibleFrom: 9,
  request: {
    topics: field(
      nullable(
        array(
          struct({
            topicId: field(uuid, 'The topic, when its name is null (served from version 12 on).', { from: 10, fallback: NO_UUID }),
            name: field(nullable(string, { from: 10 }), 'The topic.'),
          }),
        ),
        { from: 1 },
      ),
      'What to describe. All topics: null, or in version 0 none.',
    ),
    allowAutoTopicCreation: field(bool, 'Whether a topic that is asked for may be created.', { from: 4, fallback: true }),
    includeClusterAuthorizedOperations: field(bool, 'Whether to say what the client may do to the cluster.', {
      from: 8,
      to: 10,
      fallback: false,
    }),
    includeTopicAuthorizedOperations: field(bool, 'Whether to say what the client may do to each topic.', { from: 8, fallback: false }),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { from: 3, fallback: 0 }),
    brokers: field(
      array(
        struct({
          nodeId: field(int32, 'The broker.'),
          host: field(string, 'Where clients reach it.'),
          port: field(int32, 'Its port.'),
          rack: field(nullable(string, { from: 1 }), 'Where it stands.', { from: 1, fallback: null }),
        }),
      ),
      'All live brokers.',
    ),
    clusterId: field(nullable(string, { from: 2 }), 'The cluster.', { from: 2, fallback: null }),
    controllerId: field(int32, 'The broker that admin requests go to; -1 is none.', { from: 1, fallback: -1 }),
    topics: field(
      array(
        struct({
          errorCode: field(int16, 'Why the topic cannot be described, or 0.'),
          name: field(nullable(string, { from: 12 }), 'The topic; null when it was asked for by an id that is unknown.'),
          topicId: field(uuid, 'Its id.', { from: 10, fallback: NO_UUID }),
          isInternal: field(bool, 'Whether it is the brokers’ own.', { from: 1, fallback: false }),
          partitions: field(
            array(
              struct({
                errorCode: field(int16, 'Why the partition has no leader, or 0.'),
                partitionIndex: field(int32, 'The partition.'),
                leaderId: field(int32, 'The broker that leads it; -1 is none.'),
                leaderEpoch: field(int32, 'The leader’s epoch; -1 is unknown.', { from: 7, fallback: -1 }),
                replicaNodes: field(array(int32), 'Brokers with a copy.'),
                isrNodes: field(array(int32), 'Those of them in sync.'),
                offlineReplicas: field(array(int32), 'Those of them that are down.', { from: 5, fallback: [] }),
              }),
            ),
            'Its partitions.',
          ),
          topicAuthorizedOperations: field(int32, 'Bits of what the client may do; -2^31 when not asked.', {
            from: 8,
            fallback: OPERATIONS_NOT_ASKED,
          }),
        }),
      ),
      'The topics asked for.',
    ),
    clusterAuthorizedOperations: field(int32, 'Bits of what the client may do; -2^31 when not asked.', {
      from: 8,
      to: 10,
      fallback: OPERATIONS_NOT_ASKED,
    }),
    errorCode: field(int16, 'What is wrong with the request as a whole, or 0 (KIP-1102).', { from: 13, fallback: 0 }),
  },
})

export const describeCluster = api({
  key: 60,
  name: 'DescribeCluster',
  doc: 'The brokers and the controller.',
  versions: [0, 2],
  flexibleFrom: 0,
  request: {
    includeClusterAuthorizedOperations: field(bool, 'Whether to say what the client may do to the cluster.'),
    endpointType: field(int8, '1 asks for brokers, 2 for controllers.', { from: 1, fallback: 1 }),
    includeFencedBrokers: field(bool, 'Whether brokers that are out of service are listed too.', { from: 2, fallback: false }),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { fallback: 0 }),
    errorCode: field(int16, 'What is wrong, or 0.'),
    errorMessage: field(nullable(string), 'The same in words.', { fallback: null }),
    endpointType: field(int8, 'As in the request.', { from: 1, fallback: 1 }),
    clusterId: field(string, 'The cluster.'),
    controllerId: field(int32, 'The broker that admin requests go to; -1 is none.', { fallback: -1 }),
    brokers: field(
      array(
        struct({
          brokerId: field(int32, 'The broker.'),
          host: field(string, 'Where clients reach it.'),
          port: field(int32, 'Its port.'),
          rack: field(nullable(string), 'Where it stands.', { fallback: null }),
          isFenced: field(bool, 'Whether it is out of service.', { from: 2, fallback: false }),
        }),
      ),
      'The brokers.',
    ),
    clusterAuthorizedOperations: field(int32, 'Bits of what the client may do; -2^31 when not asked.', { fallback: OPERATIONS_NOT_ASKED }),
  },
})
