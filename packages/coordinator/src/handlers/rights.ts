// The rights conversation: sessions, leases, locks and elections.
import type { HandlersOf, rightsConversation } from '@atoll/protocol'
import type { ContestWaiters } from '../contest-waiters.ts'
import type { ElectionObservers } from '../election-observers.ts'
import { heldNames, whoHolds } from '../holders.ts'
import type { LeaseKeeper } from '../lease-keeper.ts'
import type { Replica } from '../replica.ts'

export interface RightsParts {
  readonly replica: Replica
  readonly leases: LeaseKeeper
  readonly waiters: ContestWaiters
  readonly observers: ElectionObservers
}

export function rightsHandlers({ replica, leases, waiters, observers }: RightsParts): HandlersOf<typeof rightsConversation> {
  return {
    sessionOpen: (request, context) => replica.change({ kind: 'session_open', ...request }, context),
    leaseGrant: (request, context) => replica.change({ kind: 'lease_grant', ...request }, context),
    leaseKeepAlive: (request, context) =>
      leases.confirmed(context, (clock, nowMs) => ({ ttlMs: request.leases.map(lease => clock.keepAlive(lease, nowMs)) })),
    leaseRevoke: (request, context) => replica.change({ kind: 'lease_revoke', ...request }, context),
    leaseRead: ({ lease }, context) =>
      leases.confirmed(context, (clock, nowMs) => {
        const { ttlMs, session } = replica.state.leases.expect(lease)
        const keys = replica.state.leases.keysOf(lease).size
        return { ttlMs, remainingMs: Math.round(clock.remainingMs(lease, nowMs)), keys, session }
      }),
    lockAcquire: (request, context) => waiters.ask({ kind: 'lock_acquire', ...request }, request.wait, context),
    lockRelease: (request, context) => replica.change({ kind: 'lock_release', ...request }, context),
    lockRead: ({ name, consistency }, context) => replica.read(consistency, context, state => whoHolds(state, state.locks, name)),
    electionCampaign: (request, context) => waiters.ask({ kind: 'election_campaign', ...request }, true, context),
    electionProclaim: (request, context) => replica.change({ kind: 'election_proclaim', ...request }, context),
    electionResign: (request, context) => replica.change({ kind: 'election_resign', ...request }, context),
    electionRead: ({ name, consistency }, context) => replica.read(consistency, context, state => whoHolds(state, state.elections, name)),
    electionObserve: ({ name }, context, sink) => observers.serve(name, context, sink),
    contestList: ({ elections, after }, context) =>
      replica.read('linearizable', context, state => ({ names: heldNames(state, elections ? state.elections : state.locks, after) })),
  }
}
