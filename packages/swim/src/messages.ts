// What members say to each other: the six messages of SWIM (sections 3.1 and 4.1) with memberlist's nack and
// push-pull, as plain data. How they travel is the driver's affair; all but `sync` may be lost, doubled or reordered.
import type { Incarnation, NodeId } from '@atoll/base'

/** `left` is a farewell that the member itself said; `dead` is what others concluded. */
export type MemberState = 'alive' | 'suspect' | 'dead' | 'left'

export interface MemberEndpoint {
  readonly protocol: string
  readonly host: string
  readonly port: number
}

/** What a member says of itself. Only its subject changes it, and raises its incarnation when it does. */
export interface MemberMeta {
  readonly role: string
  /** The first one with protocol `native` is where to connect. */
  readonly endpoints: readonly MemberEndpoint[]
  /** How busy the process is, in percent of what it can do; 0 to 100. */
  readonly loadPercent: number
}

/** One claim about one member: the unit of dissemination. */
export interface MemberUpdate {
  readonly node: NodeId
  readonly state: MemberState
  readonly incarnation: Incarnation
  /** Who saw it, for `suspect` and `dead`. */
  readonly by: NodeId | undefined
  /** The evidence is a refused connection: nobody listens at the member's exact address. */
  readonly refused: boolean
  /** Always there for `alive`, and in a `sync`; left out elsewhere. */
  readonly meta: MemberMeta | undefined
}

interface Carrier {
  readonly updates: readonly MemberUpdate[]
}

/** Are you there? Another process at that address than `target` stays silent. */
export interface Ping extends Carrier {
  readonly kind: 'ping'
  readonly sequence: number
  readonly target: NodeId
  /** Sent as a stream would carry it, after one that may have been lost; to be answered the same way. */
  readonly reliable: boolean
}

/** I am, or (from a helper) it is. */
export interface Ack extends Carrier {
  readonly kind: 'ack'
  readonly sequence: number
}

/** Please ping `target` for me (SWIM section 3.1: the indirect probe). */
export interface PingRequest extends Carrier {
  readonly kind: 'ping_request'
  readonly sequence: number
  readonly target: NodeId
  readonly host: string
  readonly port: number
}

/** A helper's word that it is there itself, but has heard nothing from the target so far (Lifeguard section IV-A). */
export interface Nack {
  readonly kind: 'nack'
  readonly sequence: number
}

export interface Gossip extends Carrier {
  readonly kind: 'gossip'
}

/** Push-pull: everything I know; `reply` is the answer to the one with the same sequence. */
export interface Sync {
  readonly kind: 'sync'
  readonly sequence: number
  readonly reply: boolean
  /** The sender has just started and knows nobody: it also wants to know who is dead. */
  readonly joining: boolean
  readonly members: readonly MemberUpdate[]
}

export type SwimMessage = Ping | Ack | PingRequest | Nack | Gossip | Sync
