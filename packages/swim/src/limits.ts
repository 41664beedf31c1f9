// Bounds that are not for operators. What lies beyond one is ignored or put off, never an error: a hostile or broken
// peer must neither crash nor wedge a member.
import { assert } from '@atoll/base'

/** Members known at once beside this process; the cluster has at most 4,096. One more is met only when a dead one can be forgotten. */
export const MEMBERS_MAX = 4_095
/** Dead and departed members remembered; the one gone longest is forgotten first. */
export const GONE_MAX = 1_024
/** Updates that ride on one message. */
export const UPDATES_MAX = 16
/** Their size, in bytes of msgpack: with the frame around them they fit one Ethernet packet. */
export const UPDATE_BYTES_MAX = 1_280
/** Of the updates on one message, those that answer outdated accusations. */
export const CONTRADICTIONS_MAX = 8
/** Members in one periodic exchange. A process that joins is told all there are. */
export const SYNC_MEMBERS_MAX = 256
/** Probes of this process's own under way at once. Each period adds one; a closed connection or a suspicion may add more. */
export const PROBES_MAX = 64
/** Probes under way on behalf of others. */
export const RELAYS_MAX = 256
/** Members waiting to be probed out of turn. */
export const URGENT_PROBES_MAX = 256
/** Addresses to join through. */
export const SEEDS_MAX = 64
/** Members that a leaving process tells itself; gossip tells the rest. */
export const FAREWELLS_MAX = 128
/** The highest incarnation believed. A process that is refuting all day never gets near it. */
export const INCARNATION_MAX = 2 ** 48
/** An accusation may run ahead of the incarnation known by this much: it may have overtaken, but not invent. */
export const INCARNATION_JUMP_MAX = 2 ** 20

// The list of probes under way is walked on each step.
assert(PROBES_MAX <= 256, 'few enough probes to walk')
assert(CONTRADICTIONS_MAX < UPDATES_MAX, 'a message has room for contradictions and the claim about its receiver')
assert(GONE_MAX < MEMBERS_MAX, 'the living have room beside the dead')
// An incarnation and its refutation stay exact integers.
assert(INCARNATION_MAX + INCARNATION_JUMP_MAX < Number.MAX_SAFE_INTEGER, 'incarnations are safe integers')
