// What a server tells about itself, for metrics, for the operator and for the checks of a simulation.
import type { NodeId } from '@atoll/base'
import type { Configuration } from './configuration.ts'
import type { LogIndex, Member, Term } from './terms.ts'

export interface PeerStatus {
  readonly node: NodeId
  readonly state: 'probe' | 'replicate' | 'snapshot'
  readonly match: LogIndex
  readonly inflightMessages: number
  readonly inflightBytes: number
}

export interface RaftStatus {
  readonly role: 'follower' | 'candidate' | 'leader'
  readonly term: Term
  readonly votedFor: Member | undefined
  /** Who leads this term, as far as known. */
  readonly leader: NodeId | undefined
  readonly commit: LogIndex
  readonly applied: LogIndex
  readonly lastIndex: LogIndex
  readonly durableIndex: LogIndex
  /** The latest in the log, committed or not. */
  readonly configuration: Configuration
  readonly damaged: boolean
  readonly transferringTo: NodeId | undefined
  /** At the leader. */
  readonly peers: readonly PeerStatus[]
  /** Of everything that is bounded. */
  readonly lengths: Readonly<Record<'stores' | 'tail' | 'reads' | 'uncommittedBytes', number>>
}
