// The groups conversation: what native clients ask of the groups that are coordinated here. They are the same groups as those
// of Kafka's clients.
import { type ErrorCode, errorRows, type groupsConversation, type HandlersOf, ProtocolError } from '@atoll/protocol'
import type { GroupAnswer, GroupRequest } from '../groups/group-messages.ts'
import type { AskGroups } from '../groups/kafka-handlers.ts'
import type { KafkaErrorName } from '../kafka/kafka-errors.ts'

type Answer<K extends GroupAnswer['kind']> = GroupAnswer & { readonly kind: K }

const codes: Readonly<Partial<Record<KafkaErrorName, ErrorCode>>> = {
  coordinator_not_available: 'no_group_coordinator',
  coordinator_load_in_progress: 'no_group_coordinator',
  not_coordinator: 'not_group_coordinator',
  unknown_member_id: 'unknown_member',
  illegal_generation: 'group_generation_over',
  rebalance_in_progress: 'rebalance_in_progress',
  inconsistent_group_protocol: 'inconsistent_assignors',
  group_max_size_reached: 'group_full',
  group_id_not_found: 'unknown_group',
  non_empty_group: 'group_not_empty',
  fenced_instance_id: 'member_replaced',
  offset_metadata_too_large: 'commit_too_large',
  invalid_commit_offset_size: 'commit_too_large',
  invalid_group_id: 'invalid_argument',
  invalid_session_timeout: 'invalid_argument',
  request_timed_out: 'request_timed_out',
}
const codeOf = (error: KafkaErrorName): ErrorCode => codes[error] ?? 'internal_error'

/** `groups`: undefined before there is somebody to ask. */
export function groupsHandlers(groups: () => AskGroups | undefined): HandlersOf<typeof groupsConversation> {
  const ask = async <K extends GroupAnswer['kind']>(
    request: Extract<GroupRequest, { readonly kind: K }>,
    signal: AbortSignal,
    fine: readonly KafkaErrorName[] = [],
  ): Promise<Answer<K>> => {
    const service = groups()
    if (service === undefined) throw new ProtocolError('not_ready', 'this broker is starting')
    const answer = (await service(request, signal)) as Answer<K>
    if (answer.error !== 'none' && !fine.includes(answer.error)) throw new ProtocolError(codeOf(answer.error))
    return answer
  }
  return {
    groupJoin: async ({ group, ...member }, { peer, signal }) => {
      const about = { groupId: group, clientId: peer.node, clientHost: peer.role, idFirst: true, maySkip: true }
      const answer = await ask({ kind: 'join', ...about, ...member }, signal, ['member_id_required'])
      const { memberId, generation, protocol = '', leader, skipAssignment, members } = answer
      return { memberId, generation, protocol, leader, skipAssignment, members }
    },
    groupSync: async ({ group, ...member }, { signal }) => {
      const spoken = { protocolType: undefined, protocol: undefined }
      const { assignment } = await ask({ kind: 'sync', groupId: group, ...member, ...spoken }, signal)
      return { assignment }
    },
    groupHeartbeat: async ({ group, ...member }, { signal }) => {
      await ask({ kind: 'heartbeat', groupId: group, ...member }, signal)
      return {}
    },
    groupLeave: async ({ group, ...member }, { signal }) => {
      const { members } = await ask({ kind: 'leave', groupId: group, members: [member] }, signal)
      const [error = 'none'] = members
      if (error !== 'none') throw new ProtocolError(codeOf(error))
      return {}
    },
    groupCommit: async ({ group, ...member }, { signal }) => {
      const { offsets } = await ask({ kind: 'commit', groupId: group, ...member }, signal)
      return { errors: offsets.map(error => (error === 'none' ? 0 : errorRows[codeOf(error)].code)) }
    },
    groupOffsets: async ({ group, places }, { signal }) => {
      const { offsets } = await ask({ kind: 'fetch', groupId: group, places }, signal)
      return { offsets }
    },
    groupDescribe: async ({ group }, { signal }) => {
      const { state, protocolType, protocol, members } = await ask({ kind: 'describe', groupId: group }, signal, ['group_id_not_found'])
      return { state, protocolType, protocol, members }
    },
    groupList: async (_request, { signal }) => {
      const { groups: found } = await ask({ kind: 'list' }, signal)
      return { groups: found.map(({ groupId, protocolType, state }) => ({ group: groupId, protocolType, state })) }
    },
  }
}
