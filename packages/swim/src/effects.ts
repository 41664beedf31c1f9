// What comes out of the state machine: messages to send, events for the rest of the process, and the next time to wake it.
import type { Incarnation, MonotonicMs, NodeId } from '@atoll/base'
import type { MemberMeta, MemberState, SwimMessage } from './messages.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/**
 * Where a message goes: over an open connection to `node` if there is one, else to `address`.
 * Without a node it is a seed, whose name is not known yet; without an address it is an answer to a member not known
 * yet, and is dropped when the connection its question came by is gone.
 */
export type Destination =
  | { readonly node: NodeId; readonly address: Address | undefined }
  | { readonly node: undefined; readonly address: Address }

/** `reliable`: as a stream would carry it; otherwise one that may be lost, doubled or reordered is good enough. */
export interface Send {
  readonly to: Destination
  readonly message: SwimMessage
  readonly reliable: boolean
}

/** A member as this process believes it to be. */
export interface MemberView {
  readonly node: NodeId
  readonly state: MemberState
  readonly incarnation: Incarnation
  readonly meta: MemberMeta
  /** Who said so, for `suspect` and `dead`. */
  readonly by: NodeId | undefined
  /** The belief rests on a refused connection. */
  readonly refused: boolean
}

/** A member's state changed; `previous` is undefined for one met for the first time. */
interface Change {
  readonly member: MemberView
  readonly previous: MemberState | undefined
}

export type SwimEvent =
  | ({ readonly kind: 'member_alive' } & Change)
  | ({ readonly kind: 'member_suspect' } & Change)
  | ({ readonly kind: 'member_dead' } & Change)
  | ({ readonly kind: 'member_left' } & Change)
  /** Same state, but endpoints, role or load are new. */
  | ({ readonly kind: 'member_updated' } & Change)
  /** A member dead or gone for so long that it was forgotten. */
  | { readonly kind: 'member_forgotten'; readonly node: NodeId }
  /** Others believed this process suspect, dead or gone; it raised its incarnation to contradict them. */
  | { readonly kind: 'refuted_self'; readonly claimed: MemberState; readonly by: NodeId | undefined; readonly incarnation: Incarnation }
  /** This process did not run for so long that its own conclusions are void until it has refreshed them. */
  | { readonly kind: 'own_stall'; readonly stalledMs: number }
  /** The first answer of a seed: the membership is known. */
  | { readonly kind: 'joined'; readonly members: number }
  /** The farewell is spread as far as it will be: exit now. */
  | { readonly kind: 'farewell_said' }

export interface Effects {
  readonly sends: readonly Send[]
  readonly events: readonly SwimEvent[]
  /** When the next tick is due; replaces the one before. Undefined: none is. */
  readonly wakeAtMs: MonotonicMs | undefined
}
