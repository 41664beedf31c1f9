// Bounds that are not for operators. What lies beyond one is refused, or ignored as if the network had lost it.
import { assert } from '@atoll/base'

const KiB = 1_024
const MiB = 1_024 * KiB

/** Each one more makes every commit wait for another disk; nobody gains from more than seven. */
export const VOTERS_MAX = 7
export const LEARNERS_MAX = 8
/** One batch: it travels, is written and is truncated as a whole. A value of a mebibyte fits one, with what surrounds it. */
export const BATCH_BYTES_MAX = MiB + MiB / 2
/** What an entry takes beside its command: term, index, kind and lengths, rounded up. */
export const ENTRY_OVERHEAD_BYTES = 24
/** Write requests not yet reported durable. A server whose disk is further behind than this hears nothing that needs writing. */
export const STORES_PENDING_MAX = 1_024
/** Reads not yet answered, at the leader and at a follower that asked one. */
export const READS_PENDING_MAX = 4_096

// A leader has to be able to write for as long as its followers may lag.
assert(STORES_PENDING_MAX >= 256, 'more writes than messages in flight to a peer')
