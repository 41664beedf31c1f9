// What servers say to each other. Every message carries its sender's term, except that a pre-vote carries the term its
// candidate would have. Names follow the paper where it has one: `append` is AppendEntries, `vote_request` RequestVote.
import type { Batch, Snapshot } from './raft-log.ts'
import type { LogIndex, Member, Term } from './terms.ts'

interface InTerm {
  readonly term: Term
}

/** The end of a log, by which two are compared: the later term is the newer log, then the higher index (Raft 5.4.1). */
export interface LogEnd {
  readonly lastIndex: LogIndex
  readonly lastTerm: Term
}

/** Would you vote for me in `term`? Asked before the term is raised, so that a server cut off disturbs nobody (dissertation 9.6). */
export interface PreVoteRequest extends InTerm, LogEnd {
  readonly kind: 'pre_vote_request'
}

/** Granted: `term` is the candidate's. Refused: the voter's own. */
export interface PreVoteResponse extends InTerm {
  readonly kind: 'pre_vote_response'
  readonly granted: boolean
}

export interface VoteRequest extends InTerm, LogEnd {
  readonly kind: 'vote_request'
  /** The leader itself asked for this election: a live leader is no reason to refuse. */
  readonly transfer: boolean
}

export interface VoteResponse extends InTerm {
  readonly kind: 'vote_response'
  readonly granted: boolean
}

/** The batches that follow `prevIndex`, whose entry was made in `prevTerm`. */
export interface Append extends InTerm {
  readonly kind: 'append'
  readonly prevIndex: LogIndex
  readonly prevTerm: Term
  readonly batches: readonly Batch[]
  /** Committed by the leader; the receiver commits no further than it matches. */
  readonly commit: LogIndex
}

/** The follower's log equals the leader's up to `match`, and all of it is durable. */
export interface AppendAccepted extends InTerm {
  readonly kind: 'append_accepted'
  readonly match: LogIndex
  /** The follower lost entries it once had: it may be sent more, and must not be counted. */
  readonly damaged: boolean
}

/** No entry of `prevTerm` at `prevIndex`. The hint is the follower's last index at which the two logs can agree. */
export interface AppendRejected extends InTerm {
  readonly kind: 'append_rejected'
  readonly prevIndex: LogIndex
  readonly hintIndex: LogIndex
  readonly hintTerm: Term
  readonly damaged: boolean
}

export interface Heartbeat extends InTerm {
  readonly kind: 'heartbeat'
  /** Never past what the receiver is known to match. */
  readonly commit: LogIndex
  /** Counts up within a term and never repeats: an answer proves the leadership at a time after it was sent. */
  readonly round: number
}

export interface HeartbeatResponse extends InTerm {
  readonly kind: 'heartbeat_response'
  readonly round: number
}

/** To a leader of an earlier term, which would otherwise never learn that its time is over. */
export interface NewerTerm extends InTerm {
  readonly kind: 'newer_term'
}

/** A part of the leader's snapshot. The bytes themselves travel beside the message: the driver reads and writes them. */
export interface SnapshotChunk extends InTerm {
  readonly kind: 'snapshot_chunk'
  readonly snapshot: Snapshot
  readonly offset: number
  readonly lengthBytes: number
}

/** Everything before `nextOffset` of the snapshot at `index` has arrived. */
export interface SnapshotProgress extends InTerm {
  readonly kind: 'snapshot_progress'
  readonly index: LogIndex
  readonly nextOffset: number
}

/** Stand for election at once: the leader hands over (dissertation 3.10). */
export interface TimeoutNow extends InTerm {
  readonly kind: 'timeout_now'
}

/** A follower asks up to where it has to be for a linearizable read. */
export interface ReadRequest extends InTerm {
  readonly kind: 'read_request'
  /** Of this try alone. */
  readonly requestId: number
}

export interface ReadResponse extends InTerm {
  readonly kind: 'read_response'
  readonly requestId: number
  readonly index: LogIndex
}

export type RaftMessage =
  | PreVoteRequest
  | PreVoteResponse
  | VoteRequest
  | VoteResponse
  | Append
  | AppendAccepted
  | AppendRejected
  | Heartbeat
  | HeartbeatResponse
  | NewerTerm
  | SnapshotChunk
  | SnapshotProgress
  | TimeoutNow
  | ReadRequest
  | ReadResponse

/** `from` is who the connection proved to be; `to` is whom the sender takes the receiver for, its disk included. */
export interface Envelope {
  readonly from: Member
  readonly to: Member
  readonly message: RaftMessage
}
