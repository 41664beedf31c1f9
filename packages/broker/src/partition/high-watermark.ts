// The high watermark: the first offset not yet durable on every in-sync replica. Consumers read strictly below it, so a
// record they saw survives while any one of those replicas does. (apache/kafka Partition.maybeIncrementLeaderHW; here it
// counts what is on disk instead of what arrived.)
import type { Offset } from '@atoll/records'
import type { FollowerProgress } from './follower-progress.ts'

/** What all that `counts` holds have on disk: the leader's own durable end, and each counted follower's. */
export function commonDurableEnd(
  leaderDurableEnd: Offset,
  followers: Iterable<FollowerProgress>,
  counts: (follower: FollowerProgress) => boolean,
): Offset {
  let common = leaderDurableEnd
  for (const follower of followers) if (follower.durableEnd < common && counts(follower)) common = follower.durableEnd
  return common
}
