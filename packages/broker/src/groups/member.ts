// One member of a group, and the choice of what all members speak.
import type { MonotonicMs } from '@atoll/base'
import type { JoinRequest, Protocol } from './group-messages.ts'
import type { StoredMember } from './group-records.ts'

const NOTHING = new Uint8Array(0)

export interface Member {
  readonly id: string
  readonly instanceId: string | undefined
  clientId: string
  clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  protocols: readonly Protocol[]
  assignment: Uint8Array
  /** The request with which it joins, while that waits for the others. */
  joining: number | undefined
  /** The request with which it fetches its assignment, while that waits for the leader. */
  syncing: number | undefined
  /** It was told of this round, and has not asked for its assignment yet. */
  owesSync: boolean
  /** Without a sign of life it is out then. One whose request waits is alive: we owe it an answer. */
  aliveUntilMs: MonotonicMs
}

export function memberOf(id: string, request: JoinRequest, nowMs: MonotonicMs): Member {
  const { instanceId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocols } = request
  return {
    id,
    instanceId,
    clientId,
    clientHost,
    sessionTimeoutMs,
    rebalanceTimeoutMs: rebalanceTimeoutMs < 0 ? sessionTimeoutMs : rebalanceTimeoutMs,
    protocols: protocols.map(({ name, metadata }) => ({ name, metadata: new Uint8Array(metadata) })),
    assignment: NOTHING,
    joining: undefined,
    syncing: undefined,
    owesSync: false,
    aliveUntilMs: (nowMs + sessionTimeoutMs) as MonotonicMs,
  }
}

/** A member as another coordinator stored it. Of what it knows only what the group speaks was stored. */
export function restoredMember(stored: StoredMember, protocol: string | null, nowMs: MonotonicMs): Member {
  const { memberId, groupInstanceId, clientId, clientHost, rebalanceTimeout, sessionTimeout, subscription, assignment } = stored
  return {
    id: memberId,
    instanceId: groupInstanceId ?? undefined,
    clientId,
    clientHost,
    sessionTimeoutMs: sessionTimeout,
    rebalanceTimeoutMs: rebalanceTimeout,
    protocols: [{ name: protocol ?? '', metadata: new Uint8Array(subscription) }],
    assignment: new Uint8Array(assignment),
    joining: undefined,
    syncing: undefined,
    owesSync: false,
    aliveUntilMs: (nowMs + sessionTimeout) as MonotonicMs,
  }
}

/** What the member said with this join counts from now on. */
export function renew(member: Member, request: JoinRequest, nowMs: MonotonicMs): void {
  const { protocols, sessionTimeoutMs, rebalanceTimeoutMs, clientId, clientHost } = memberOf(member.id, request, nowMs)
  Object.assign(member, { protocols, sessionTimeoutMs, rebalanceTimeoutMs, clientId, clientHost })
}

export const metadataOf = ({ protocols }: Pick<Member, 'protocols'>, protocol: string | undefined): Uint8Array =>
  protocols.find(({ name }) => name === protocol)?.metadata ?? NOTHING

export const isWaiting = ({ joining, syncing }: Member): boolean => joining !== undefined || syncing !== undefined

/** What it says of itself, in bytes. */
export const protocolBytes = ({ protocols }: Pick<Member, 'protocols'>): number =>
  protocols.reduce((sum, { name, metadata }) => sum + name.length + metadata.byteLength, 0)

export function sameProtocols(a: readonly Protocol[], b: readonly Protocol[]): boolean {
  return a.length === b.length && a.every(({ name, metadata }, i) => b[i]?.name === name && sameBytes(metadata, b[i].metadata))
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i])
}

/** The names that everybody of `members` knows, in the order of the first. */
export function sharedProtocols(members: readonly Pick<Member, 'protocols'>[]): string[] {
  const [first, ...others] = members
  const knows = (one: Pick<Member, 'protocols'>, name: string) => one.protocols.some(protocol => protocol.name === name)
  return (first?.protocols ?? []).map(({ name }) => name).filter(name => others.every(other => knows(other, name)))
}

/** Each member votes for what it likes best of what all know; the most votes win, the first of equals. */
export function votedProtocol(members: readonly Pick<Member, 'protocols'>[]): string | undefined {
  const shared = sharedProtocols(members)
  const votes = members.map(({ protocols }) => protocols.find(({ name }) => shared.includes(name))?.name)
  const countOf = (name: string) => votes.filter(vote => vote === name).length
  return shared.reduce<string | undefined>((best, name) => (best === undefined || countOf(name) > countOf(best) ? name : best), undefined)
}
