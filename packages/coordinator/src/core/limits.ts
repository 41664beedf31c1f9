// Bounds of the replicated state that are not for operators. All of them are part of the state machine: every replica must
// refuse the same command, so changing one is changing what old logs mean.
import { assert } from '@atoll/base'
import {
  COMMAND_ANSWER_BYTES_MAX,
  DELETE_KEYS_MAX,
  HISTORY_BYTES_MAX,
  KEY_BYTES_MAX,
  MiB,
  RANGE_ENTRIES_MAX,
  VALUE_BYTES_MAX,
} from '@atoll/protocol'

/** One encoded command. */
export const COMMAND_BYTES_MAX = MiB + MiB / 4
/** What a stored version is counted with beside its key and value: objects, numbers and its place in the order. */
export const VERSION_OVERHEAD_BYTES = 256
/** Current keys and values. A put that would pass it is refused; deleting makes room. */
export const LIVE_BYTES_MAX = 512 * MiB
/** Longest past that may be asked for, in revisions. A restored replica makes its record of them in one step. */
export const HISTORY_REVISIONS_MAX = 50_000
/** How much of the past is kept before anybody says otherwise. */
export const HISTORY_REVISIONS_DEFAULT = 10_000
export const HISTORY_BYTES_DEFAULT = 64 * MiB
/** Keys looked at, live or deleted, for one range or delete; about two milliseconds. */
export const SCAN_VISITS_MAX = 20_000
/** Entries in one page of a read: as many as are read and sent off in ten milliseconds. */
export const PAGE_ENTRIES_MAX = 4_000
/** Values in one page of a read, in bytes; one entry always fits. */
export const PAGE_BYTES_MAX = 4 * MiB
/** Superseded versions dropped after each command. More than one command can supersede on average, so sweeping keeps up. */
export const SWEEP_EVENTS_MAX = 512

/** Leases, sessions included. */
export const LEASES_MAX = 65_536
/** Keys on one lease before the next put on it is refused; the end of a lease is one step. */
export const LEASE_KEYS_MAX = 4_096
/** Leases that one command lets expire. */
export const LEASES_PER_EXPIRY_MAX = 64
/** Sessions. */
export const SESSIONS_MAX = 8_192
/** Answers kept for one session, by number and by bytes; the last one may pass the bytes. */
export const SESSION_ANSWERS_MAX = 256
export const SESSION_ANSWER_BYTES_MAX = 2 * MiB
/** Answers kept for all sessions, by number and by bytes. */
export const ALL_ANSWERS_MAX = 65_536
export const ALL_ANSWER_BYTES_MAX = 64 * MiB
/** Leases that wait for one lock or office. */
export const WAITERS_MAX = 1_024
/** Locks, or offices, that one lease holds or waits for. */
export const CONTESTS_PER_LEASE_MAX = 64
/** Leases that hold or wait for any lock, or any office. */
export const CONTESTANTS_MAX = 65_536

/** Partitions of all topics. */
export const PARTITIONS_MAX = 20_000

/** Watches that one node serves. */
export const WATCHES_MAX = 16_384
/** Revisions that a watch may be behind, once it has caught up, before it is cancelled. */
export const WATCH_BACKLOG_MAX = 4_096
/** Events looked at for one poll of a watch that replays the past. */
export const REPLAY_VISITS_MAX = 4_096
/** Bytes of one item of a watch; a single event may pass it. */
export const WATCH_ITEM_BYTES_MAX = 256 * 1_024

/** A slice of a snapshot ends after this many records or bytes, whichever comes first; about two milliseconds. */
export const SNAPSHOT_SLICE_RECORDS_MAX = 500
export const SNAPSHOT_SLICE_BYTES_MAX = 256 * 1_024

// Names, kinds, numbers and the compares of a transaction beside its largest value.
assert(COMMAND_BYTES_MAX >= VALUE_BYTES_MAX + KEY_BYTES_MAX + 4_096, 'the largest put fits a command')
assert(COMMAND_ANSWER_BYTES_MAX >= VALUE_BYTES_MAX + KEY_BYTES_MAX + VERSION_OVERHEAD_BYTES, 'the largest previous value fits an answer')
assert(SCAN_VISITS_MAX >= DELETE_KEYS_MAX, 'what may be deleted at once may be looked at')
assert(HISTORY_BYTES_DEFAULT <= HISTORY_BYTES_MAX, 'the default history may be kept')
assert(SWEEP_EVENTS_MAX >= 4 * 128, 'sweeping outpaces the largest transaction of puts')
assert(LEASE_KEYS_MAX <= DELETE_KEYS_MAX, 'the end of a lease is no larger than a delete')
assert(PAGE_ENTRIES_MAX <= RANGE_ENTRIES_MAX, 'a page fits an answer')
assert(PAGE_BYTES_MAX >= COMMAND_ANSWER_BYTES_MAX, 'a page holds what an answer does')
