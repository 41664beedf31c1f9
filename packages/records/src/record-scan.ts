// What a broker has to know of the records that a producer sends, without making an object of each: that they are well
// formed, how late the latest is, and which have no key.
import { type BatchHeader, readBatchHeader } from './batch-header.ts'
import { batchBody, type DecodeOptions } from './record-codec.ts'
import { RecordsError } from './records-error.ts'
import { RecordReader } from './varint.ts'

export interface RecordsScan {
  /** -1 when there are no records, or none has a time. */
  readonly maxTimestampMs: number
  /** Records without a key, counted from 0. */
  readonly keyless: readonly number[]
}

/** Throws a RecordsError wherever `decodeRecords` does. */
export function scanRecords(bytes: Uint8Array, options: DecodeOptions = {}): RecordsScan {
  const header = readBatchHeader(bytes)
  const body = batchBody(bytes, header, options)
  const reader = new RecordReader(body, 0, body.length)
  const keyless: number[] = []
  let maxTimestampMs = -1
  let before = -1
  for (let index = 0; index < header.count; index++) {
    const length = reader.varint()
    const end = reader.at + length
    if (length < 0 || end > reader.end) throw new RecordsError('malformed', `a record of ${length} bytes`)
    reader.byte()
    const timestampMs = header.baseTimestampMs + reader.varint()
    if (!Number.isSafeInteger(timestampMs)) throw new RecordsError('malformed', 'a timestamp has more than 53 bits')
    if (timestampMs > maxTimestampMs) maxTimestampMs = timestampMs
    before = nextDelta(reader.varint(), before, header, index)
    if (reader.skipNullable() === -1) keyless.push(index)
    reader.skipNullable()
    skipHeaders(reader, end)
    if (reader.at !== end) throw new RecordsError('malformed', 'the fields of a record are not as long as the record')
  }
  if (reader.at !== body.length) throw new RecordsError('malformed', `${body.length - reader.at} bytes after the last record`)
  return { maxTimestampMs: header.timestampType === 'append' ? header.maxTimestampMs : maxTimestampMs, keyless }
}

function nextDelta(offsetDelta: number, before: number, header: BatchHeader, index: number): number {
  const span = header.lastOffset - header.baseOffset
  if (offsetDelta <= before || offsetDelta > span)
    throw new RecordsError('malformed', `record ${index} is at offset ${offsetDelta} of ${span} after ${before}`)
  return offsetDelta
}

function skipHeaders(reader: RecordReader, end: number): void {
  const count = reader.varint()
  if (count < 0 || count * 2 > end - reader.at) throw new RecordsError('malformed', `${count} headers in a record`)
  for (let index = 0; index < count; index++) {
    if (reader.skipNullable() === -1) throw new RecordsError('malformed', 'a header without a key')
    reader.skipNullable()
  }
}
