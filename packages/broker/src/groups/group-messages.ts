// What a group coordinator is asked and answers: the requests of Kafka's classic protocol without their versions, which
// are the business of whoever speaks them.
import type { KafkaErrorName } from '../kafka/kafka-errors.ts'

export interface Protocol {
  readonly name: string
  /** What the member tells that assignor; opaque. */
  readonly metadata: Uint8Array
}

export interface JoinRequest {
  readonly kind: 'join'
  readonly groupId: string
  /** Empty the first time. */
  readonly memberId: string
  /** Of a static member (KIP-345). */
  readonly instanceId: string | undefined
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocolType: string
  /** In the member’s order of preference. */
  readonly protocols: readonly Protocol[]
  /** The client knows that it has to join twice (KIP-394). */
  readonly idFirst: boolean
  /** The client knows that a leader need not assign (KIP-814). */
  readonly maySkip: boolean
}

/** Whoever speaks as a member. */
export interface MemberRequest {
  readonly groupId: string
  readonly generation: number
  readonly memberId: string
  readonly instanceId: string | undefined
}

export interface SyncRequest extends MemberRequest {
  readonly kind: 'sync'
  readonly protocolType: string | undefined
  readonly protocol: string | undefined
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[]
}

export interface HeartbeatRequest extends MemberRequest {
  readonly kind: 'heartbeat'
}

export interface LeaveRequest {
  readonly kind: 'leave'
  readonly groupId: string
  readonly members: readonly { readonly memberId: string; readonly instanceId: string | undefined }[]
}

export interface OffsetPlace {
  readonly topic: string
  readonly partition: number
}

export interface CommitRequest extends MemberRequest {
  readonly kind: 'commit'
  readonly offsets: readonly (OffsetPlace & { readonly offset: number; readonly leaderEpoch: number; readonly metadata: string })[]
}

export interface FetchRequest {
  readonly kind: 'fetch'
  readonly groupId: string
  /** Undefined: all there are. */
  readonly places: readonly OffsetPlace[] | undefined
}

export interface DescribeRequest {
  readonly kind: 'describe'
  readonly groupId: string
}

export interface ListRequest {
  readonly kind: 'list'
}

export interface DeleteGroupRequest {
  readonly kind: 'delete'
  readonly groupId: string
}

export interface DeleteOffsetsRequest {
  readonly kind: 'delete_offsets'
  readonly groupId: string
  readonly places: readonly OffsetPlace[]
}

export type GroupRequest =
  | JoinRequest
  | SyncRequest
  | HeartbeatRequest
  | LeaveRequest
  | CommitRequest
  | FetchRequest
  | DescribeRequest
  | ListRequest
  | DeleteGroupRequest
  | DeleteOffsetsRequest

export type GroupState = 'empty' | 'preparing_rebalance' | 'completing_rebalance' | 'stable' | 'dead'

export interface JoinAnswer {
  readonly kind: 'join'
  readonly error: KafkaErrorName
  /** -1 with an error. */
  readonly generation: number
  readonly protocolType: string | undefined
  readonly protocol: string | undefined
  readonly leader: string
  readonly memberId: string
  /** For the leader: all members. */
  readonly members: readonly { readonly memberId: string; readonly instanceId: string | undefined; readonly metadata: Uint8Array }[]
  readonly skipAssignment: boolean
}

export interface SyncAnswer {
  readonly kind: 'sync'
  readonly error: KafkaErrorName
  readonly protocolType: string | undefined
  readonly protocol: string | undefined
  readonly assignment: Uint8Array
}

export interface MemberDescription {
  readonly memberId: string
  readonly instanceId: string | undefined
  readonly clientId: string
  readonly clientHost: string
  /** Only of a stable group. */
  readonly metadata: Uint8Array
  readonly assignment: Uint8Array
}

export interface FetchedOffset extends OffsetPlace {
  /** -1: none. */
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
}

export type GroupAnswer =
  | JoinAnswer
  | SyncAnswer
  | { readonly kind: 'heartbeat' | 'delete'; readonly error: KafkaErrorName }
  | { readonly kind: 'leave'; readonly error: KafkaErrorName; readonly members: readonly KafkaErrorName[] }
  | { readonly kind: 'commit' | 'delete_offsets'; readonly error: KafkaErrorName; readonly offsets: readonly KafkaErrorName[] }
  | { readonly kind: 'fetch'; readonly error: KafkaErrorName; readonly offsets: readonly FetchedOffset[] }
  | {
      readonly kind: 'describe'
      readonly error: KafkaErrorName
      readonly state: GroupState
      readonly protocolType: string
      readonly protocol: string
      readonly members: readonly MemberDescription[]
    }
  | {
      readonly kind: 'list'
      readonly error: KafkaErrorName
      readonly groups: readonly { readonly groupId: string; readonly protocolType: string; readonly state: GroupState }[]
    }

const NOTHING = new Uint8Array(0)

export const joinError = (error: KafkaErrorName, memberId: string): JoinAnswer => ({
  kind: 'join',
  error,
  generation: -1,
  protocolType: undefined,
  protocol: undefined,
  leader: '',
  memberId,
  members: [],
  skipAssignment: false,
})

export const syncError = (error: KafkaErrorName): SyncAnswer => ({
  kind: 'sync',
  error,
  protocolType: undefined,
  protocol: undefined,
  assignment: NOTHING,
})

/** The answer that says no more than what is wrong. */
export function refusal(request: GroupRequest, error: KafkaErrorName): GroupAnswer {
  switch (request.kind) {
    case 'join':
      return joinError(error, request.memberId)
    case 'sync':
      return syncError(error)
    case 'heartbeat':
    case 'delete':
      return { kind: request.kind, error }
    case 'leave':
      return { kind: 'leave', error, members: [] }
    case 'commit':
      return { kind: 'commit', error, offsets: request.offsets.map(() => error) }
    case 'delete_offsets':
      return { kind: 'delete_offsets', error, offsets: request.places.map(() => error) }
    case 'fetch':
      return { kind: 'fetch', error, offsets: [] }
    case 'describe':
      return { kind: 'describe', error, state: 'dead', protocolType: '', protocol: '', members: [] }
    case 'list':
      return { kind: 'list', error, groups: [] }
  }
}
