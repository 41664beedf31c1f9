// Bounds of what every process does that are not for operators.
import { assert } from '@atoll/base'

/** Gossip connections in use at once; the one unused longest is given up for a new one. */
export const GOSSIP_SESSIONS_MAX = 512
/** Connections given up that the peer has not ended yet; past this the oldest is ended without waiting for it. */
export const GOSSIP_RETIRED_MAX = 64
/** Messages that wait for one gossip connection to be made; older ones are dropped, as datagrams may be. */
export const GOSSIP_WAITING_MAX = 32
/** Gossip connections being made at once; a message that would need one more is dropped. */
export const GOSSIP_CALLS_MAX = 128
/** A tick comes at least this long after the step that asked for it, in milliseconds: a core that is behind catches up, and does not spin. */
export const TICK_MS_MIN = 1
/** Making a gossip connection and its hello take at most this long, in milliseconds. */
export const GOSSIP_CALL_TIMEOUT_MS = 1_000
/** That a peer turns this node away is logged at most this often for the same reason, in milliseconds. */
export const TURNED_AWAY_LOG_INTERVAL_MS = 60_000
/** How often a node looks whether it was stopped or starved, in milliseconds. */
export const STALL_LOOK_MS = 500
/** How often a node tells the others how busy it is, at most, in milliseconds. */
export const LOAD_LOOK_MS = 5_000
/** Term of a node's registration, in milliseconds: so long after its last sign of life it is fenced. */
export const NODE_LEASE_MS = 3_000
/** Between two renewals of it, in milliseconds: one may be lost. Each costs the leader a round of heartbeats. */
export const NODE_RENEWAL_MS = 1_250
/** Every so many renewals a node looks whether its registration is still its own. */
export const RENEWALS_PER_LOOK = 3
/** Before a registration, or a renewal, that came to nothing is tried again, in milliseconds. */
export const REGISTER_RETRY_MS = 250
/** Before a disk that was full is written to again, in milliseconds. */
export const STANDING_RETRY_MS = 1_000
/** A stop in order is told to the coordinators within this, or not at all, in milliseconds. */
export const NODE_STOP_TIMEOUT_MS = 250
/** Share of the shutdown grace that the ordered part may take; the rest is for what ends it by force. */
export const DRAIN_SHARE = 0.8
/** Metrics and resource use in an admin answer may be this old, in milliseconds: a peer that asks without end shall not keep gossip from running. */
export const ANSWER_KEPT_MS = 100
/** Share of a probe interval after which helpers are asked; what remains of it is theirs. */
export const ACK_SHARE = 0.4
/** Ports tried when the wanted one is taken. */
export const PORT_TRIES_MAX = 100
/** Replacement ports come from this range: above the well-known, below every system's ephemeral ports. */
export const PORT_MIN = 10_240
export const PORT_MAX = 32_767

assert(NODE_LEASE_MS > 2 * NODE_RENEWAL_MS + REGISTER_RETRY_MS, 'a renewal that is lost fences nobody')
assert(PORT_MAX - PORT_MIN > PORT_TRIES_MAX, 'there are more ports than tries')
assert(GOSSIP_CALLS_MAX <= GOSSIP_SESSIONS_MAX, 'calls under way fit among the sessions')
