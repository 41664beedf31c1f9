// Bounds that are not an operator's.
import { assert } from '@atoll/base'

/** Copies of one partition. */
export const REPLICAS_MAX = 16
/** Batches appended to a partition whose producers are not answered yet. */
export const PRODUCES_WAITING_MAX = 8_192
/** Deletions that wait for followers. */
export const DELETES_WAITING_MAX = 64
/** Producers remembered per partition; the one that was silent longest is forgotten first. About 300 bytes each. */
export const PRODUCERS_MAX = 20_000
/** Batches remembered per producer: what clients have in flight at most (apache/kafka `ProducerStateEntry`). */
export const PRODUCER_BATCHES = 5
/** Fetches of consumers that wait at one broker. */
export const FETCHES_WAITING_MAX = 16_384
/** Partitions in all of them together. */
export const WAITING_PARTITIONS_MAX = 262_144
/** Partitions one follower copies from one leader. */
export const SESSION_PARTITIONS_MAX = 16_384

assert(PRODUCES_WAITING_MAX >= PRODUCER_BATCHES, 'one producer alone never fills it')
assert(WAITING_PARTITIONS_MAX >= FETCHES_WAITING_MAX, 'a waiting fetch names a partition')
