// What the Kafka listener serves: every request that has a handler here is told of to clients, and no other.
import { type AskGroups, groupHandlers } from '../groups/kafka-handlers.ts'
import type { KafkaHandlers } from '../kafka/handlers.ts'
import type { BrokerParts } from './broker-parts.ts'
import { findCoordinator } from './coordinators.ts'
import { deleteRecords, fetch, listOffsets, offsetForLeaderEpoch } from './fetch.ts'
import { describeCluster, metadata } from './metadata.ts'
import { initProducerId, produce } from './produce.ts'
import { createPartitions, createTopics, deleteTopics, describeConfigs } from './topics.ts'

export function kafkaHandlers(parts: BrokerParts, groups: AskGroups): KafkaHandlers {
  return {
    ...groupHandlers(groups),
    metadata: (request, { apiVersion }) => metadata(parts, request, apiVersion),
    describeCluster: request => describeCluster(parts, request),
    produce: (request, { apiVersion }) => produce(parts, request, apiVersion),
    initProducerId: request => initProducerId(parts, request),
    fetch: request => fetch(parts, request),
    listOffsets: request => listOffsets(parts, request),
    offsetForLeaderEpoch: request => offsetForLeaderEpoch(parts, request),
    deleteRecords: request => deleteRecords(parts, request),
    createTopics: request => createTopics(parts, request),
    createPartitions: request => createPartitions(parts, request),
    deleteTopics: request => deleteTopics(parts, request),
    describeConfigs: request => describeConfigs(parts, request),
    findCoordinator: (request, { apiVersion }) => findCoordinator(parts, request, apiVersion),
  }
}
