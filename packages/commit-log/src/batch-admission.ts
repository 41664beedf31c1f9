// What a log takes: whole batches with good checksums, in order, in no earlier epoch than the last.
import type { BatchHeader, Crc32c, LeaderEpoch, Offset } from '@atoll/records'
import { checkBatch, placeBatch, RecordsError, readBatchHeader } from '@atoll/records'
import { CommitLogError } from './commit-log-error.ts'
import type { EpochStart } from './leader-epochs.ts'
import { BATCH_BYTES_MAX } from './limits.ts'

/** Gives one batch its place. Throws `invalid_batch`. */
export function admitOne(bytes: Uint8Array, logEnd: Offset, epoch: LeaderEpoch, crc32c: Crc32c): readonly BatchHeader[] {
  const header = checked(bytes, 0, crc32c)
  if (header.sizeBytes !== bytes.length) throw invalid('one batch is appended at a time')
  placeBatch(bytes, 0, logEnd, epoch)
  return [readBatchHeader(bytes)]
}

/** The headers of batches that have their places already, from the log end on. Throws `invalid_batch`. */
export function admitPlaced(bytes: Uint8Array, logEnd: Offset, crc32c: Crc32c): readonly BatchHeader[] {
  const headers: BatchHeader[] = []
  let next: number = logEnd
  for (let start = 0; start < bytes.length; ) {
    const header = checked(bytes, start, crc32c)
    if (header.baseOffset !== next) throw invalid(`offset ${header.baseOffset} where ${next} should be`)
    headers.push(header)
    next = header.lastOffset + 1
    start += header.sizeBytes
  }
  if (headers.length === 0) throw invalid('no batch')
  return headers
}

/** The epochs that begin with these batches. Throws `invalid_batch` for one that is earlier than what precedes it. */
export function epochsBegun(headers: readonly BatchHeader[], last: LeaderEpoch | undefined): readonly EpochStart[] {
  const begun: EpochStart[] = []
  let current: number = last ?? -1
  for (const { leaderEpoch: epoch, baseOffset: start } of headers) {
    if (epoch < 0 || epoch < current) throw invalid(`epoch ${epoch} after ${current}`)
    if (epoch > current) begun.push({ epoch, start })
    current = epoch
  }
  return begun
}

function checked(bytes: Uint8Array, start: number, crc32c: Crc32c): BatchHeader {
  try {
    const header = checkBatch(bytes, start, crc32c)
    if (header.sizeBytes > BATCH_BYTES_MAX) throw invalid(`a batch of ${header.sizeBytes} bytes`)
    return header
  } catch (error) {
    if (error instanceof RecordsError) throw new CommitLogError('invalid_batch', error.message, { cause: error })
    throw error
  }
}

function invalid(why: string): CommitLogError {
  return new CommitLogError('invalid_batch', why)
}
