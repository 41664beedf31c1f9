// Consumer groups: members with the broker that coordinates their group, which is whoever leads the partition of
// `__consumer_offsets` that the group's name hashes to. The same groups as Kafka's clients see: what members say of
// themselves and get is opaque here (KIP-62, KIP-394, KIP-814).
import { bool, bytes, i53OrNone, list, oneOf, optional, str, u16, u32, type ValueOf } from '../field-types.ts'
import { field, struct } from '../fields.ts'
import { MiB } from '../limits.ts'
import { conversation, rpc } from '../table.ts'
import { topicName } from './stored-topics.ts'

/** Members of one group that one message names. */
export const GROUP_MEMBERS_MAX = 1_000
/** Offsets in one message. */
export const GROUP_OFFSETS_MAX = 10_000
/** Groups in one answer. */
export const GROUPS_LISTED_MAX = 200_000
const NAME_MAX = 255
const OPAQUE_MAX = MiB
const PROTOCOLS_MAX = 16
const WORDS_MAX = 4_096

const group = field(str({ max: NAME_MAX }), 'The name of the group.')
const memberId = field(str({ max: NAME_MAX }), 'The member, as the coordinator named it.')
const instanceId = field(optional(str({ max: NAME_MAX })), 'Its static name, which outlives the process (KIP-345).')
const asMember = {
  group,
  memberId,
  instanceId,
  generation: field(i53OrNone(), 'The round of the group; -1 for whoever commits without being a member.'),
}
const coordinating = ['not_ready', 'no_group_coordinator', 'not_group_coordinator'] as const
const belonging = [...coordinating, 'unknown_member', 'group_generation_over', 'rebalance_in_progress', 'member_replaced'] as const

const groupProtocol = struct('group protocol', {
  name: field(str({ max: NAME_MAX }), 'The assignor.'),
  metadata: field(bytes({ max: OPAQUE_MAX }), 'What the member tells it.'),
})
const joinedMember = struct('joined member', {
  memberId,
  instanceId,
  metadata: field(bytes({ max: OPAQUE_MAX }), 'What it tells the assignor that was chosen.'),
})
const memberAssignment = struct('member assignment', { memberId, assignment: field(bytes({ max: OPAQUE_MAX }), 'What it gets.') })

export const groupJoin = rpc({
  key: 0x0801,
  name: 'group_join',
  doc: 'Becomes a member, or joins the next round. Answered when all members have joined.',
  idempotent: true,
  request: {
    group,
    memberId: field(str({ max: NAME_MAX }), 'Empty the first time: the answer names one, to join again with.'),
    instanceId,
    sessionTimeoutMs: field(u32(), 'Without a sign of life for so long it is out, in milliseconds.'),
    rebalanceTimeoutMs: field(u32(), 'How long it may take to join the next round, in milliseconds.'),
    protocolType: field(str({ max: NAME_MAX }), 'What kind of group it is: `consumer`.'),
    protocols: field(list(groupProtocol, { max: PROTOCOLS_MAX }), 'The assignors it knows, the best first.'),
  },
  response: {
    memberId,
    generation: field(i53OrNone(), 'The round; -1: join again, with that member id.'),
    protocol: field(str({ max: NAME_MAX }), 'The assignor that all know.'),
    leader: field(str({ max: NAME_MAX }), 'The member that assigns.'),
    skipAssignment: field(bool(), 'The leader need not assign: everything stays.'),
    members: field(list(joinedMember, { max: GROUP_MEMBERS_MAX }), 'For the leader: all members.'),
  },
  errors: [...belonging, 'inconsistent_assignors', 'group_full', 'invalid_argument'],
})

export const groupSync = rpc({
  key: 0x0802,
  name: 'group_sync',
  doc: 'Asks for what the member gets in this round; the leader says what each gets.',
  idempotent: true,
  request: { ...asMember, assignments: field(list(memberAssignment, { max: GROUP_MEMBERS_MAX }), 'From the leader: of each member.') },
  response: { assignment: field(bytes({ max: OPAQUE_MAX }), 'What this member gets.') },
  errors: belonging,
})

export const groupHeartbeat = rpc({
  key: 0x0803,
  name: 'group_heartbeat',
  doc: 'The member is alive.',
  idempotent: true,
  request: asMember,
  response: {},
  errors: belonging,
})

export const groupLeave = rpc({
  key: 0x0804,
  name: 'group_leave',
  doc: 'The member goes: the others need not wait for it.',
  idempotent: true,
  request: { group, memberId, instanceId },
  response: {},
  errors: belonging,
})

const committedOffset = struct('committed offset', {
  topic: field(topicName(), 'The topic.'),
  partition: field(u32(), 'The partition.'),
  offset: field(i53OrNone(), 'The next offset to read; -1 when there is none.'),
  leaderEpoch: field(i53OrNone(), 'In which the record before it was written; -1 when that is not known.'),
  metadata: field(str({ max: WORDS_MAX }), 'Words that go with it.'),
})
export type CommittedOffset = ValueOf<typeof committedOffset>

export const groupCommit = rpc({
  key: 0x0805,
  name: 'group_commit',
  doc: 'Remembers how far the group has come.',
  idempotent: true,
  request: { ...asMember, offsets: field(list(committedOffset, { max: GROUP_OFFSETS_MAX }), 'Of each partition.') },
  response: { errors: field(list(u16(), { max: GROUP_OFFSETS_MAX }), 'Of each, in order: the code of an error, or 0.') },
  errors: [...belonging, 'commit_too_large'],
})

const groupPlace = struct('group place', { topic: field(topicName(), 'The topic.'), partition: field(u32(), 'The partition.') })

export const groupOffsets = rpc({
  key: 0x0806,
  name: 'group_offsets',
  doc: 'Reads how far the group has come.',
  idempotent: true,
  request: {
    group,
    places: field(optional(list(groupPlace, { max: GROUP_OFFSETS_MAX })), 'Which partitions; nothing: all that were committed.'),
  },
  response: { offsets: field(list(committedOffset, { max: GROUP_OFFSETS_MAX }), 'Of each.') },
  errors: coordinating,
})

const groupState = oneOf('empty', 'preparing_rebalance', 'completing_rebalance', 'stable', 'dead')
const describedMember = struct('described member', {
  memberId,
  instanceId,
  clientId: field(str({ max: NAME_MAX }), 'What its client calls itself.'),
  clientHost: field(str({ max: NAME_MAX }), 'Where it is.'),
  assignment: field(bytes({ max: OPAQUE_MAX }), 'What it has; empty while the group is not stable.'),
})

export const groupDescribe = rpc({
  key: 0x0807,
  name: 'group_describe',
  doc: 'Who is in a group, and what each has.',
  idempotent: true,
  request: { group },
  response: {
    state: field(groupState, 'How it is; `dead`: there is none.'),
    protocolType: field(str({ max: NAME_MAX }), 'What kind of group it is.'),
    protocol: field(str({ max: NAME_MAX }), 'The assignor.'),
    members: field(list(describedMember, { max: GROUP_MEMBERS_MAX }), 'All of them.'),
  },
  errors: coordinating,
})

const listedGroup = struct('listed group', {
  group,
  state: field(groupState, 'How it is.'),
  protocolType: field(str({ max: NAME_MAX }), 'What kind of group it is.'),
})

export const groupList = rpc({
  key: 0x0808,
  name: 'group_list',
  doc: 'The groups that this broker coordinates.',
  idempotent: true,
  request: {},
  response: { groups: field(list(listedGroup, { max: GROUPS_LISTED_MAX }), 'All of them.') },
  errors: ['not_ready', 'no_group_coordinator'],
})

export const groupsConversation = conversation({
  name: 'groups',
  doc: 'Members of consumer groups with the broker that coordinates their group.',
  keys: 0x08,
  messages: { groupJoin, groupSync, groupHeartbeat, groupLeave, groupCommit, groupOffsets, groupDescribe, groupList },
})
