// Every request of Kafka's protocol that is known here: the tables, by the name under which handlers serve them.
import type { Api, RequestOf, ResponseOf } from './api.ts'
import { apiVersions } from './apis/api-versions.ts'
import { describeConfigs } from './apis/configs.ts'
import { fetch } from './apis/fetch.ts'
import { deleteGroups, describeGroups, listGroups } from './apis/group-admin.ts'
import { findCoordinator, heartbeat, joinGroup, leaveGroup, syncGroup } from './apis/group-membership.ts'
import { offsetCommit, offsetFetch } from './apis/group-offsets.ts'
import { describeCluster, metadata } from './apis/metadata.ts'
import { deleteRecords, listOffsets, offsetForLeaderEpoch } from './apis/offsets.ts'
import { initProducerId, produce } from './apis/produce.ts'
import { createPartitions, createTopics, deleteTopics } from './apis/topics.ts'

export const apis = {
  produce,
  fetch,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  findCoordinator,
  joinGroup,
  heartbeat,
  leaveGroup,
  syncGroup,
  describeGroups,
  listGroups,
  apiVersions,
  createTopics,
  deleteTopics,
  deleteRecords,
  initProducerId,
  offsetForLeaderEpoch,
  describeConfigs,
  createPartitions,
  deleteGroups,
  describeCluster,
} as const
export type ApiName = keyof typeof apis
/** What a handler of the request is given. */
export type KafkaRequest<Name extends ApiName> = RequestOf<(typeof apis)[Name]>
/** What it answers; fields with a fallback may be left out. */
export type KafkaResponse<Name extends ApiName> = ResponseOf<(typeof apis)[Name]>

/** An API of any shape: to be read and written by name of field. */
export interface NamedApi {
  readonly name: ApiName
  readonly api: Api
}

const byKey: ReadonlyMap<number, NamedApi> = new Map(
  Object.entries(apis).map(([name, api]) => [api.key, { name: name as ApiName, api: api as unknown as Api }]),
)

export function apiOf(key: number): NamedApi | undefined {
  return byKey.get(key)
}
