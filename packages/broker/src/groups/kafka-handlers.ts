// Kafka's requests about groups, in all the versions that are served, as requests to the group service and back.
import type { KafkaHandlers } from '../kafka/handlers.ts'
import { type KafkaErrorName, kafkaErrorCode } from '../kafka/kafka-errors.ts'
import type { FetchedOffset, GroupAnswer, GroupRequest, GroupState, OffsetPlace } from './group-messages.ts'

/** Answers one request; `signal` says that nobody waits any more. */
export type AskGroups = (request: GroupRequest, signal: AbortSignal) => Promise<GroupAnswer>

type Served =
  | 'joinGroup'
  | 'syncGroup'
  | 'heartbeat'
  | 'leaveGroup'
  | 'offsetCommit'
  | 'offsetFetch'
  | 'describeGroups'
  | 'listGroups'
  | 'deleteGroups'
type Answer<K extends GroupAnswer['kind']> = GroupAnswer & { readonly kind: K }

/** Since that version clients know that they may be asked to join twice (KIP-394). */
const JOIN_ID_FIRST = 4
/** Since that version a leader can be told that it need not assign (KIP-814). */
const JOIN_MAY_SKIP = 9
/** Since that version several members leave at once. */
const LEAVE_MANY = 3
/** Since that version several groups are asked for at once. */
const FETCH_MANY = 8

const stateNames: Readonly<Record<GroupState, string>> = {
  empty: 'Empty',
  preparing_rebalance: 'PreparingRebalance',
  completing_rebalance: 'CompletingRebalance',
  stable: 'Stable',
  dead: 'Dead',
}
const code = (error: KafkaErrorName) => kafkaErrorCode(error)
const orNothing = (value: string | null): string | undefined => value ?? undefined

export function groupHandlers(service: AskGroups): Required<Pick<KafkaHandlers, Served>> {
  const ask = async <K extends GroupAnswer['kind']>(request: Extract<GroupRequest, { readonly kind: K }>, signal: AbortSignal) =>
    (await service(request, signal)) as Answer<K>
  return {
    joinGroup: async (request, { client, apiVersion, clientId }) => {
      const { groupId, memberId, groupInstanceId, sessionTimeoutMs, rebalanceTimeoutMs, protocolType, protocols } = request
      const member = {
        groupId,
        memberId,
        instanceId: orNothing(groupInstanceId),
        clientId: clientId ?? '',
        clientHost: hostOf(client.remote),
      }
      const knows = { idFirst: apiVersion >= JOIN_ID_FIRST, maySkip: apiVersion >= JOIN_MAY_SKIP }
      const answer = await ask(
        { kind: 'join', ...member, sessionTimeoutMs, rebalanceTimeoutMs, protocolType, protocols, ...knows },
        client.signal,
      )
      return {
        errorCode: code(answer.error),
        generationId: answer.generation,
        protocolType: answer.protocolType ?? null,
        protocolName: answer.protocol ?? (apiVersion >= 7 ? null : ''),
        leader: answer.leader,
        skipAssignment: answer.skipAssignment,
        memberId: answer.memberId,
        members: answer.members.map(one => ({ memberId: one.memberId, groupInstanceId: one.instanceId ?? null, metadata: one.metadata })),
      }
    },
    syncGroup: async ({ groupId, generationId, memberId, groupInstanceId, protocolType, protocolName, assignments }, { client }) => {
      const member = { groupId, generation: generationId, memberId, instanceId: orNothing(groupInstanceId) }
      const spoken = { protocolType: orNothing(protocolType), protocol: orNothing(protocolName) }
      const answer = await ask({ kind: 'sync', ...member, ...spoken, assignments }, client.signal)
      return {
        errorCode: code(answer.error),
        protocolType: answer.protocolType ?? null,
        protocolName: answer.protocol ?? null,
        assignment: answer.assignment,
      }
    },
    heartbeat: async ({ groupId, generationId, memberId, groupInstanceId }, { client }) => {
      const member = { groupId, generation: generationId, memberId, instanceId: orNothing(groupInstanceId) }
      return { errorCode: code((await ask({ kind: 'heartbeat', ...member }, client.signal)).error) }
    },
    leaveGroup: async ({ groupId, memberId, members }, { client, apiVersion }) => {
      const leaving = apiVersion >= LEAVE_MANY ? members : [{ memberId, groupInstanceId: null }]
      const rows = leaving.map(one => ({ memberId: one.memberId, instanceId: orNothing(one.groupInstanceId) }))
      const answer = await ask({ kind: 'leave', groupId, members: rows }, client.signal)
      // One that leaves alone is told in the place of the request.
      const alone = apiVersion >= LEAVE_MANY ? 'none' : (answer.members[0] ?? 'none')
      return {
        errorCode: code(answer.error === 'none' ? alone : answer.error),
        members: answer.members.map((error, i) => ({
          memberId: rows[i]?.memberId ?? '',
          groupInstanceId: rows[i]?.instanceId ?? null,
          errorCode: code(error),
        })),
      }
    },
    offsetCommit: async ({ groupId, generationIdOrMemberEpoch, memberId, groupInstanceId, topics }, { client }) => {
      const member = { groupId, generation: generationIdOrMemberEpoch, memberId, instanceId: orNothing(groupInstanceId) }
      const offsets = topics.flatMap(({ name, partitions }) =>
        partitions.map(({ partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata }) => ({
          topic: name,
          partition: partitionIndex,
          offset: committedOffset,
          leaderEpoch: committedLeaderEpoch,
          metadata: committedMetadata ?? '',
        })),
      )
      const answer = await ask({ kind: 'commit', ...member, offsets }, client.signal)
      let at = 0
      return {
        topics: topics.map(({ name, partitions }) => ({
          name,
          partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: code(answer.offsets[at++] ?? answer.error) })),
        })),
      }
    },
    offsetFetch: async ({ groupId, topics, groups }, { client, apiVersion }) => {
      if (apiVersion < FETCH_MANY) {
        const answer = await ask({ kind: 'fetch', groupId, places: placesOf(topics) }, client.signal)
        // The oldest versions have no other place to say what is wrong.
        const rows = answer.error === 'none' ? answer.offsets : (placesOf(topics) ?? []).map(nothingAt)
        return { topics: fetchedTopics(rows, answer.error), errorCode: code(answer.error) }
      }
      const asked = groups.map(async one => {
        const answer = await ask({ kind: 'fetch', groupId: one.groupId, places: placesOf(one.topics) }, client.signal)
        return { groupId: one.groupId, topics: fetchedTopics(answer.offsets, 'none'), errorCode: code(answer.error) }
      })
      return { groups: await Promise.all(asked) }
    },
    describeGroups: async ({ groups }, { client }) => {
      const asked = groups.map(async groupId => {
        const { error, state, protocolType, protocol, members } = await ask({ kind: 'describe', groupId }, client.signal)
        return {
          errorCode: code(error),
          groupId,
          groupState: error === 'none' ? stateNames[state] : '',
          protocolType,
          protocolData: protocol,
          members: members.map(({ memberId, instanceId, clientId, clientHost, metadata, assignment }) => ({
            memberId,
            groupInstanceId: instanceId ?? null,
            clientId,
            clientHost,
            memberMetadata: metadata,
            memberAssignment: assignment,
          })),
        }
      })
      return { groups: await Promise.all(asked) }
    },
    listGroups: async ({ statesFilter, typesFilter }, { client }) => {
      const { error, groups } = await ask({ kind: 'list' }, client.signal)
      const rows = groups.map(({ groupId, protocolType, state }) => ({
        groupId,
        protocolType,
        groupState: stateNames[state],
        groupType: 'classic',
      }))
      const wanted = (filter: readonly string[], value: string) =>
        filter.length === 0 || filter.some(one => one.toLowerCase() === value.toLowerCase())
      return {
        errorCode: code(error),
        groups: rows.filter(row => wanted(statesFilter, row.groupState) && wanted(typesFilter, row.groupType)),
      }
    },
    deleteGroups: async ({ groupsNames }, { client }) => {
      const asked = groupsNames.map(async groupId => ({
        groupId,
        errorCode: code((await ask({ kind: 'delete', groupId }, client.signal)).error),
      }))
      return { results: await Promise.all(asked) }
    },
  }
}

type AskedTopics = readonly { readonly name: string; readonly partitionIndexes: readonly number[] }[] | null

/** Undefined: all there are. */
function placesOf(topics: AskedTopics): OffsetPlace[] | undefined {
  return topics?.flatMap(({ name, partitionIndexes }) => partitionIndexes.map(partition => ({ topic: name, partition })))
}

const nothingAt = (place: OffsetPlace): FetchedOffset => ({ ...place, offset: -1, leaderEpoch: -1, metadata: '' })

/** Rows of one topic stand together, in the order in which topics were asked for. */
function fetchedTopics(rows: readonly FetchedOffset[], error: KafkaErrorName) {
  const topics = new Map<string, FetchedOffset[]>()
  for (const row of rows) {
    const mates = topics.get(row.topic)
    if (mates === undefined) topics.set(row.topic, [row])
    else mates.push(row)
  }
  return [...topics].map(([name, partitions]) => ({
    name,
    partitions: partitions.map(({ partition, offset, leaderEpoch, metadata }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: leaderEpoch,
      metadata,
      errorCode: code(error),
    })),
  }))
}

/** As Kafka writes it: a slash, and the address without its port. */
function hostOf(remote: string): string {
  const end = remote.lastIndexOf(':')
  return `/${end < 0 ? remote : remote.slice(0, end)}`
}
