// The front door of `raft`: the state machine, its inputs and effects, the log it needs, and the messages servers exchange.
export { type ChangeRefusal, type Configuration, changed, type MembershipChange, majority, memberOf } from './configuration.ts'
export type { Answer, Effects, HardState, MembershipRefusal, ProposalRefusal, RaftEvent, StepDownReason, StoreRequest } from './effects.ts'
export type { Input } from './inputs.ts'
export { BATCH_BYTES_MAX, ENTRY_OVERHEAD_BYTES, LEARNERS_MAX, READS_PENDING_MAX, STORES_PENDING_MAX, VOTERS_MAX } from './limits.ts'
export type {
  Append,
  AppendAccepted,
  AppendRejected,
  Envelope,
  Heartbeat,
  HeartbeatResponse,
  LogEnd,
  NewerTerm,
  PreVoteRequest,
  PreVoteResponse,
  RaftMessage,
  ReadRequest,
  ReadResponse,
  SnapshotChunk,
  SnapshotProgress,
  TimeoutNow,
  VoteRequest,
  VoteResponse,
} from './messages.ts'
export { Raft, type RaftOptions } from './raft.ts'
export {
  type Batch,
  type ConfigurationAt,
  type Entry,
  type EntryPayload,
  type Extent,
  makeBatch,
  type RaftLog,
  type Snapshot,
} from './raft-log.ts'
export { defaultSettings, type RaftSettings } from './settings.ts'
export type { PeerStatus, RaftStatus } from './status.ts'
export { type DiskId, isSameMember, type LogIndex, logIndex, type Member, type Term, term } from './terms.ts'
