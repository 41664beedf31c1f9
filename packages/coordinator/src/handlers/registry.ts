// The registry conversation: registrations are commands as they are; how this coordinator itself is, anybody may know.
import type { NodeId } from '@atoll/base'
import type { coordinatorStatus, HandlersOf, RegisteredMember, ResponseOf, registryConversation } from '@atoll/protocol'
import type { DiskId, Member, RaftStatus } from '@atoll/raft'
import { allWith, type CoordinatorState, NODE_PREFIX } from '../core/index.ts'
import type { Replica } from '../replica.ts'
import type { WatchStreams } from '../watch-streams.ts'

/** `admit` rejects when `member` does not belong to the coordinators. */
export function registryHandlers(
  self: NodeId,
  replica: Replica,
  watches: WatchStreams,
  admit: (member: Member) => Promise<void>,
): HandlersOf<typeof registryConversation> {
  return {
    nodeRegister: async (request, context) => {
      const { node, role, disk } = request
      if (role === 'coordinator') await admit({ node, disk: disk as DiskId })
      return replica.change({ kind: 'node_register', ...request }, context)
    },
    nodeStop: (request, context) => replica.change({ kind: 'node_stop', ...request }, context),
    nodeRetire: (request, context) => replica.change({ kind: 'node_retire', ...request }, context),
    memberList: ({ consistency }, context) =>
      replica.read(consistency, context, state => ({ revision: state.store.revision, members: members(state, replica.leader) })),
    coordinatorStatus: () => statusOf(self, replica, watches),
  }
}

/** Every node that ever registered, in order of names: there are no more than fit one page. */
function members({ store, registrations }: CoordinatorState, leader: string | undefined): RegisteredMember[] {
  const rows: RegisteredMember[] = []
  for (const [, version] of store.scan(allWith(NODE_PREFIX), store.revision)) {
    if (version === undefined) continue
    const { node, role, state, epoch, disk, start, endpoints } = registrations.read(version)
    rows.push({ name: node, role, state, leader: node === leader, epoch, disk, start, endpoints })
  }
  return rows
}

function statusOf(self: NodeId, replica: Replica, watches: WatchStreams): ResponseOf<typeof coordinatorStatus> {
  const { state } = replica
  const { store, leases, sessions, digest } = state
  const status = replica.status
  return {
    node: self,
    leader: status?.leader,
    term: status?.term ?? 0,
    commitIndex: status?.commit ?? 0,
    appliedIndex: state.appliedIndex,
    revision: store.revision,
    compactRevision: store.compactRevision,
    digest: digest.lanes.map(lane => lane.toString(16).padStart(8, '0')).join(''),
    keys: store.liveKeys,
    liveBytes: store.liveBytes,
    historyBytes: store.historyBytes,
    leases: leases.size,
    sessions: sessions.size,
    watches: watches.size,
    members: status === undefined ? [] : coordinators(status),
  }
}

function coordinators({ configuration, peers, leader, lastIndex }: RaftStatus): ResponseOf<typeof coordinatorStatus>['members'] {
  const match = (node: NodeId): number =>
    peers.find(peer => peer.node === node)?.match ?? (node === leader && peers.length > 0 ? lastIndex : 0)
  const { voters, learners } = configuration
  const row = (voter: boolean) => (member: Member) => ({ ...member, voter, match: match(member.node) })
  return [...voters.map(row(true)), ...learners.map(row(false))]
}
