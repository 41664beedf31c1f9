// What members say to each other: the six messages of SWIM (sections 3.1 and 4.1) with memberlist's nack and
// push-pull. Their fields are those of the gossip conversation's tables; here they get the name the core tells them
// apart by. How they travel is the driver's affair; all but `sync` may be lost, doubled or reordered.
import type { MemberUpdate, MessageOf, swimAck, swimGossip, swimNack, swimPing, swimPingRequest, swimSync } from '@atoll/protocol'

export type { MemberMeta, MemberState, MemberUpdate } from '@atoll/protocol'
export type MemberEndpoint = NonNullable<MemberUpdate['meta']>['endpoints'][number]

/** Are you there? Another process at that address than `target` stays silent. */
export type Ping = MessageOf<typeof swimPing> & {
  readonly kind: 'ping'
  /** Sent as a stream would carry it, after one that may have been lost; to be answered the same way. */
  readonly reliable: boolean
}

/** I am, or (from a helper) it is. */
export type Ack = MessageOf<typeof swimAck> & { readonly kind: 'ack' }

/** Please ping `target` for me (SWIM section 3.1: the indirect probe). */
export type PingRequest = MessageOf<typeof swimPingRequest> & { readonly kind: 'ping_request' }

/** A helper's word that it is there itself, but has heard nothing from the target so far (Lifeguard section IV-A). */
export type Nack = MessageOf<typeof swimNack> & { readonly kind: 'nack' }

export type Gossip = MessageOf<typeof swimGossip> & { readonly kind: 'gossip' }

/** Push-pull: everything I know; `reply` is the answer to the one with the same sequence. */
export type Sync = MessageOf<typeof swimSync> & { readonly kind: 'sync' }

export type SwimMessage = Ping | Ack | PingRequest | Nack | Gossip | Sync
