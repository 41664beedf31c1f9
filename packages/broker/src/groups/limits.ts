// Bounds of group coordination that are not for operators.
import { assert } from '@atoll/base'

/** Groups of one partition of `__consumer_offsets`. */
export const GROUPS_MAX = 10_000
/** Member ids given away and not yet used, per group. */
export const PENDING_MEMBERS_MAX = 1_000
/** What the members of a group say of themselves and get, in bytes: it is stored as one record. */
export const GROUP_BYTES_MAX = 900 * 1_024
/** Words that go with a committed offset, in UTF-16 code units. */
export const OFFSET_METADATA_MAX = 4_096
/** What the record of one offset takes beside its names and words, in bytes. */
export const OFFSET_RECORD_BYTES = 64
/** Offsets in one commit. */
export const COMMIT_OFFSETS_MAX = 10_000
/** Offsets remembered per group. */
export const GROUP_OFFSETS_MAX = 100_000
/** Requests that wait until what they caused is stored; one more is told to come back. */
export const STORING_MAX = 16_384
/** Between two ticks of one coordinator at least, in milliseconds: deadlines that lie close together are one. */
export const TICK_MS_MIN = 10
/** Tombstones written at once. */
export const TOMBSTONES_MAX = 1_000

assert(GROUP_BYTES_MAX < 1_024 * 1_024, 'a group fits the largest batch that topics take by default')
