// The two numbers that place a record: which one it is in its log, and under which leadership it was written.
import type { Brand } from '@atoll/base'
import { assert } from '@atoll/base'

/** A record's place in its log: 0 or more, counted in records. */
export type Offset = Brand<number, 'Offset'>
/** Leadership of one log, counted from 0; a Raft log has its term here. -1 is "not known". At most 2^31 - 1. */
export type LeaderEpoch = Brand<number, 'LeaderEpoch'>

export const LEADER_EPOCH_MAX = 0x7fff_ffff

export function offset(value: number): Offset {
  assert(Number.isSafeInteger(value) && value >= 0, 'an offset is an integer from 0')
  return value as Offset
}

export function leaderEpoch(value: number): LeaderEpoch {
  assert(Number.isInteger(value) && value >= -1 && value <= LEADER_EPOCH_MAX, 'a leader epoch is -1 to 2^31 - 1')
  return value as LeaderEpoch
}
