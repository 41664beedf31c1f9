// The front door of `history`: records and recorder, the checkers, their models, and the page that draws a failed history.
export { checkFencing, type FencingOptions, type FencingReport, type FencingViolation } from './fencing.ts'
export { HistoryError } from './history-error.ts'
export { decodeHistory, encodeHistory, encodeRecord } from './json-lines.ts'
export { OPERATIONS_MAX, RECORDS_MAX, STEPS_MAX } from './limits.ts'
export {
  type CheckOptions,
  checkLinearizable,
  type LinearizabilityResult,
  type PartitionResult,
  type Placed,
  type Told,
} from './linearizability/check.ts'
export { agrees, type Deterministic, type Model } from './linearizability/model.ts'
export type { Verdict } from './linearizability/search.ts'
export { type TightenedHistory, tightenByLog } from './linearizability/server-log.ts'
export { checkLog, type LogOptions, type LogReport, type LogRule, type LogViolation } from './log/check-log.ts'
export { appendedLog, chainHash, EMPTY_LOG_HASH, type LogInput, type LogOutput, type LogState } from './models/appended-log.ts'
export { type LockInput, type LockOutput, type LockState, lockModel } from './models/lock.ts'
export { type RegisterInput, type RegisterOutput, type RegisterValue, register } from './models/register.ts'
export { type StoreModel, type StoreState, storeModel } from './models/store.ts'
export type {
  Compare,
  SimpleAnswer,
  SimpleRequest,
  StoreAnswer,
  StoreEntry,
  StoreObservation,
  StoreRequest,
  Txn,
} from './models/store-requests.ts'
export { type VersionedInput, type VersionedOutput, type VersionedState, versionedRegister } from './models/versioned-register.ts'
export type { HistoryRecord, Operation, Outcome } from './operation.ts'
export { pairRecords } from './pairing.ts'
export { RecordedClient, Recorder, type RecorderOptions } from './recorder.ts'
export { checkRevisions, type RevisionReport, type RevisionSeen, type RevisionViolation } from './revisions.ts'
export { timelinePage } from './timeline/page.ts'
export { checkWatches, type WatchProperty, type WatchReport, type WatchViolation } from './watch/check-watch.ts'
export { type Change, changesOf, type KnownChange, RevisionedHistory } from './watch/revisioned-history.ts'
export type { Watch, WatchEvent, WatchResponse, WatchStream } from './watch/watch.ts'
