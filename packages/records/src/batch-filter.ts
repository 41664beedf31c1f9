// A batch without some of its records, as compaction leaves it (apache/kafka MemoryRecords.filterTo): offsets, sequence
// numbers, producer and times stay, so the batch keeps its place and its producer's state, even when nothing is left in it.
import { assert } from '@atoll/base'
import { at, BATCH_HEADER_BYTES, bits, type Crc32c, readBatchHeader, seal, setBatchSize, view, writeI64 } from './batch-header.ts'
import { type Compress, type Decompress, notSupported } from './compression.ts'
import { decodeRecords, type LogRecord, placedSize, placeRecord, writeRecord } from './record-codec.ts'

export interface FilterOptions {
  readonly crc32c: Crc32c
  /** Without them only batches that are not compressed can be filtered. */
  readonly compress?: Compress | undefined
  readonly decompress?: Decompress | undefined
  readonly decompressedBytesMax?: number
}

/** The batch that `bytes` begins with, with the records for which `keep` is true; `bytes` themselves when that is all of them. Throws a RecordsError. */
export function filterBatch(bytes: Uint8Array, keep: (record: LogRecord) => boolean, options: FilterOptions): Uint8Array {
  const header = readBatchHeader(bytes)
  const records = decodeRecords(bytes, options)
  const kept = records.filter(keep)
  if (kept.length === records.length) return bytes.subarray(0, header.sizeBytes)
  const placed = kept.map(record => placeRecord(record, record.timestampMs - header.baseTimestampMs, record.offset - header.baseOffset))
  const plain = new Uint8Array(placed.reduce((sum, record) => sum + placedSize(record), 0))
  let place = 0
  for (const record of placed) place = writeRecord(plain, place, record)
  // Nothing is not worth compressing, and reads as nothing without a codec.
  const codec = kept.length === 0 ? 'none' : header.codec
  const body = codec === 'none' ? plain : (options.compress ?? notSupported)(codec, plain)
  const result = new Uint8Array(BATCH_HEADER_BYTES + body.length)
  result.set(bytes.subarray(0, BATCH_HEADER_BYTES))
  result.set(body, BATCH_HEADER_BYTES)
  const fields = view(result, 0)
  if (codec === 'none') fields.setInt16(at.attributes, fields.getInt16(at.attributes) & ~bits.codec)
  fields.setInt32(at.count, kept.length)
  if (header.timestampType === 'create' && kept.length > 0) writeI64(fields, at.maxTimestamp, latest(kept))
  setBatchSize(result, 0, result.length)
  seal(result, 0, options.crc32c)
  return result
}

function latest(records: readonly LogRecord[]): number {
  assert(records.length > 0, 'the latest of some')
  return records.reduce((most, { timestampMs }) => Math.max(most, timestampMs), -1)
}
