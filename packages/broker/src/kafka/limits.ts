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
/** Key, version and correlation id, and the length of the client's name. */
export const REQUEST_BYTES_MIN = 10
/** Requests up to this long take none of the memory set apart for requests: the number of connections bounds them. */
export const LARGE_REQUEST_BYTES = 16 * KiB
/** Memory for the larger ones, of all connections together. */
export const REQUESTS_BYTES_MAX = 256 * MiB
/** Requests of one connection that may wait for their answers; past it the socket is not read. Java's clients send 5 ahead. */
export const PIPELINE_MAX = 64
/** Connections of one listener. */
export const CONNECTIONS_MAX = 4_096
/** Silent for longer with nothing to be answered, a connection is ended, in milliseconds. Kafka's `connections.max.idle.ms`. */
export const IDLE_MS = 600_000
/** Time in which a request that has begun is whole, and in which a client takes something of what is queued for it, in milliseconds. */
export const STALLED_MS = 30_000
/** A large request has more time, as long as something of it comes: 1 MiB takes a second at most. */
export const SLOWEST_BYTES_PER_MS = 1_000
/** Bytes queued for one client past which nothing more is read from it. */
export const UNSENT_BYTES_HIGH = MiB
/** After the last answer of a connection that we end, time for its client to end it too, in milliseconds. */
export const LINGER_MS = 2_000
/** How often connections are looked at for those, in milliseconds. */
export const SWEEP_MS = 5_000

assert(REQUESTS_BYTES_MAX >= 2 * REQUEST_BYTES_MAX, 'the largest request does not need all of the memory')
assert(LARGE_REQUEST_BYTES * PIPELINE_MAX <= MiB, 'small requests of one connection stay small together')
assert(REQUEST_BYTES_MAX >= 2 * BATCH_BYTES_MAX, 'a request holds the largest batch and what is around it')
assert(BLOCK_BYTES >= 4 * COPY_BYTES_MAX, 'a block holds several pieces')
