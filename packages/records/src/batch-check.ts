// Batches from outside: where one ends and the next begins, whether the bytes are what was sent, and whether a producer
// may send them at all (apache/kafka LogValidator.java, ProduceRequest.java).
import { type BatchHeader, batchSizeAt, type Crc32c, checksumHolds, readBatchHeader } from './batch-header.ts'
import type { DecodeOptions } from './record-codec.ts'
import { scanRecords } from './record-scan.ts'
import { RecordsError } from './records-error.ts'

/** One batch within the bytes it came in. */
export interface FoundBatch {
  readonly start: number
  readonly header: BatchHeader
}

/** The batch at `start`, whole and with a good checksum, or a RecordsError. */
export function checkBatch(bytes: Uint8Array, start: number, crc32c: Crc32c): BatchHeader {
  const header = readBatchHeader(bytes, start)
  if (start + header.sizeBytes > bytes.length)
    throw new RecordsError('truncated', `${bytes.length - start} of ${header.sizeBytes} bytes of a batch`)
  if (!checksumHolds(bytes, start, crc32c)) throw new RecordsError('bad_checksum', `batch at offset ${header.baseOffset}: wrong checksum`)
  return header
}

/** The whole batches that `bytes` begins with; a last one that is cut off is left out. Throws a RecordsError for one that makes no sense. */
export function splitBatches(bytes: Uint8Array): readonly FoundBatch[] {
  const found: FoundBatch[] = []
  for (let start = 0; start < bytes.length; ) {
    const sizeBytes = batchSizeAt(bytes, start)
    if (sizeBytes === undefined || start + sizeBytes > bytes.length) break
    const header = readBatchHeader(bytes, start)
    found.push({ start, header })
    start += header.sizeBytes
  }
  return found
}

export interface ProduceRules extends DecodeOptions {
  readonly crc32c: Crc32c
  /** `max.message.bytes` of the topic. */
  readonly batchBytesMax: number
  /** True on a compacted topic, where a record without a key could never be replaced. */
  readonly keysRequired: boolean
  /** False for producers of a protocol version older than zstd (Produce below version 7). Default true. */
  readonly zstdAllowed?: boolean
}

export interface ProducedBatch {
  readonly header: BatchHeader
  /** The latest time of its records, which the header may have wrong (`setMaxTimestamp` corrects it). */
  readonly maxTimestampMs: number
}

/** Accepts what a producer may append: exactly one batch that keeps every rule of the format. Throws a RecordsError. */
export function checkProduced(bytes: Uint8Array, rules: ProduceRules): ProducedBatch {
  if (bytes.length > rules.batchBytesMax) throw new RecordsError('too_large', `${bytes.length} bytes, at most ${rules.batchBytesMax}`)
  const header = checkBatch(bytes, 0, rules.crc32c)
  if (header.sizeBytes !== bytes.length) throw new RecordsError('invalid_record', 'a produce request has one batch per partition')
  checkProducedHeader(header)
  if (header.codec === 'zstd' && rules.zstdAllowed === false)
    throw new RecordsError('unsupported_compression', 'zstd came with a later version of the request')
  const { keyless, maxTimestampMs } = scanRecords(bytes, rules)
  if (rules.keysRequired && keyless.length > 0)
    throw new RecordsError('invalid_record', 'a compacted topic takes no record without a key', keyless)
  return { header, maxTimestampMs }
}

function checkProducedHeader(header: BatchHeader): void {
  const refuse = (why: string): never => {
    throw new RecordsError('invalid_record', why)
  }
  if (header.baseOffset !== 0) refuse(`a producer's batch begins at offset 0, not ${header.baseOffset}`)
  if (header.count === 0) refuse('a batch without records')
  if (header.count !== header.lastOffset + 1) refuse(`${header.count} records in ${header.lastOffset + 1} offsets`)
  if (header.control) refuse('clients do not write control batches')
  if (header.hasDeleteHorizon) refuse('clients do not set delete horizons')
  if (header.timestampType === 'append') refuse('clients do not set the append time')
  if (header.producerId >= 0 && (header.baseSequence < 0 || header.producerEpoch < 0)) refuse('a producer id without sequence or epoch')
  if (header.transactional && header.producerId < 0) refuse('a transaction without a producer id')
}

/** The sequence number `count` after `sequence`: it goes from 2^31 - 1 to 0. */
export function sequenceAfter(sequence: number, count: number): number {
  return (sequence + count) % 0x8000_0000
}
