// What comes out of the state machine. The driver sends `send` at once; it writes `store` in the order of ids and, once
// a request and all before it are durable, sends its `thenSend` and reports `stored`.
import type { MonotonicMs, NodeId } from '@atoll/base'
import type { ChangeRefusal } from './configuration.ts'
import type { Envelope } from './messages.ts'
import type { Batch, Snapshot } from './raft-log.ts'
import type { LogIndex, Member, Term } from './terms.ts'

/** What a server must never forget, whatever else it loses (Raft figure 2, "persistent state"). */
export interface HardState {
  readonly term: Term
  /** Whom this server voted for in `term`. */
  readonly votedFor: Member | undefined
}

export interface StoreRequest {
  /** Counts up by one from 1 in each life of a process. */
  readonly id: number
  readonly hardState: HardState | undefined
  /** Make the snapshot whose chunks were kept the current one, atomically, and start the log anew after it. */
  readonly install: Snapshot | undefined
  /** In order. Whatever is stored from the first one's `firstIndex` on is discarded first. */
  readonly batches: readonly Batch[]
  /** Says what is true only once this request is durable. */
  readonly thenSend: readonly Envelope[]
}

export type ProposalRefusal =
  | 'not_leader'
  /** The leadership is being handed over. */
  | 'transferring'
  /** Too much is proposed and not yet committed. */
  | 'busy'
  | 'too_large'

export type MembershipRefusal =
  | ProposalRefusal
  | ChangeRefusal
  /** An earlier change is not committed yet, or nothing of this leader's own term is. */
  | 'change_in_flight'
  | 'not_caught_up'

export type Answer =
  /** In the leader's log: committed when an entry with this term is at this index once applied. */
  | {
      readonly kind: 'accepted'
      readonly proposalId: number
      readonly term: Term
      readonly firstIndex: LogIndex
      readonly lastIndex: LogIndex
    }
  /** Definitely not in any log. */
  | {
      readonly kind: 'refused'
      readonly proposalId: number
      readonly reason: ProposalRefusal | MembershipRefusal
      readonly leader: NodeId | undefined
    }
  /** Serve the read once everything up to `index` is applied. */
  | { readonly kind: 'read_ready'; readonly readId: number; readonly index: LogIndex }
  | {
      readonly kind: 'read_failed'
      readonly readId: number
      readonly reason: 'no_leader' | 'leader_changed' | 'timed_out' | 'busy'
      readonly leader: NodeId | undefined
    }

export type StepDownReason = 'newer_term' | 'quorum_lost' | 'disk_stuck' | 'disk_full' | 'removed'

export type RaftEvent =
  | { readonly kind: 'became_leader'; readonly term: Term; readonly votes: number }
  | { readonly kind: 'stepped_down'; readonly term: Term; readonly reason: StepDownReason }
  | { readonly kind: 'leader_changed'; readonly term: Term; readonly leader: NodeId | undefined }
  | { readonly kind: 'transfer_ended'; readonly to: NodeId; readonly how: 'handed_over' | 'timed_out' | 'removed' }
  | { readonly kind: 'transfer_refused'; readonly to: NodeId | undefined }
  /** A message was meant for, or came from, another disk than the one that goes by this name. */
  | { readonly kind: 'identity_refused'; readonly peer: Member; readonly meant: Member }
  | { readonly kind: 'malformed_message'; readonly peer: Member; readonly what: RaftMessageKind }
  /** Everything this server had lost is there again. */
  | { readonly kind: 'repaired'; readonly lastIndex: LogIndex }
  /** A leader knows that this server confirmed more than it holds. */
  | { readonly kind: 'loss_discovered'; readonly lastIndex: LogIndex; readonly confirmed: LogIndex }

type RaftMessageKind = Envelope['message']['kind']

export interface Effects {
  /** May leave at once, in this order. */
  readonly send: readonly Envelope[]
  /** Keep the bytes that came with the message just handled as this part of the snapshot; at offset 0 a new one begins. */
  readonly keepChunk: { readonly snapshot: Snapshot; readonly offset: number; readonly lengthBytes: number } | undefined
  readonly store: StoreRequest | undefined
  /** Committed and durable here: to be applied, in order, up to and including this index. */
  readonly applyThrough: LogIndex | undefined
  readonly answers: readonly Answer[]
  readonly events: readonly RaftEvent[]
  /** When the next tick is due; replaces the one before. */
  readonly wakeAtMs: MonotonicMs
}
