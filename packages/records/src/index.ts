// The front door of `records`: Kafka's record batches, version 2. Pure functions over bytes.
export type { FoundBatch, ProducedBatch, ProduceRules } from './batch-check.ts'
export { checkBatch, checkProduced, sequenceAfter, splitBatches } from './batch-check.ts'
export type { ControlType, EncodeOptions } from './batch-encoder.ts'
export { batchSize, controlType, encodeBatch, encodeControlBatch, recordSizeMax } from './batch-encoder.ts'
export type { FilterOptions } from './batch-filter.ts'
export { filterBatch } from './batch-filter.ts'
export type { BatchHeader, Crc32c } from './batch-header.ts'
export {
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  batchSizeAt,
  placeBatch,
  readBatchHeader,
  setAppendTime,
  setBatchSize,
  setMaxTimestamp,
} from './batch-header.ts'
export type { Codec, Compress, Decompress } from './compression.ts'
export { codecs, createCompression } from './compression.ts'
export type { LeaderEpoch, Offset } from './offset.ts'
export { leaderEpoch, offset } from './offset.ts'
export type { DecodeOptions, LogRecord, NewRecord, RecordHeader } from './record-codec.ts'
export { decodeRecords } from './record-codec.ts'
export type { RecordsScan } from './record-scan.ts'
export { scanRecords } from './record-scan.ts'
export type { RecordsErrorCode } from './records-error.ts'
export { RecordsError } from './records-error.ts'
