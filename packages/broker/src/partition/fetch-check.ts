// Whether a follower's log is the beginning of the leader's (KIP-101, KIP-595). The follower names its end and the epoch
// of its last record; if that epoch ended earlier in the leader's log, the two part somewhere before.
import type { LeaderEpoch, Offset } from '@atoll/records'
import type { FetchCheck } from './effects.ts'
import type { FetchPosition } from './inputs.ts'
import type { PartitionLog } from './partition-log.ts'

const accepted: FetchCheck = { kind: 'accepted' }

export function checkPosition(
  { fetchOffset, lastFetchedEpoch }: Pick<FetchPosition, 'fetchOffset' | 'lastFetchedEpoch'>,
  log: PartitionLog,
): FetchCheck {
  const { logStart, logEnd } = log
  const outOfRange = (): FetchCheck => ({ kind: 'out_of_range', logStart, logEnd })
  if (fetchOffset < logStart) return outOfRange()
  // What ends where the leader's log begins has nothing to compare, and an empty log nothing to part.
  if (fetchOffset === logStart) return accepted
  if (lastFetchedEpoch === undefined) return fetchOffset > logEnd ? outOfRange() : accepted
  const end = log.endOfEpoch(lastFetchedEpoch)
  // Its last record is older than everything the leader still has, and yet it lies after the leader's start.
  if (end === undefined) return { kind: 'diverging', end: { epoch: -1 as LeaderEpoch, end: logStart } }
  if (end.epoch < lastFetchedEpoch || end.end < fetchOffset) return { kind: 'diverging', end }
  return accepted
}

/**
 * How far a follower keeps its log, once the leader said where the epoch ended. When the leader names an epoch that the
 * follower does not have, the follower goes back to the end of its next lower one, and asks again (KIP-279): one round is not
 * enough after elections in quick succession.
 */
export function keptEnd(log: PartitionLog, leaders: { readonly epoch: LeaderEpoch; readonly end: Offset }): Offset {
  const own = log.endOfEpoch(leaders.epoch)
  const ownEnd = own?.end ?? log.logEnd
  const kept = own !== undefined && own.epoch !== leaders.epoch ? ownEnd : Math.min(ownEnd, leaders.end)
  return Math.max(log.logStart, Math.min(kept, log.logEnd)) as Offset
}
