// Changes of membership, one server at a time (dissertation chapter 4), with the correction of 2015: a leader first
// commits an entry of its own term, or two changes by different leaders can have majorities without a common server.
import { type Configuration, changed, type MembershipChange } from './configuration.ts'
import type { MembershipRefusal } from './effects.ts'
import type { Replication } from './replication.ts'
import type { Server } from './server.ts'

/** The configuration that `change` leads to, or why the leader will not begin it now. */
export function planChange(server: Server, replication: Replication, change: MembershipChange): Configuration | MembershipRefusal {
  if (!hasCommittedInTerm(server)) return 'change_in_flight'
  if (server.configurations.latest.index > server.commit) return 'change_in_flight'
  if (change.kind === 'promote' && !hasCaughtUp(server, replication, change)) return 'not_caught_up'
  return changed(server.configuration, change)
}

/** Something of this leader's own term is committed, and with it everything that any leader before had committed. */
export function hasCommittedInTerm({ log, commit, term }: Server): boolean {
  return log.termAt(commit) === term
}

/**
 * A voter that lags makes the majority wait for it. Whoever holds all that is committed needs no more than what is in
 * flight to the other voters as well.
 */
function hasCaughtUp(server: Server, replication: Replication, { node }: MembershipChange & { readonly kind: 'promote' }): boolean {
  const learner = replication.peers.get(node)
  return learner === undefined || (learner.state === 'replicate' && learner.counted >= server.commit)
}
