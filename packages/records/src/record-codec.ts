// The records inside a batch (apache/kafka DefaultRecord.java). Each is: length, attributes (one byte, unused), timestamp
// delta, offset delta, key, value, headers; all numbers zigzag varints, a length of -1 for null.
import { BATCH_HEADER_BYTES, type BatchHeader, readBatchHeader } from './batch-header.ts'
import { type Codec, type Decompress, notSupported } from './compression.ts'
import { type Offset, offset } from './offset.ts'
import { RecordsError } from './records-error.ts'
import { RecordReader, varintSize, writeVarint } from './varint.ts'

export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array | null
}

export interface LogRecord {
  readonly offset: Offset
  /** Milliseconds since the Unix epoch; -1 is none. */
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

/** A record before it has a place. */
export interface NewRecord {
  readonly timestampMs: number
  readonly key?: Uint8Array | null | undefined
  readonly value: Uint8Array | null
  readonly headers?: readonly RecordHeader[]
}

export interface DecodeOptions {
  /** Without it only batches that are not compressed can be read. */
  readonly decompress?: Decompress | undefined
  /** Bound of the decompressed records. Default 64 MiB. */
  readonly decompressedBytesMax?: number
}

/** The shortest record: six one-byte numbers after a one-byte length. */
const RECORD_BYTES_MIN = 7
const DECOMPRESSED_BYTES_MAX_DEFAULT = 67_108_864

/**
 * The records of the batch that `bytes` begins with; keys and values are views into it. Throws a RecordsError when they
 * are not what the header says. The checksum is the caller's to check.
 */
export function decodeRecords(bytes: Uint8Array, options: DecodeOptions = {}): LogRecord[] {
  const header = readBatchHeader(bytes)
  const body = batchBody(bytes, header, options)
  const reader = new RecordReader(body, 0, body.length)
  const records: LogRecord[] = []
  const span = header.lastOffset - header.baseOffset
  let before = -1
  for (let index = 0; index < header.count; index++) {
    const record = readRecord(reader)
    if (record.offsetDelta <= before || record.offsetDelta > span)
      throw new RecordsError('malformed', `record ${index} is at offset ${record.offsetDelta} of ${span} after ${before}`)
    before = record.offsetDelta
    const timestampMs = header.timestampType === 'append' ? header.maxTimestampMs : header.baseTimestampMs + record.timestampDelta
    if (!Number.isSafeInteger(timestampMs)) throw new RecordsError('malformed', 'a timestamp has more than 53 bits')
    const { key, value, headers } = record
    records.push({ offset: offset(header.baseOffset + record.offsetDelta), timestampMs, key, value, headers })
  }
  if (reader.at !== body.length) throw new RecordsError('malformed', `${body.length - reader.at} bytes after the last record`)
  return records
}

/** The records of a batch, decompressed: at least as many bytes as that many records take. Throws a RecordsError. */
export function batchBody(bytes: Uint8Array, header: BatchHeader, options: DecodeOptions): Uint8Array {
  if (bytes.length < header.sizeBytes) throw new RecordsError('truncated', `${bytes.length} of ${header.sizeBytes} bytes of a batch`)
  const body = decompressed(header.codec, bytes.subarray(BATCH_HEADER_BYTES, header.sizeBytes), options)
  // Before anything is allocated for them.
  if (header.count * RECORD_BYTES_MIN > body.length) throw new RecordsError('malformed', `${header.count} records in ${body.length} bytes`)
  return body
}

function decompressed(codec: Codec, body: Uint8Array, options: DecodeOptions): Uint8Array {
  if (codec === 'none') return body
  const sizeBytesMax = options.decompressedBytesMax ?? DECOMPRESSED_BYTES_MAX_DEFAULT
  const result = (options.decompress ?? notSupported)(codec, body, sizeBytesMax)
  if (result.length > sizeBytesMax) throw new RecordsError('too_large', `${result.length} bytes of records`)
  return result
}

interface RawRecord extends Pick<LogRecord, 'key' | 'value' | 'headers'> {
  readonly timestampDelta: number
  readonly offsetDelta: number
}

function readRecord(reader: RecordReader): RawRecord {
  const length = reader.varint()
  const end = reader.at + length
  if (length < 0 || end > reader.end) throw new RecordsError('malformed', `a record of ${length} bytes`)
  // Attributes: Kafka defines none, and ignores them.
  reader.byte()
  const timestampDelta = reader.varint()
  const offsetDelta = reader.varint()
  const key = reader.nullable()
  const value = reader.nullable()
  const headers = readHeaders(reader, end)
  if (reader.at !== end) throw new RecordsError('malformed', 'the fields of a record are not as long as the record')
  return { timestampDelta, offsetDelta, key, value, headers }
}

function readHeaders(reader: RecordReader, end: number): readonly RecordHeader[] {
  const count = reader.varint()
  if (count === 0) return []
  // A header takes two bytes at least.
  if (count < 0 || count * 2 > end - reader.at) throw new RecordsError('malformed', `${count} headers in a record`)
  const text = new TextDecoder()
  const headers: RecordHeader[] = []
  for (let index = 0; index < count; index++) {
    const key = reader.nullable()
    if (key === null) throw new RecordsError('malformed', 'a header without a key')
    headers.push({ key: text.decode(key), value: reader.nullable() })
  }
  return headers
}

/** A record as it will be written: with the deltas, and header keys as bytes. */
export interface PlacedRecord {
  readonly record: NewRecord
  readonly timestampDelta: number
  readonly offsetDelta: number
  readonly headerKeys: readonly Uint8Array[]
  /** Of what stands after the length. */
  readonly bodyBytes: number
}

export function placeRecord(record: NewRecord, timestampDelta: number, offsetDelta: number): PlacedRecord {
  const headers = record.headers ?? []
  const text = new TextEncoder()
  const headerKeys = headers.map(({ key }) => text.encode(key))
  let bodyBytes = 1 + varintSize(timestampDelta) + varintSize(offsetDelta) + nullableSize(record.key) + nullableSize(record.value)
  bodyBytes += varintSize(headers.length)
  for (const [index, { value }] of headers.entries()) bodyBytes += nullableSize(headerKeys[index]) + nullableSize(value)
  return { record, timestampDelta, offsetDelta, headerKeys, bodyBytes }
}

export function placedSize({ bodyBytes }: PlacedRecord): number {
  return varintSize(bodyBytes) + bodyBytes
}

/** Writes the record and answers the place after it. */
export function writeRecord(bytes: Uint8Array, start: number, placed: PlacedRecord): number {
  const { record, timestampDelta, offsetDelta, headerKeys, bodyBytes } = placed
  let place = writeVarint(bytes, start, bodyBytes)
  bytes[place++] = 0
  place = writeVarint(bytes, place, timestampDelta)
  place = writeVarint(bytes, place, offsetDelta)
  place = writeNullable(bytes, place, record.key)
  place = writeNullable(bytes, place, record.value)
  place = writeVarint(bytes, place, headerKeys.length)
  for (const [index, { value }] of (record.headers ?? []).entries()) {
    place = writeNullable(bytes, place, headerKeys[index])
    place = writeNullable(bytes, place, value)
  }
  return place
}

function nullableSize(bytes: Uint8Array | null | undefined): number {
  return bytes == null ? 1 : varintSize(bytes.length) + bytes.length
}

function writeNullable(bytes: Uint8Array, start: number, value: Uint8Array | null | undefined): number {
  if (value == null) return writeVarint(bytes, start, -1)
  const place = writeVarint(bytes, start, value.length)
  bytes.set(value, place)
  return place + value.length
}
