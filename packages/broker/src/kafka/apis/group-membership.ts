// Who is a member of a consumer group and what each one gets: the classic protocol (KIP-62, KIP-345, KIP-394).
import { api } from '../api.ts'
import { field, struct } from '../fields.ts'
import { array, bool, bytes, int8, int16, int32, nullable, string } from '../kinds.ts'

export const findCoordinator = api({
  key: 10,
  name: 'FindCoordinator',
  doc: 'Which broker a group or a transactional producer belongs to.',
  versions: [0, 6],
  flexibleFrom: 3,
  request: {
    key: field(string, 'The group or transactional id.', { to: 3, fallback: '' }),
    keyType: field(int8, '0: group; 1: transaction; 2: share group.', { from: 1, fallback: 0 }),
    coordinatorKeys: field(array(string), 'The same for several at once.', { from: 4, fallback: [] }),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { from: 1, fallback: 0 }),
    errorCode: field(int16, 'What is wrong, or 0.', { to: 3, fallback: 0 }),
    errorMessage: field(nullable(string), 'The same in words.', { from: 1, to: 3, fallback: null }),
    nodeId: field(int32, 'The broker.', { to: 3, fallback: -1 }),
    host: field(string, 'Where clients reach it.', { to: 3, fallback: '' }),
    port: field(int32, 'Its port.', { to: 3, fallback: -1 }),
    coordinators: field(
      array(
        struct({
          key: field(string, 'What was asked for.'),
          nodeId: field(int32, 'The broker; -1 with an error.'),
          host: field(string, 'Where clients reach it.'),
          port: field(int32, 'Its port.'),
          errorCode: field(int16, 'What is wrong, or 0.'),
          errorMessage: field(nullable(string), 'The same in words.', { fallback: null }),
        }),
      ),
      'One row for each key.',
      { from: 4, fallback: [] },
    ),
  },
})

export const joinGroup = api({
  key: 11,
  name: 'JoinGroup',
  doc: 'Enters a group; answered when all members did. One of them, the leader, is told of all.',
  versions: [0, 9],
  flexibleFrom: 6,
  request: {
    groupId: field(string, 'The group.'),
    sessionTimeoutMs: field(int32, 'Silent for longer, a member is out, in milliseconds.'),
    rebalanceTimeoutMs: field(int32, 'How long others wait for it to join again, in milliseconds; -1 is the session timeout.', {
      from: 1,
      fallback: -1,
    }),
    memberId: field(string, 'As the coordinator called it; empty the first time.'),
    groupInstanceId: field(nullable(string), 'The name of a static member.', { from: 5, fallback: null }),
    protocolType: field(string, 'What the group is for: `consumer`, `connect`.'),
    protocols: field(
      array(
        struct({
          name: field(string, 'An assignor that the member knows.'),
          metadata: field(bytes, 'What it tells that assignor; opaque.'),
        }),
      ),
      'In the member’s order of preference.',
    ),
    reason: field(nullable(string), 'Why it joins, for logs.', { from: 8, fallback: null }),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { from: 2, fallback: 0 }),
    errorCode: field(int16, 'What is wrong, or 0.'),
    generationId: field(int32, 'Counts the group’s rounds; -1 with an error.', { fallback: -1 }),
    protocolType: field(nullable(string), 'What the group is for.', { from: 7, fallback: null }),
    protocolName: field(nullable(string, { from: 7 }), 'The assignor chosen.'),
    leader: field(string, 'The member that assigns.'),
    skipAssignment: field(bool, 'The leader need not assign: nothing changed (KIP-814).', { from: 9, fallback: false }),
    memberId: field(string, 'What the member is called.'),
    members: field(
      array(
        struct({
          memberId: field(string, 'The member.'),
          groupInstanceId: field(nullable(string), 'Its name, if it is static.', { from: 5, fallback: null }),
          metadata: field(bytes, 'What it tells the assignor.'),
        }),
      ),
      'For the leader: all members.',
    ),
  },
})

export const syncGroup = api({
  key: 14,
  name: 'SyncGroup',
  doc: 'The leader brings the assignment, every member fetches its own.',
  versions: [0, 5],
  flexibleFrom: 4,
  request: {
    groupId: field(string, 'The group.'),
    generationId: field(int32, 'The round.'),
    memberId: field(string, 'The member.'),
    groupInstanceId: field(nullable(string), 'Its name, if it is static.', { from: 3, fallback: null }),
    protocolType: field(nullable(string), 'What it believes the group to be for.', { from: 5, fallback: null }),
    protocolName: field(nullable(string), 'The assignor that it believes chosen.', { from: 5, fallback: null }),
    assignments: field(
      array(
        struct({
          memberId: field(string, 'The member.'),
          assignment: field(bytes, 'What it gets; opaque.'),
        }),
      ),
      'From the leader: one for each member.',
    ),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { from: 1, fallback: 0 }),
    errorCode: field(int16, 'What is wrong, or 0.'),
    protocolType: field(nullable(string), 'What the group is for.', { from: 5, fallback: null }),
    protocolName: field(nullable(string), 'The assignor chosen.', { from: 5, fallback: null }),
    assignment: field(bytes, 'What the member gets.'),
  },
})

export const heartbeat = api({
  key: 12,
  name: 'Heartbeat',
  doc: 'A member is alive; the answer says whether it has to join again.',
  versions: [0, 4],
  flexibleFrom: 4,
  request: {
    groupId: field(string, 'The group.'),
    generationId: field(int32, 'The round.'),
    memberId: field(string, 'The member.'),
    groupInstanceId: field(nullable(string), 'Its name, if it is static.', { from: 3, fallback: null }),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { from: 1, fallback: 0 }),
    errorCode: field(int16, 'What is wrong, or 0.'),
  },
})

export const leaveGroup = api({
  key: 13,
  name: 'LeaveGroup',
  doc: 'Leaves a group, or removes members from it.',
  versions: [0, 5],
  flexibleFrom: 4,
  request: {
    groupId: field(string, 'The group.'),
    memberId: field(string, 'The member.', { to: 2, fallback: '' }),
    members: field(
      array(
        struct({
          memberId: field(string, 'The member; may be empty for a static one.'),
          groupInstanceId: field(nullable(string), 'Its name, if it is static.', { fallback: null }),
          reason: field(nullable(string), 'Why it leaves, for logs.', { from: 5, fallback: null }),
        }),
      ),
      'The members.',
      { from: 3, fallback: [] },
    ),
  },
  response: {
    throttleTimeMs: field(int32, 'How long the client was held up for its quota, in milliseconds.', { from: 1, fallback: 0 }),
    errorCode: field(int16, 'What is wrong with the request as a whole, or 0.'),
    members: field(
      array(
        struct({
          memberId: field(string, 'The member.'),
          groupInstanceId: field(nullable(string), 'Its name, if it is static.'),
          errorCode: field(int16, 'What is wrong, or 0.'),
        }),
      ),
      'What became of each.',
      { from: 3, fallback: [] },
    ),
  },
})
