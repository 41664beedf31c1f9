// What a replica shows of itself, for people and for tests.
import type { NodeId } from '@atoll/base'
import type { LeaderEpoch, Offset } from '@atoll/records'
import type { Following } from './following.ts'
import { Leading } from './leading.ts'
import type { PartitionState } from './partition-state.ts'

export interface FollowerStatus {
  readonly node: NodeId
  readonly logEnd: Offset
  readonly durableEnd: Offset
  readonly inSync: boolean
}

export interface ReplicaStatus {
  /** `halted`: it knows something to be committed that its leader does not have. */
  readonly role: 'leader' | 'follower' | 'halted' | 'idle'
  readonly leaderEpoch: LeaderEpoch
  readonly partitionEpoch: number
  readonly logStart: Offset
  readonly logEnd: Offset
  readonly durableEnd: Offset
  readonly highWatermark: Offset
  readonly producers: number
  /** Empty unless it leads. */
  readonly isr: readonly NodeId[]
  readonly followers: readonly FollowerStatus[]
}

export function statusOf(
  { log, logStart, highWatermark, producers }: PartitionState,
  role: Leading | Following | undefined,
  leaderEpoch: LeaderEpoch,
  partitionEpoch: number,
): ReplicaStatus {
  const { logEnd, durableEnd } = log
  const isLeader = role instanceof Leading
  return {
    role: isLeader ? 'leader' : role === undefined ? 'idle' : role.halted ? 'halted' : 'follower',
    leaderEpoch,
    partitionEpoch: isLeader ? role.partitionEpoch : partitionEpoch,
    logStart,
    logEnd,
    durableEnd,
    highWatermark,
    producers: producers.size,
    isr: isLeader ? [...role.isr] : [],
    followers: isLeader
      ? [...role.followers.values()].map(({ node, logEnd, durableEnd }) => ({ node, logEnd, durableEnd, inSync: role.isr.has(node) }))
      : [],
  }
}
