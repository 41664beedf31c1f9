// Bounds of the client that are not for its users.
import { assert } from '@atoll/base'
import { LEASES_PER_KEEP_ALIVE_MAX } from '@atoll/protocol'

/** Deadline of a call whose caller gives none, in milliseconds. */
export const CALL_TIMEOUT_MS = 5_000
/** The same for whoever waits for a lock or an office. */
export const CONTEST_TIMEOUT_MS = 30_000
/** Longest deadline of one call, in milliseconds: a day. */
export const CALL_TIMEOUT_MS_MAX = 86_400_000
/** Calls that are under way or wait; one more is refused. */
export const CALLS_MAX = 16_384

/** One attempt to connect to a coordinator, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 1_000
/** A coordinator that takes longer to say how it is counts as not there, in milliseconds. */
export const STATUS_TIMEOUT_MS = 1_000
/** Between two rounds of looking for the leader: the first and the longest pause, in milliseconds; jittered by half. */
export const LOOK_MS_MIN = 10
export const LOOK_MS_MAX = 200
/** Between two tries of one request that was refused for the moment, in milliseconds; jittered by half. */
export const RETRY_MS_MIN = 10
export const RETRY_MS_MAX = 250

/** How often the leader is looked after while somebody waits for it, in milliseconds. */
export const WATCHDOG_MS = 250
/** A leader that said nothing for so long is asked whether it still leads, in milliseconds. */
export const QUIET_MS = 500
/** The same when nothing but streams wait for something from it, which are silent by nature, in milliseconds. */
export const QUIET_STREAM_MS = 2_000
/** A leader that does not say so within this is doubted: the others are asked, in milliseconds. */
export const PROOF_TIMEOUT_MS = 500
/** Coordinators known at once, by address. */
export const COORDINATORS_MAX = 32

/** Term of a session, in milliseconds: a client may be away for that long and its retries still take effect once. */
export const SESSION_TTL_MS = 30_000
/** Requests of one session under way at once; the coordinator keeps 256 answers. */
export const SESSION_WINDOW = 192
/** A power of two beyond the window: where a sequence's state is found by its low bits. */
export const SESSION_RING = 256

/** Term of a lease whose owner says none, in milliseconds. */
export const LEASE_TTL_MS = 10_000
/** Leases a client keeps at once. */
export const LEASES_MAX = LEASES_PER_KEEP_ALIVE_MAX
/** What is ended at the end gets this long to be told, in milliseconds. */
export const FAREWELL_MS = 500

/** A watch asks for a sign of progress after this long without an event, so that it never falls behind compaction, in milliseconds. */
export const WATCH_PROGRESS_MS = 5_000
/** How long no coordinator may be there before a stream fails, in milliseconds. */
export const STREAM_STALL_MS = 60_000
/** Entries of a range that are fetched with one request. */
export const RANGE_PAGE_ENTRIES = 1_000
/** Entries that `range` answers at most; `limit` or a narrower selection gets by with less. */
export const RANGE_ENTRIES_MAX = 100_000

assert(SESSION_RING > SESSION_WINDOW, 'no two sequences under way share a place')
assert((SESSION_RING & (SESSION_RING - 1)) === 0, 'the low bits of a sequence are its place')
assert(PROOF_TIMEOUT_MS + QUIET_MS + WATCHDOG_MS < CALL_TIMEOUT_MS / 3, 'a silent leader is found out within a call')
