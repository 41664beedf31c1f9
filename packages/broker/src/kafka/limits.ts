// Every bound of the Kafka listener that is not an operator's, with the relations between them.
import { assert } from '@atoll/base'
import { BATCH_BYTES_MAX } from '@atoll/commit-log'

const KiB = 1_024
const MiB = 1_024 * KiB

/** The longest string, in bytes of UTF-8. Kafka keeps to it in the versions whose length field would allow more, too. */
export const STRING_BYTES_MAX = 32_767
/**
 * Elements of all arrays of one message that is read. A frame of small elements would otherwise become objects of thirty
 * times its size: a quarter of a million of them are some 30 MB.
 */
export const ELEMENTS_MAX = 262_144
/** A response's pieces up to this long are copied behind one another: for a small batch that is cheaper than one more piece. */
export const COPY_BYTES_MAX = KiB
/** Responses are written into blocks of this size, one after the other. */
export const BLOCK_BYTES = 16 * KiB
/** The largest request. Kafka's default is 100 MiB; a client that fills more than this in one request is refused. */
export const REQUEST_BYTES_MAX = 64 * MiB

assert(REQUEST_BYTES_MAX >= 2 * BATCH_BYTES_MAX, 'a request holds the largest batch and what is around it')
assert(BLOCK_BYTES >= 4 * COPY_BYTES_MAX, 'a block holds several pieces')
