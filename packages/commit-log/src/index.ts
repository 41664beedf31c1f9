// The front door of `commit-log`: logs of record batches on a disk, durable in rounds, recovered after crashes.
export type { Appended, CommitLog, LogOptions, ReadOptions } from './commit-log.ts'
export type { CommitLogErrorCode, Damage } from './commit-log-error.ts'
export { CommitLogError } from './commit-log-error.ts'
export type { Durability } from './durability.ts'
export type { EpochEnd, EpochStart } from './leader-epochs.ts'
export { BATCH_BYTES_MAX, SEGMENT_BYTES_DEFAULT } from './limits.ts'
export type { LogStore, LogStoreOptions, OpenLogOptions } from './log-store.ts'
export { openLogStore } from './log-store.ts'
