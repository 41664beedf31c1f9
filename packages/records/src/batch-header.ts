// The header of a record batch (Kafka message format v2, KIP-98; apache/kafka DefaultRecordBatch.java). 61 bytes:
//   baseOffset i64 @0, length i32 @8 (of what follows it), partitionLeaderEpoch i32 @12, magic i8 @16, crc u32 @17,
//   attributes i16 @21, lastOffsetDelta i32 @23, baseTimestamp i64 @27, maxTimestamp i64 @35, producerId i64 @43,
//   producerEpoch i16 @51, baseSequence i32 @53, count i32 @57, records @61
// The checksum covers @21 to the end. What stands before it, a log patches in place.
import type { Compute } from '@atoll/base'
import { assert } from '@atoll/base'
import { type Codec, codecs } from './compression.ts'
import { type LeaderEpoch, leaderEpoch, type Offset } from './offset.ts'
import { RecordsError } from './records-error.ts'

export type Crc32c = Compute['crc32c']

export const BATCH_HEADER_BYTES = 61
/** Base offset and length: what has to be read to know where the next batch begins. */
export const BATCH_PREFIX_BYTES = 12
export const MAGIC = 2
const CHECKSUMMED_FROM = 21

/** Where the fields stand, from the beginning of the batch. */
export const at = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
} as const

/** Bits of the attributes. */
export const bits = { codec: 0x07, logAppendTime: 0x08, transactional: 0x10, control: 0x20, deleteHorizon: 0x40 } as const

export interface BatchHeader {
  readonly baseOffset: Offset
  /** Inclusive. A compacted batch may hold fewer records than its span. */
  readonly lastOffset: Offset
  /** The whole batch, this header included. */
  readonly sizeBytes: number
  /** -1 before a log took it. */
  readonly leaderEpoch: LeaderEpoch
  readonly crc: number
  readonly codec: Codec
  /** `append`: the broker's clock, the same for all records. */
  readonly timestampType: 'create' | 'append'
  readonly transactional: boolean
  readonly control: boolean
  /** True when the base timestamp is the time from which the batch's tombstones may go. */
  readonly hasDeleteHorizon: boolean
  /** Milliseconds since the Unix epoch; -1 is none. */
  readonly baseTimestampMs: number
  readonly maxTimestampMs: number
  /** -1: the producer is not idempotent. */
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly count: number
}

/** How long the batch that begins at `start` is; undefined when too few bytes are there to tell. Checks nothing else. */
export function batchSizeAt(bytes: Uint8Array, start: number): number | undefined {
  if (bytes.length - start < BATCH_PREFIX_BYTES) return undefined
  return view(bytes, start).getInt32(at.length) + BATCH_PREFIX_BYTES
}

/** The header of the batch that begins at `start`. Throws a RecordsError unless it is one that makes sense; the checksum is not looked at. */
export function readBatchHeader(bytes: Uint8Array, start = 0): BatchHeader {
  if (bytes.length - start < BATCH_HEADER_BYTES) throw new RecordsError('truncated', `a batch has a header of ${BATCH_HEADER_BYTES} bytes`)
  const fields = view(bytes, start)
  const magic = fields.getInt8(at.magic)
  if (magic !== MAGIC) throw new RecordsError('unsupported_magic', `batches of format ${magic} are not supported`)
  const sizeBytes = fields.getInt32(at.length) + BATCH_PREFIX_BYTES
  if (sizeBytes < BATCH_HEADER_BYTES) throw new RecordsError('malformed', `a batch of ${sizeBytes} bytes`)
  const attributes = fields.getInt16(at.attributes)
  const codec = codecs[attributes & bits.codec]
  if (codec === undefined) throw new RecordsError('unsupported_compression', `codec ${attributes & bits.codec} is not known`)
  const baseOffset = readI64(fields, at.baseOffset)
  const lastOffsetDelta = fields.getInt32(at.lastOffsetDelta)
  const lastOffset = baseOffset + lastOffsetDelta
  if (baseOffset < 0 || lastOffsetDelta < 0 || !Number.isSafeInteger(lastOffset + 1))
    throw new RecordsError('malformed', `a batch from offset ${baseOffset} to ${lastOffset}`)
  const count = fields.getInt32(at.count)
  if (count < 0 || count > lastOffsetDelta + 1) throw new RecordsError('malformed', `${count} records in ${lastOffsetDelta + 1} offsets`)
  return {
    baseOffset: baseOffset as Offset,
    lastOffset: lastOffset as Offset,
    sizeBytes,
    leaderEpoch: readEpoch(fields.getInt32(at.leaderEpoch)),
    crc: fields.getUint32(at.crc),
    codec,
    timestampType: (attributes & bits.logAppendTime) === 0 ? 'create' : 'append',
    transactional: (attributes & bits.transactional) !== 0,
    control: (attributes & bits.control) !== 0,
    hasDeleteHorizon: (attributes & bits.deleteHorizon) !== 0,
    baseTimestampMs: readI64(fields, at.baseTimestamp),
    maxTimestampMs: readI64(fields, at.maxTimestamp),
    producerId: readI64(fields, at.producerId),
    producerEpoch: fields.getInt16(at.producerEpoch),
    baseSequence: fields.getInt32(at.baseSequence),
    count,
  }
}

/** Gives a batch its place in a log. The checksum stays good. */
export function placeBatch(bytes: Uint8Array, start: number, baseOffset: Offset, epoch: LeaderEpoch): void {
  const fields = view(bytes, start)
  writeI64(fields, at.baseOffset, baseOffset)
  fields.setInt32(at.leaderEpoch, leaderEpoch(epoch))
}

/** Says how long the batch is, this header included. The checksum, which covers the records, has to fit them already. */
export function setBatchSize(bytes: Uint8Array, start: number, sizeBytes: number): void {
  assert(sizeBytes >= BATCH_HEADER_BYTES, 'a batch has a header')
  view(bytes, start).setInt32(at.length, sizeBytes - BATCH_PREFIX_BYTES)
}

/** Makes `nowMs` the time of every record (`message.timestamp.type=LogAppendTime`). Costs a checksum of the whole batch. */
export function setAppendTime(bytes: Uint8Array, start: number, nowMs: number, crc32c: Crc32c): void {
  const fields = view(bytes, start)
  fields.setInt16(at.attributes, fields.getInt16(at.attributes) | bits.logAppendTime)
  setMaxTimestamp(bytes, start, nowMs, crc32c)
}

/** Corrects the latest time in the batch, which a producer may have got wrong. Costs a checksum of the whole batch. */
export function setMaxTimestamp(bytes: Uint8Array, start: number, maxTimestampMs: number, crc32c: Crc32c): void {
  writeI64(view(bytes, start), at.maxTimestamp, maxTimestampMs)
  seal(bytes, start, crc32c)
}

/** Writes the checksum of a batch that is otherwise finished. */
export function seal(bytes: Uint8Array, start: number, crc32c: Crc32c): void {
  view(bytes, start).setUint32(at.crc, checksum(bytes, start, crc32c))
}

/** True when the batch's checksum is that of its bytes. All of the batch is there. */
export function checksumHolds(bytes: Uint8Array, start: number, crc32c: Crc32c): boolean {
  return view(bytes, start).getUint32(at.crc) === checksum(bytes, start, crc32c)
}

function checksum(bytes: Uint8Array, start: number, crc32c: Crc32c): number {
  const sizeBytes = view(bytes, start).getInt32(at.length) + BATCH_PREFIX_BYTES
  assert(sizeBytes >= BATCH_HEADER_BYTES && start + sizeBytes <= bytes.length, 'a batch is whole when its checksum is made')
  return crc32c(bytes.subarray(start + CHECKSUMMED_FROM, start + sizeBytes))
}

export function view(bytes: Uint8Array, start: number): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset + start, bytes.byteLength - start)
}

/** A signed 64-bit integer that a double can hold. */
function readI64(fields: DataView, place: number): number {
  const value = fields.getInt32(place) * 0x1_0000_0000 + fields.getUint32(place + 4)
  if (!Number.isSafeInteger(value)) throw new RecordsError('malformed', 'a number of a batch has more than 53 bits')
  return value
}

export function writeI64(fields: DataView, place: number, value: number): void {
  assert(Number.isSafeInteger(value), 'a number of a batch has at most 53 bits')
  fields.setInt32(place, Math.floor(value / 0x1_0000_0000))
  fields.setUint32(place + 4, value % 0x1_0000_0000)
}

function readEpoch(value: number): LeaderEpoch {
  if (value < -1) throw new RecordsError('malformed', `leader epoch ${value}`)
  return value as LeaderEpoch
}
