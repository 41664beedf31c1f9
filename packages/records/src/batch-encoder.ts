// Making batches: of a producer's records, and the control batches with which a transaction ends.
import { assert } from '@atoll/base'
import { at, BATCH_HEADER_BYTES, bits, type Crc32c, MAGIC, placeBatch, seal, setBatchSize, view, writeI64 } from './batch-header.ts'
import { type Codec, type Compress, codecs, notSupported } from './compression.ts'
import { type LeaderEpoch, leaderEpoch, type Offset, offset } from './offset.ts'
import { type NewRecord, type PlacedRecord, placedSize, placeRecord, writeRecord } from './record-codec.ts'

export interface EncodeOptions {
  readonly crc32c: Crc32c
  /** Default 0, which is what a producer sends. */
  readonly baseOffset?: Offset
  /** Default -1. */
  readonly leaderEpoch?: LeaderEpoch
  readonly producer?: { readonly id: number; readonly epoch: number; readonly baseSequence: number }
  readonly transactional?: boolean
  readonly control?: boolean
  /** Default none. Others need `compress`. */
  readonly codec?: Codec
  readonly compress?: Compress
}

/** One batch of `records`, of which there is at least one, at consecutive offsets. */
export function encodeBatch(records: readonly NewRecord[], options: EncodeOptions): Uint8Array {
  const [first] = records
  assert(first !== undefined, 'a batch has a record')
  const body = encodeBody(placeAll(records), options)
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + body.length)
  bytes.set(body, BATCH_HEADER_BYTES)
  const fields = view(bytes, 0)
  fields.setInt8(at.magic, MAGIC)
  fields.setInt16(at.attributes, attributesOf(options))
  fields.setInt32(at.lastOffsetDelta, records.length - 1)
  writeI64(fields, at.baseTimestamp, first.timestampMs)
  writeI64(
    fields,
    at.maxTimestamp,
    records.reduce((latest, { timestampMs }) => Math.max(latest, timestampMs), -1),
  )
  writeI64(fields, at.producerId, options.producer?.id ?? -1)
  fields.setInt16(at.producerEpoch, options.producer?.epoch ?? -1)
  fields.setInt32(at.baseSequence, options.producer?.baseSequence ?? -1)
  fields.setInt32(at.count, records.length)
  placeBatch(bytes, 0, options.baseOffset ?? offset(0), options.leaderEpoch ?? leaderEpoch(-1))
  setBatchSize(bytes, 0, bytes.length)
  seal(bytes, 0, options.crc32c)
  return bytes
}

/** Bytes of the batch that `encodeBatch` would make of `records` without compression. */
export function batchSize(records: readonly NewRecord[]): number {
  return placeAll(records).reduce((sum, placed) => sum + placedSize(placed), BATCH_HEADER_BYTES)
}

/** Bytes that one more record adds to a batch at most, whatever its place: to decide when a batch is full without encoding it. */
export function recordSizeMax(record: NewRecord): number {
  // 5 bytes of offset delta and 8 of timestamp delta instead of one each, and 4 more for the length of it all.
  return placedSize(placeRecord(record, 0, 0)) + 15
}

export type ControlType = 'abort' | 'commit'
const controlTypes = ['abort', 'commit'] as const

/** The batch with which a transaction ends: one record, key `version i16, type i16`, value `version i16, coordinator epoch i32`. */
export function encodeControlBatch(
  type: ControlType,
  coordinatorEpoch: number,
  timestampMs: number,
  producer: { readonly id: number; readonly epoch: number },
  options: Pick<EncodeOptions, 'crc32c'>,
): Uint8Array {
  const key = new Uint8Array(4)
  view(key, 0).setInt16(2, controlTypes.indexOf(type))
  const value = new Uint8Array(6)
  view(value, 0).setInt32(2, coordinatorEpoch)
  return encodeBatch([{ timestampMs, key, value }], {
    ...options,
    producer: { ...producer, baseSequence: -1 },
    transactional: true,
    control: true,
  })
}

/** What a control record's key says; undefined is a type of a later version, which readers pass over. */
export function controlType(key: Uint8Array | null): ControlType | undefined {
  return key === null || key.length < 4 ? undefined : controlTypes[view(key, 0).getInt16(2)]
}

function placeAll(records: readonly NewRecord[]): readonly PlacedRecord[] {
  const baseTimestampMs = records[0]?.timestampMs ?? 0
  return records.map((record, index) => placeRecord(record, record.timestampMs - baseTimestampMs, index))
}

function encodeBody(placed: readonly PlacedRecord[], { codec = 'none', compress = notSupported }: EncodeOptions): Uint8Array {
  const body = new Uint8Array(placed.reduce((sum, record) => sum + placedSize(record), 0))
  let place = 0
  for (const record of placed) place = writeRecord(body, place, record)
  return codec === 'none' ? body : compress(codec, body)
}

function attributesOf({ codec = 'none', transactional = false, control = false }: EncodeOptions): number {
  return codecs.indexOf(codec) | (transactional ? bits.transactional : 0) | (control ? bits.control : 0)
}
