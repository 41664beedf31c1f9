// What the controller has committed about one partition, and what it says about brokers. A replica acts on nothing else:
// who leads, in which epoch, and which replicas are in sync.
import type { NodeId } from '@atoll/base'
import type { LeaderEpoch } from '@atoll/records'

export interface Assignment {
  /** Rises with every change of leader. */
  readonly leaderEpoch: LeaderEpoch
  /** Rises with every change at all; a proposal names the one it starts from. */
  readonly partitionEpoch: number
  /** Undefined while nobody in the ISR is alive. */
  readonly leader: NodeId | undefined
  readonly replicas: readonly NodeId[]
  /** Part of the replicas; the leader is in it. */
  readonly isr: readonly NodeId[]
  /** The newest leader epoch whose leader was chosen from outside of the ISR: committed records may be gone since. */
  readonly uncleanEpoch: LeaderEpoch | undefined
}

/** The brokers as the controller knows them. */
export interface Registrations {
  /** The epoch of the broker's current registration; undefined when it has none. */
  brokerEpoch(node: NodeId): number | undefined
  /** True when it may be in an ISR: registered, not fenced, not shutting down. */
  mayJoin(node: NodeId): boolean
}

export interface IsrMember {
  readonly node: NodeId
  /** The registration under which it fetched: the controller refuses one that has restarted since (KIP-903). */
  readonly brokerEpoch: number
}

/** Replaces the ISR, if the partition still is what the leader thinks it is. The same set again only raises the partition epoch. */
export interface IsrProposal {
  readonly leaderEpoch: LeaderEpoch
  readonly partitionEpoch: number
  readonly isr: readonly IsrMember[]
}

/** `ineligible`: a member may not be in an ISR now. `stale`: the partition changed meanwhile. `deposed`: another leads. */
export type ProposalRefusal = 'ineligible' | 'stale' | 'deposed' | 'unavailable'

export interface ProposalAnswer {
  /** Of the proposal: an answer to an earlier leadership says nothing about this one. */
  readonly leaderEpoch: LeaderEpoch
  /** Undefined when it was committed. */
  readonly refusal: ProposalRefusal | undefined
  /** The partition as it is now, when the controller says. */
  readonly assignment: Assignment | undefined
}
