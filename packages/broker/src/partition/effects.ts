// What comes out of a replica. The driver does it; nothing of it may be left out, and `cut` is begun before the next input.
import type { NodeId } from '@atoll/base'
import type { LeaderEpoch, Offset } from '@atoll/records'
import type { IsrProposal } from './assignment.ts'
import type { FetchRefusal } from './inputs.ts'
import type { EpochEnd } from './partition-log.ts'

export type ProduceRefusal =
  | 'not_leader'
  | 'not_enough_replicas'
  | 'too_many_requests'
  | 'disk_full'
  | 'disk_failed'
  | 'invalid_batch'
  | 'out_of_order_sequence'
  | 'invalid_producer_epoch'

/** Appended, and perhaps kept: the outcome is not known. */
export type ProduceDoubt = 'leadership_lost' | 'not_enough_replicas_after_append' | 'request_timed_out' | 'disk_failed'

export type Answer =
  | {
      readonly kind: 'produced'
      readonly requestId: number
      readonly firstOffset: Offset
      readonly logStart: Offset
      /** True when it had been appended before: the offset is the original one. */
      readonly duplicate: boolean
    }
  /** Definitely not in the log. */
  | { readonly kind: 'produce_refused'; readonly requestId: number; readonly reason: ProduceRefusal }
  | { readonly kind: 'produce_doubtful'; readonly requestId: number; readonly reason: ProduceDoubt }
  | { readonly kind: 'deleted'; readonly requestId: number; readonly lowWatermark: Offset }
  | {
      readonly kind: 'delete_refused'
      readonly requestId: number
      readonly reason: 'not_leader' | 'out_of_range' | 'too_many_requests' | 'request_timed_out'
    }

/** What the leader thinks of a follower's position. Only `accepted` counts as progress. */
export type FetchCheck =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'diverging'; readonly end: EpochEnd }
  | { readonly kind: 'out_of_range'; readonly logStart: Offset; readonly logEnd: Offset }
  | { readonly kind: 'refused'; readonly reason: FetchRefusal }

/** What to do with the log before anything else touches it; then `cut_done`. */
export type Cut =
  /** Nothing from `to` on is left; a batch that holds it goes as a whole. */
  | { readonly kind: 'truncate'; readonly to: Offset }
  /** Everything goes; the log begins anew. */
  | { readonly kind: 'restart'; readonly at: Offset }

export type ResignReason = 'shutting_down' | 'disk_stuck' | 'disk_full' | 'disk_failed'

export type ReplicaEvent =
  | { readonly kind: 'became_leader'; readonly epoch: LeaderEpoch; readonly logEnd: Offset }
  | { readonly kind: 'became_follower'; readonly epoch: LeaderEpoch; readonly leader: NodeId }
  | { readonly kind: 'became_idle'; readonly epoch: LeaderEpoch }
  | { readonly kind: 'cutting'; readonly cut: Cut }
  /** The leader's log lacks what this replica knows to be committed. It keeps it and copies nothing more: a person decides. */
  | { readonly kind: 'committed_missing'; readonly highWatermark: Offset; readonly to: Offset }
  /** The leader sent what does not belong at the log's end. */
  | { readonly kind: 'invalid_records'; readonly from: NodeId }

export interface Effects {
  readonly answers: readonly Answer[]
  /** Answers `follower_fetch`. */
  readonly check: FetchCheck | undefined
  /** For the controller. Sent again after a while, in case it was lost. */
  readonly proposal: IsrProposal | undefined
  /** For the controller: another in-sync replica should lead. This one goes on until it does. */
  readonly resignation: ResignReason | undefined
  readonly cut: Cut | undefined
  /** Nothing before this is wanted any more: whole batches of it may go, when there is time. */
  readonly trim: Offset | undefined
  /** There is more for followers to fetch. */
  readonly logEndMoved: boolean
  /** There is more for consumers to read: so many bytes of batches. */
  readonly committedBytes: number
  readonly highWatermarkMoved: boolean
  /** What this follower asks its leader for has changed: another leader, another position, or nothing any more. */
  readonly positionMoved: boolean
  readonly events: readonly ReplicaEvent[]
  /** `tick` is due then. Infinity when nothing is. */
  readonly wakeAtMs: number
}
