// A request that failed as a whole, answered in its own form: most responses have no room for one error, but one in every
// row, and clients look for it there (apache/kafka `getErrorResponse` of each request).
import type { ApiName, KafkaRequest, KafkaResponse } from './apis.ts'

export interface Failure {
  readonly errorCode: number
  readonly errorMessage: string | null
}
type ErrorResponses = { readonly [Name in ApiName]: (request: KafkaRequest<Name>, failure: Failure) => KafkaResponse<Name> }

const errorResponses: ErrorResponses = {
  apiVersions: (_, { errorCode }) => ({ errorCode, apiKeys: [] }),
  produce: ({ topics }, failure) => ({
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ index }) => ({ index, baseOffset: -1, ...failure })),
    })),
  }),
  // From version 7 on there is room for one error; the rows carry it for older clients.
  fetch: ({ topics }, { errorCode }) => ({
    errorCode,
    topics: topics.map(({ topic, topicId, partitions }) => ({
      topic,
      topicId,
      partitions: partitions.map(({ partition }) => ({ partitionIndex: partition, errorCode, highWatermark: -1, records: null })),
    })),
  }),
  listOffsets: ({ topics }, { errorCode }) => ({
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
    })),
  }),
  metadata: ({ topics }, { errorCode }) => ({
    brokers: [],
    topics: (topics ?? []).map(({ name, topicId }) => ({ name, topicId, errorCode, partitions: [] })),
    errorCode,
  }),
  offsetCommit: ({ topics }, { errorCode }) => ({
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
    })),
  }),
  offsetFetch: ({ topics, groups }, { errorCode }) => ({
    topics: (topics ?? []).map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map(partitionIndex => ({ partitionIndex, committedOffset: -1, metadata: '', errorCode })),
    })),
    errorCode,
    groups: groups.map(({ groupId }) => ({ groupId, topics: [], errorCode })),
  }),
  findCoordinator: ({ coordinatorKeys }, failure) => ({
    ...failure,
    coordinators: coordinatorKeys.map(key => ({ key, nodeId: -1, host: '', port: -1, ...failure })),
  }),
  joinGroup: ({ memberId }, { errorCode }) => ({ errorCode, protocolName: null, leader: '', memberId, members: [] }),
  heartbeat: (_, { errorCode }) => ({ errorCode }),
  leaveGroup: (_, { errorCode }) => ({ errorCode }),
  syncGroup: (_, { errorCode }) => ({ errorCode, assignment: new Uint8Array(0) }),
  describeGroups: ({ groups }, failure) => ({
    groups: groups.map(groupId => ({ groupId, ...failure, groupState: '', protocolType: '', protocolData: '', members: [] })),
  }),
  listGroups: (_, { errorCode }) => ({ errorCode, groups: [] }),
  createTopics: ({ topics }, failure) => ({ topics: topics.map(({ name }) => ({ name, ...failure })) }),
  deleteTopics: ({ topics, topicNames }, failure) => ({
    responses: [...topics, ...topicNames.map(name => ({ name }))].map(topic => ({ ...topic, ...failure })),
  }),
  deleteRecords: ({ topics }, { errorCode }) => ({
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, lowWatermark: -1, errorCode })),
    })),
  }),
  initProducerId: (_, { errorCode }) => ({ errorCode, producerEpoch: -1 }),
  offsetForLeaderEpoch: ({ topics }, { errorCode }) => ({
    topics: topics.map(({ topic, partitions }) => ({ topic, partitions: partitions.map(({ partition }) => ({ partition, errorCode })) })),
  }),
  describeConfigs: ({ resources }, failure) => ({
    results: resources.map(({ resourceType, resourceName }) => ({ resourceType, resourceName, ...failure, configs: [] })),
  }),
  createPartitions: ({ topics }, failure) => ({ results: topics.map(({ name }) => ({ name, ...failure })) }),
  deleteGroups: ({ groupsNames }, { errorCode }) => ({ results: groupsNames.map(groupId => ({ groupId, errorCode })) }),
  describeCluster: ({ endpointType }, failure) => ({ ...failure, endpointType, clusterId: '', brokers: [] }),
}

export function errorResponse<Name extends ApiName>(name: Name, request: KafkaRequest<Name>, failure: Failure): KafkaResponse<Name> {
  return errorResponses[name](request, failure)
}
