// What can go wrong with a log that is not a bug of ours.
import type { DiskError } from '@atoll/base'
import type { Offset } from '@atoll/records'

export type CommitLogErrorCode =
  /** No room; nothing of the append is in the log, and it may be tried again. */
  | 'disk_full'
  /** Bytes that were durable are missing or damaged; `damage` says where. Nothing was changed. */
  | 'corrupt'
  /** A file was written by a later version of this program; it was not touched. */
  | 'newer_format'
  /** A sync or a write failed before: what is above the durable end is not to be trusted, and the log takes nothing more. */
  | 'failed'
  /** Before the log start or after the log end. */
  | 'out_of_range'
  /** Bytes that are no batch, or do not belong at the log's end. */
  | 'invalid_batch'
  | 'closed'
  /** The disk failed to do it; nothing is known to have changed. */
  | 'io'

/** Where a log stopped making sense. */
export interface Damage {
  /** Relative to the disk. */
  readonly path: string
  /** The first byte that is not as it should be. */
  readonly position: number
  /** Everything in the log below this is good. Exclusive. */
  readonly goodEnd: Offset
  /** What is known to have been durable. Exclusive. */
  readonly recordedEnd: Offset
  readonly why: string
}

export class CommitLogError extends Error {
  override readonly name = 'CommitLogError'
  readonly code: CommitLogErrorCode
  /** With `corrupt`: what is damaged, unless it is a file of ours as a whole. */
  readonly damage: Damage | undefined
  constructor(code: CommitLogErrorCode, message: string, options: ErrorOptions & { readonly damage?: Damage } = {}) {
    super(message, options)
    this.code = code
    this.damage = options.damage
  }
}

/** True for an error of the Disk port, whichever implementation made it. */
export function isDiskError(error: unknown): error is DiskError {
  return error instanceof Error && error.name === 'DiskError'
}

/** A failure of the disk as the log tells it; what is none goes on unchanged. */
export function fromDisk(error: unknown, what: string): unknown {
  if (!isDiskError(error)) return error
  const code = error.code === 'disk_full' ? 'disk_full' : 'io'
  return new CommitLogError(code, `${what}: ${error.message}`, { cause: error })
}
