// What members and administrators are told of a group.
import type { GroupAnswer, GroupState, JoinAnswer, MemberDescription, SyncAnswer } from './group-messages.ts'
import { type Member, metadataOf } from './member.ts'

/** What all members of a round agree on. */
export interface Round {
  readonly generation: number
  readonly protocolType: string | undefined
  /** What they speak. */
  readonly protocol: string | undefined
  readonly leader: string | undefined
}

const NOTHING = new Uint8Array(0)

/** The round has begun: its leader is told of all members. */
export function joinAnswerOf(
  { generation, protocolType, protocol, leader = '' }: Round,
  member: Member,
  all: readonly Member[],
): JoinAnswer {
  const told = (one: Member) => ({ memberId: one.id, instanceId: one.instanceId, metadata: metadataOf(one, protocol) })
  const members = member.id === leader ? all.map(told) : []
  return { kind: 'join', error: 'none', generation, protocolType, protocol, leader, memberId: member.id, members, skipAssignment: false }
}

export function assignmentOf({ protocolType, protocol }: Round, { assignment }: Member): SyncAnswer {
  return { kind: 'sync', error: 'none', protocolType, protocol, assignment }
}

/** What was told to the assignor, and what came of it, only once that is settled. */
export function descriptionOf(state: GroupState, { protocolType = '', protocol = '' }: Round, all: readonly Member[]): GroupAnswer {
  const stable = state === 'stable'
  const members = all.map((member): MemberDescription => {
    const { id, instanceId, clientId, clientHost, assignment } = member
    const settled = { metadata: stable ? metadataOf(member, protocol) : NOTHING, assignment: stable ? assignment : NOTHING }
    return { memberId: id, instanceId, clientId, clientHost, ...settled }
  })
  return { kind: 'describe', error: 'none', state, protocolType, protocol: stable ? protocol : '', members }
}
