// Every bound of the native protocol, with the arithmetic between them.
import { assert } from '@atoll/base'

export const KiB = 1024
export const MiB = 1024 * KiB

/** Bytes of the frame header that follow the length field. */
export const HEADER_BYTES_AFTER_LENGTH = 16
/** Bytes of the whole frame header, the length field included. */
export const HEADER_BYTES = 20
/** Largest frame, in bytes, while the hello is not yet accepted. */
export const FRAME_BYTES_MAX_BEFORE_HELLO = 4 * KiB
/** Largest frame, in bytes, that a node accepts unless its role says otherwise. */
export const FRAME_BYTES_MAX = 16 * MiB + 64 * KiB
/** Arrays within arrays a body may have. Lists of structs of lists need four. */
export const NESTING_DEPTH_MAX = 8
/** Values (elements and the arrays themselves) in one body: a status of 64 nodes with 4,096 members each needs 1.9 million. */
export const BODY_VALUES_MAX = 2 * 1024 * 1024
/** Longest sentence, in UTF-16 code units, that travels with an error. */
export const ERROR_SENTENCE_LENGTH_MAX = 1_000
/** Shortest secret of a cluster, in bytes. */
export const SECRET_BYTES_MIN = 16
/** The hello must be done this long after the connection was accepted, in milliseconds. */
export const HELLO_TIMEOUT_MS = 2_000
/** Connections that have not finished their hello, per listener; the oldest is closed for a newer one. */
export const UNAUTHENTICATED_CONNECTIONS_MAX = 256
/** Requests of one peer that are being answered at once; past this the socket is not read. */
export const SERVED_REQUESTS_MAX = 4_096
/** Requests of ours to one peer that wait for their answer; one more is refused with `too_many_requests`. */
export const PENDING_REQUESTS_MAX = 16_384
/** Bytes queued towards one peer; past this requests to it are refused and answers to it replaced by an error. */
export const QUEUED_BYTES_MAX = 32 * MiB
/** Bytes queued towards one peer past which nothing is read from it and its streams wait. */
export const QUEUED_BYTES_HIGH = QUEUED_BYTES_MAX / 4
/** Frames of one peer are handled for at most about this long before others have their turn, in milliseconds. */
export const TURN_MS_MAX = 5
/** The clock is looked at once per so many frames. */
export const FRAMES_PER_LOOK = 32
/** A peer that takes none of what is queued for this long is cut, in milliseconds. */
export const DRAIN_TIMEOUT_MS = 10_000
/** A frame that is not whole this long after it began is cut with its connection, or after twice as long, in milliseconds. */
export const FRAME_TIMEOUT_MS = 10_000
/** After an orderly end: a peer that for this long neither takes what is left nor ends its own side is cut, in milliseconds. */
export const LINGER_MS = 2_000
/** Bytes a stream's sender may be ahead of its receiver. */
export const STREAM_WINDOW_BYTES = 256 * KiB
/** Attachments up to this size are copied next to their header, so that one write carries both. */
export const ATTACHMENT_COPY_BYTES_MAX = 8 * KiB
/** Bytes with large attachments among them are not collected beyond this, so that a full queue shows before it is much fuller. */
export const OUTBOX_TURN_BYTES_MAX = 512 * KiB
/** A chunk of this many bytes is all that one read of a socket takes, so that more is likely to be waiting there. */
export const FULL_READ_BYTES = 64 * KiB
/** Size of the blocks in which small frames are collected before they are written. */
export const OUTBOX_BLOCK_BYTES_MAX = 64 * KiB
/** The same for a connection on which little is said. */
export const OUTBOX_BLOCK_BYTES_MIN = 2 * KiB
/** Longest deadline a request may carry, in milliseconds: ten minutes. */
export const DEADLINE_MS_MAX = 600_000
/** Deadline of a request whose caller gives none, in milliseconds. */
export const DEADLINE_MS_DEFAULT = 5_000

assert(FRAME_BYTES_MAX_BEFORE_HELLO >= HEADER_BYTES + 1_024, 'a hello fits the frame cap before it is accepted')
assert(QUEUED_BYTES_MAX >= FRAME_BYTES_MAX, 'the queue holds the largest frame')
assert(STREAM_WINDOW_BYTES < QUEUED_BYTES_MAX, 'one stream cannot fill the queue')
assert(PENDING_REQUESTS_MAX >= SERVED_REQUESTS_MAX, 'a caller may queue what a server takes')
// A code unit takes three bytes at most; the rest is the array, the code and the string's length.
assert(
  HEADER_BYTES + 16 + 3 * ERROR_SENTENCE_LENGTH_MAX <= FRAME_BYTES_MAX_BEFORE_HELLO,
  'an error fits the smallest frame a peer may accept',
)
