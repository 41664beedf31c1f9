// What goes into the state machine. Every input carries the monotonic time at which the driver handled it.
import type { MonotonicMs, NodeId } from '@atoll/base'
import type { MembershipChange } from './configuration.ts'
import type { Envelope } from './messages.ts'
import type { LogIndex } from './terms.ts'

interface At {
  readonly nowMs: MonotonicMs
}

export type Input = At &
  (
    | { readonly kind: 'tick' }
    | { readonly kind: 'message'; readonly envelope: Envelope }
    /** The store request of this id is durable. Reports may come in any order; an earlier request still counts as open. */
    | { readonly kind: 'stored'; readonly id: number }
    /** The state machine has applied everything up to `index`. */
    | { readonly kind: 'applied'; readonly index: LogIndex }
    /** Commands for one batch: the driver gathers what is proposed in one turn. */
    | { readonly kind: 'propose'; readonly proposalId: number; readonly commands: readonly Uint8Array[] }
    | { readonly kind: 'change_membership'; readonly proposalId: number; readonly change: MembershipChange }
    /** One try at a linearizable read. A retry is a new input with a new id. */
    | { readonly kind: 'read'; readonly readId: number }
    /** Hand the leadership over; without `to`, to whoever is furthest. */
    | { readonly kind: 'transfer'; readonly to: NodeId | undefined }
    /** The connection to the leader was reset and connecting again at its exact address was refused. */
    | { readonly kind: 'leader_gone'; readonly leader: NodeId }
    /** A connection to this peer is over: what was in flight may be lost. */
    | { readonly kind: 'link_reset'; readonly peer: NodeId }
    /** Writes fail for want of space, or work again. A store request that failed stays open until it is repeated with success. */
    | { readonly kind: 'disk_full'; readonly full: boolean }
    /** Batches that `batchesFrom` did not have are in memory now. */
    | { readonly kind: 'log_loaded' }
    /** The snapshot at this index can no longer be read: start again with the newest. */
    | { readonly kind: 'snapshot_gone'; readonly index: LogIndex }
  )
