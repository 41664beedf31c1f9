// Gossip: who is alive, at which addresses, how loaded. SWIM (Das, Gupta, Motivala 2002) with Lifeguard (Dadgar,
// Phillips, Currey 2018). Probes and rumours are datagrams: they may be lost, and the protocol copes. They travel on
// small connections of their own, so that no bulk frame ever delays a sign of life.
import type { Incarnation } from '@atoll/base'
import { bool, i53, list, nodeName, oneOf, optional, str, u8, u16, u32, type ValueOf } from '../field-types.ts'
import { field, struct } from '../fields.ts'
import { conversation, oneWay } from '../table.ts'

/** Members a cluster may have. */
export const MEMBERS_MAX = 4_096
/** Updates that ride on one probe, answer or rumour. */
export const UPDATES_PER_MESSAGE_MAX = 64

const memberEndpoint = struct('member endpoint', {
  protocol: field(str({ max: 16 }), '`native`, later `kafka`, `resp`, `http`, ….'),
  host: field(str({ max: 64 }), 'A literal IP address.'),
  port: field(u16(), 'TCP or UDP port.'),
})

const memberMeta = struct('member meta', {
  role: field(str({ max: 32 }), 'What the member is: `coordinator`, `broker`, ….'),
  endpoints: field(list(memberEndpoint, { max: 8 }), 'Where it can be reached; the first `native` one is used between nodes.'),
  loadPercent: field(u8({ max: 100 }), 'How busy it says it is.'),
})

/** What one member says of another (or of itself). */
export const memberUpdate = struct('member update', {
  node: field(nodeName(), 'The member it is about.'),
  state: field(oneOf('alive', 'suspect', 'dead', 'left'), 'What is said of it.'),
  incarnation: field(i53<Incarnation>(), 'The subject’s own counter that this is about; only the subject raises it.'),
  by: field(optional(nodeName()), 'Who accuses it, for `suspect` and `dead`: independent accusers count.'),
  refused: field(bool(), 'The accuser was refused a connection at the member’s exact address: nobody listens there.'),
  meta: field(optional(memberMeta), 'Role, addresses and load; always there for `alive`.'),
})
export type MemberUpdate = ValueOf<typeof memberUpdate>
export type MemberMeta = ValueOf<typeof memberMeta>
export type MemberState = MemberUpdate['state']

const sequence = field(u32(), 'Pairs an answer with its probe; each prober counts its own.')
const updates = field(list(memberUpdate, { max: UPDATES_PER_MESSAGE_MAX }), 'Rumours that ride along.')

const probe = {
  sequence,
  target: field(nodeName(), 'Whom the prober means; anybody else does not answer.'),
  updates,
}

export const swimPing = oneWay({
  key: 0x0201,
  name: 'swim_ping',
  doc: 'A probe: answer with `swim_ack`.',
  source: 'SWIM section 3.1',
  datagram: true,
  message: probe,
})
export const swimPingReliable = oneWay({
  key: 0x0202,
  name: 'swim_ping_reliable',
  doc: 'The probe again, after the first went unanswered, as a message that link loss does not touch.',
  source: 'memberlist: TCP fallback ping',
  message: probe,
})
export const swimAck = oneWay({
  key: 0x0203,
  name: 'swim_ack',
  doc: 'The only proof of life there is.',
  source: 'SWIM section 3.1',
  datagram: true,
  message: { sequence, updates },
})
export const swimAckReliable = oneWay({
  key: 0x0208,
  name: 'swim_ack_reliable',
  doc: 'The answer to a `swim_ping_reliable`.',
  source: 'memberlist: TCP fallback ping',
  message: { sequence, updates },
})
export const swimPingRequest = oneWay({
  key: 0x0204,
  name: 'swim_ping_request',
  doc: 'Asks a third member to probe the target, because the direct probe went unanswered.',
  source: 'SWIM section 3.1',
  datagram: true,
  message: { ...probe, host: field(str({ max: 64 }), 'Where the target is.'), port: field(u16(), 'Its native port.') },
})
export const swimNack = oneWay({
  key: 0x0205,
  name: 'swim_nack',
  doc: 'The helper is alive and has no answer from the target yet.',
  source: 'Lifeguard section IV.A',
  datagram: true,
  message: { sequence },
})
export const swimGossip = oneWay({
  key: 0x0206,
  name: 'swim_gossip',
  doc: 'Rumours, between probes.',
  source: 'SWIM section 4.1',
  datagram: true,
  message: { updates },
})
export const swimGossipReliable = oneWay({
  key: 0x020a,
  name: 'swim_gossip_reliable',
  doc: 'A rumour that must not be lost: a farewell.',
  source: 'memberlist: leave',
  message: { updates },
})
export const swimSync = oneWay({
  key: 0x0207,
  name: 'swim_sync',
  doc: 'All that the sender knows; the receiver answers with the same. At joining, and now and then.',
  source: 'memberlist: push-pull',
  message: {
    sequence,
    reply: field(bool(), 'True for the answer, which is not answered again.'),
    joining: field(bool(), 'True when the sender has just started.'),
    members: field(list(memberUpdate, { max: MEMBERS_MAX }), 'Every member known, dead ones included.'),
  },
})

export const gossipUnused = oneWay({
  key: 0x0209,
  name: 'gossip_unused',
  doc: 'The sender has no more use for this connection and sends nothing after this: the receiver ends it. It says nothing about either node.',
  message: {},
})

export const gossipConversation = conversation({
  name: 'gossip',
  doc: 'Failure detection and membership, between all nodes.',
  keys: 0x02,
  messages: {
    swimPing,
    swimPingReliable,
    swimAck,
    swimPingRequest,
    swimNack,
    swimGossip,
    swimSync,
    swimAckReliable,
    gossipUnused,
    swimGossipReliable,
  },
})
