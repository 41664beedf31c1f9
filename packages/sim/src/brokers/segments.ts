// What lies on a broker's disk of one partition, read past the broker.
import { BATCH_HEADER_BYTES, type BatchHeader, batchSizeAt, readBatchHeader } from '@atoll/records'
import type { SimNode } from '@atoll/sim-ports'

/** Its whole batches as they stand in the page cache, in the order of their offsets, up to the first that is none. */
export function headersOnDisk(disk: SimNode['disk'], key: string): readonly BatchHeader[] {
  return segmentsOf(disk, key).flatMap(headersIn)
}

/** All bytes of its segments. */
export function bytesOnDisk(disk: SimNode['disk'], key: string): Uint8Array {
  const segments = segmentsOf(disk, key)
  const all = new Uint8Array(segments.reduce((sum, { length }) => sum + length, 0))
  let place = 0
  for (const segment of segments) {
    all.set(segment, place)
    place += segment.length
  }
  return all
}

function segmentsOf(disk: SimNode['disk'], key: string): readonly Uint8Array[] {
  const directory = `log/${key.replace('/', '-')}/`
  return [...disk.files()]
    .filter(([path]) => path.startsWith(directory) && path.endsWith('.log') && !path.slice(directory.length).includes('/'))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, file]) => file.read(0, file.sizeBytes))
}

function headersIn(bytes: Uint8Array): readonly BatchHeader[] {
  const headers: BatchHeader[] = []
  for (let start = 0; start < bytes.length; ) {
    const size = batchSizeAt(bytes, start)
    if (size === undefined || size < BATCH_HEADER_BYTES || start + size > bytes.length) break
    headers.push(readBatchHeader(bytes, start))
    start += size
  }
  return headers
}
