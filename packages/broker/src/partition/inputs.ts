// What happens to a replica. Each is taken by `Replica.step` with the time at which it happened.
import type { NodeId } from '@atoll/base'
import type { BatchHeader, LeaderEpoch, Offset } from '@atoll/records'
import type { Assignment, ProposalAnswer } from './assignment.ts'
import type { EpochEnd } from './partition-log.ts'
import type { ProducerStates } from './producers.ts'

/** When a producer is answered: never, once the leader has the batch on disk, once every in-sync replica has. */
export type Acks = 'none' | 'leader' | 'all'

/** A batch that has been checked (`checkProduced`); it belongs to the replica from here on, which writes offset and epoch into it. */
export interface Produce {
  readonly kind: 'produce'
  readonly requestId: number
  readonly batch: Uint8Array
  readonly header: BatchHeader
  readonly acks: Acks
  /** After this the answer is `request_timed_out`. */
  readonly deadlineMs: number
}

/** Where a follower stands: what it asks for, and with that what it has. */
export interface FetchPosition {
  /** The epoch the follower believes current. */
  readonly leaderEpoch: LeaderEpoch
  /** The follower's log end. */
  readonly fetchOffset: Offset
  /** The epoch of its last record; undefined when it has none. */
  readonly lastFetchedEpoch: LeaderEpoch | undefined
  /** What it has on disk. Exclusive. */
  readonly durableEnd: Offset
  readonly logStart: Offset
}

/** A follower's fetch, at the leader. `Effects.check` answers it at once. */
export interface FollowerFetch {
  readonly kind: 'follower_fetch'
  readonly follower: NodeId
  readonly brokerEpoch: number
  readonly position: FetchPosition
}

/** One-way: a sync at the follower ended. */
export interface FollowerDurable {
  readonly kind: 'follower_durable'
  readonly follower: NodeId
  readonly brokerEpoch: number
  readonly leaderEpoch: LeaderEpoch
  readonly durableEnd: Offset
}

export type FetchRefusal =
  /** The asker is behind: a newer leader exists. */
  | 'fenced_leader_epoch'
  /** The asker is ahead: this replica has not heard of that epoch yet. */
  | 'unknown_leader_epoch'
  | 'not_leader'
  | 'stale_broker_epoch'
  | 'not_a_replica'

/** What a leader answered to a follower. */
export type FetchResult =
  | {
      readonly kind: 'records'
      /** Whole batches from the fetch offset on; may be empty. */
      readonly records: Uint8Array
      readonly highWatermark: Offset
      readonly logStart: Offset
    }
  /** The follower's log and the leader's part before the fetch offset: where the leader's ends for that epoch (KIP-595). */
  | { readonly kind: 'diverging'; readonly end: EpochEnd }
  /** Before the leader's log start or, with an empty log, after its end. */
  | { readonly kind: 'out_of_range'; readonly logStart: Offset; readonly logEnd: Offset }
  | { readonly kind: 'refused'; readonly reason: FetchRefusal }

/** A leader's answer, at the follower, with what had been asked. */
export interface Fetched {
  readonly kind: 'fetched'
  readonly from: NodeId
  readonly position: FetchPosition
  readonly result: FetchResult
}

/** Makes `offset` the first that is kept, on every replica (KIP-107); undefined is the high watermark. */
export interface DeleteRecords {
  readonly kind: 'delete_records'
  readonly requestId: number
  readonly before: Offset | undefined
  readonly deadlineMs: number
}

export type Input =
  | { readonly kind: 'assign'; readonly assignment: Assignment }
  /** A registration changed. */
  | { readonly kind: 'brokers_changed' }
  /** This broker was registered anew: what it was told as another one counts no more. */
  | { readonly kind: 'registered' }
  | { readonly kind: 'configure'; readonly minInSyncReplicas: number }
  | Produce
  | FollowerFetch
  | FollowerDurable
  | Fetched
  | DeleteRecords
  /** Retention wants nothing before `from` any more. */
  | { readonly kind: 'retain'; readonly from: Offset }
  /** The log's durable end rose. */
  | { readonly kind: 'durable' }
  /** The log failed (`PartitionLog.failed`). */
  | { readonly kind: 'log_failed' }
  /** The cut asked for is durable; the producers are those of what is left. */
  | { readonly kind: 'cut_done'; readonly producers: ProducerStates }
  | { readonly kind: 'proposal_answered'; readonly answer: ProposalAnswer }
  /** The broker is about to stop: somebody else should lead. */
  | { readonly kind: 'resign' }
  | { readonly kind: 'tick' }
