// What a server tells about itself, for metrics, for the operator and for the checks of a simulation.
import type { MonotonicMs, NodeId } from '@atoll/base'
import type { Configuration } from './configuration.ts'
import type { Leadership } from './leadership.ts'
import type { Progress } from './progress.ts'
import type { Server } from './server.ts'
import type { LogIndex, Member, Term } from './terms.ts'

export interface PeerStatus {
  readonly node: NodeId
  readonly state: 'probe' | 'replicate' | 'snapshot'
  readonly match: LogIndex
  /** When anything of this term came from it last; the beginning of the term before that. */
  readonly heardMs: MonotonicMs
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

export function statusOf(server: Server, leadership: Leadership | undefined, leader: Member | undefined, stands: boolean): RaftStatus {
  const { term, ballot, commit, applied, log, durableIndex, configuration, damage, stores } = server
  const role = stands ? 'candidate' : 'follower'
  return {
    role: leadership === undefined ? role : 'leader',
    term,
    votedFor: ballot.votedFor,
    leader: leader?.node,
    commit,
    applied,
    lastIndex: log.lastIndex,
    durableIndex,
    configuration,
    damaged: damage.damaged,
    transferringTo: leadership?.transferringTo,
    peers: [...(leadership?.replication.peers.values() ?? [])].map(peerStatus),
    lengths: {
      stores: stores.length,
      tail: log.tailLength,
      reads: leadership?.readsPending ?? 0,
      uncommittedBytes: leadership?.uncommittedBytes ?? 0,
    },
  }
}

function peerStatus({ member, state, match, heardMs, inflight }: Progress): PeerStatus {
  return {
    node: member.node,
    state,
    match,
    heardMs: heardMs as MonotonicMs,
    inflightMessages: inflight.messages,
    inflightBytes: inflight.bytes,
  }
}
