// Going through a segment batch by batch, a slice at a time: each slice is read through the disk's own thread, so the
// event loop has its turn between two of them.
import type { BatchHeader, Crc32c } from '@atoll/records'
import { BATCH_HEADER_BYTES, batchSizeAt, checkBatch, RecordsError } from '@atoll/records'
import { BATCH_BYTES_MAX, SCAN_SLICE_BYTES } from './limits.ts'

export interface ScanEnd {
  /** The end of the last good batch, in bytes. */
  readonly position: number
  /** Why the scan ended before the end of the bytes; undefined when it did not. */
  readonly why: string | undefined
}

export interface Scan {
  readonly from: number
  /** Exclusive. */
  readonly to: number
  readonly read: (position: number, length: number) => Promise<Uint8Array>
  readonly crc32c: Crc32c
  /** Called for each batch that is whole and has a good checksum. What it answers ends the scan before that batch. */
  readonly visit: (header: BatchHeader, position: number, batch: Uint8Array) => string | undefined
}

/** Visits every batch from `from` on, until the end or the first that is not good. Rejects with a DiskError. */
export async function scanBatches({ from, to, read, crc32c, visit }: Scan): Promise<ScanEnd> {
  let position = from
  while (position < to) {
    let slice = await read(position, Math.min(SCAN_SLICE_BYTES, to - position))
    const first = batchSizeAt(slice, 0)
    if (first === undefined || first < BATCH_HEADER_BYTES || first > BATCH_BYTES_MAX || position + first > to)
      return { position, why: 'no whole batch' }
    if (first > slice.length) slice = await read(position, first)
    let start = 0
    for (let size: number | undefined = first; size !== undefined && start + size <= slice.length; size = batchSizeAt(slice, start)) {
      const why = visitAt(slice, start, position + start, crc32c, visit)
      if (why !== undefined) return { position: position + start, why }
      start += size
    }
    // A read that came back short: the file ends before it should.
    if (start === 0) return { position, why: 'no whole batch' }
    position += start
  }
  return { position, why: undefined }
}

function visitAt(slice: Uint8Array, start: number, position: number, crc32c: Crc32c, visit: Scan['visit']): string | undefined {
  try {
    const header = checkBatch(slice, start, crc32c)
    return visit(header, position, slice.subarray(start, start + header.sizeBytes))
  } catch (error) {
    if (error instanceof RecordsError) return error.message
    throw error
  }
}
