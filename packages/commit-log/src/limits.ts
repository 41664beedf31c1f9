// Every bound of the engine that is not an operator's, with the relations between them.
import { assert } from '@atoll/base'

const KiB = 1_024
const MiB = 1_024 * KiB

/** A segment is closed before it grows past this, unless one batch alone does. Kafka's positions are 31 bits. */
export const SEGMENT_BYTES_DEFAULT = 64 * MiB
export const SEGMENT_BYTES_MAX = 1_024 * MiB
/** Bytes of log per index entry, as Kafka has it. */
export const INDEX_INTERVAL_BYTES = 4 * KiB
/** The largest batch a log takes. Reading and checking one takes 3 ms. */
export const BATCH_BYTES_MAX = 16 * MiB
/** Recovery and index rebuild look at so much between two turns of the event loop: 3 ms of batches of 100 bytes. */
export const SCAN_SLICE_BYTES = 512 * KiB
/** Cutting a file takes up to 0.2 ms per MiB, so a large cut is made of these. */
export const TRUNCATE_SLICE_BYTES = 16 * MiB
/** Bytes of recent batches kept in memory, over all logs of a store. */
export const TAIL_BYTES_DEFAULT = 64 * MiB
/** What one of them takes beside its own bytes, about: what refers to it. */
export const TAIL_BATCH_BYTES = 200
/** Small ones share a piece of memory of this size: one allocation for hundreds. */
export const TAIL_BLOCK_BYTES = 64 * KiB
/** Batches of them. */
export const TAIL_BATCHES_MAX = 262_144
/** Files open at once; those that wait for a sync stay open beyond it. */
export const OPEN_FILES_DEFAULT = 256
/** A durable end is put on record this long after the sync, with all that came meanwhile, in milliseconds. */
export const SETTLE_MS = 10
/** A log's name is a directory's. Kafka's are a topic of up to 249 characters, a dash and a number. */
export const LOG_NAME_CHARACTERS_MAX = 255
/** Leaderships a log remembers; Kafka's own files have tens. */
export const EPOCHS_MAX = 65_536

assert(SEGMENT_BYTES_MAX + BATCH_BYTES_MAX < 2 ** 31, 'a position in a segment fits 31 bits')
assert(SEGMENT_BYTES_DEFAULT <= SEGMENT_BYTES_MAX, 'the default is within its bound')
assert(BATCH_BYTES_MAX <= TAIL_BYTES_DEFAULT, 'the newest batch fits the tail')
