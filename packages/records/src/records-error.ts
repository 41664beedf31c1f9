// What bytes that claim to be records may turn out to be. All of it is the sender's fault or the disk's, never a bug.

export type RecordsErrorCode =
  /** Fewer bytes than the batch says it has. */
  | 'truncated'
  /** The checksum does not match (Kafka: CORRUPT_MESSAGE). */
  | 'bad_checksum'
  /** Another batch format than version 2. */
  | 'unsupported_magic'
  /** A codec that is unknown, or that nobody here can read. */
  | 'unsupported_compression'
  /** The bytes contradict themselves. */
  | 'malformed'
  /** Larger than allowed, compressed or not (Kafka: MESSAGE_TOO_LARGE). */
  | 'too_large'
  /** Well formed, but not what a producer may send (Kafka: INVALID_RECORD). */
  | 'invalid_record'

export class RecordsError extends Error {
  override readonly name = 'RecordsError'
  readonly code: RecordsErrorCode
  /** With `invalid_record`: which records of the batch, counted from 0. Empty when it is the batch as a whole. */
  readonly recordIndexes: readonly number[]
  constructor(code: RecordsErrorCode, message: string, recordIndexes: readonly number[] = []) {
    super(message)
    this.code = code
    this.recordIndexes = recordIndexes
  }
}
