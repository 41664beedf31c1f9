// Who belongs to the cluster, what a majority of it is, and the changes it may go through: one server at a time
// (Ongaro's dissertation, section 4.1), so that any two majorities before and after have a server in common.
import type { NodeId } from '@atoll/base'
import { LEARNERS_MAX, VOTERS_MAX } from './limits.ts'
import { type LogIndex, logIndex, type Member } from './terms.ts'

export interface Configuration {
  /** Their majority elects and commits. */
  readonly voters: readonly Member[]
  /** Receive the log and count for nothing: servers catching up before they vote (dissertation section 4.2.1). */
  readonly learners: readonly Member[]
}

export type MembershipChange =
  | { readonly kind: 'add_learner'; readonly member: Member }
  /** Makes a learner that has caught up a voter. */
  | { readonly kind: 'promote'; readonly node: NodeId }
  | { readonly kind: 'remove'; readonly node: NodeId }

export type ChangeRefusal = 'already_a_member' | 'not_a_learner' | 'not_a_member' | 'last_voter' | 'too_many_members'

export function voterOf({ voters }: Configuration, node: NodeId): Member | undefined {
  return voters.find(member => member.node === node)
}

export function memberOf(configuration: Configuration, node: NodeId): Member | undefined {
  return voterOf(configuration, node) ?? configuration.learners.find(member => member.node === node)
}

/** True when more than half of the voters satisfy `holds`. Without voters nothing is ever decided. */
export function majority({ voters }: Configuration, holds: (node: NodeId) => boolean): boolean {
  return voters.filter(({ node }) => holds(node)).length > Math.floor(voters.length / 2)
}

/** The highest index that more than half of the voters hold, given how far each does. */
export function majorityIndex({ voters }: Configuration, holdsUpTo: (node: NodeId) => LogIndex): LogIndex {
  const ascending = voters.map(({ node }) => holdsUpTo(node)).sort((a, b) => a - b)
  return ascending[Math.ceil(ascending.length / 2) - 1] ?? logIndex(0)
}

/** The configuration after `change`, or why it cannot be made. */
export function changed(configuration: Configuration, change: MembershipChange): Configuration | ChangeRefusal {
  const { voters, learners } = configuration
  if (change.kind === 'add_learner') {
    if (memberOf(configuration, change.member.node) !== undefined) return 'already_a_member'
    return learners.length < LEARNERS_MAX ? { voters, learners: [...learners, change.member] } : 'too_many_members'
  }
  const others = (members: readonly Member[]) => members.filter(member => member.node !== change.node)
  if (change.kind === 'promote') {
    const learner = learners.find(member => member.node === change.node)
    if (learner === undefined) return 'not_a_learner'
    return voters.length < VOTERS_MAX ? { voters: [...voters, learner], learners: others(learners) } : 'too_many_members'
  }
  if (memberOf(configuration, change.node) === undefined) return 'not_a_member'
  const left = others(voters)
  return left.length === 0 ? 'last_voter' : { voters: left, learners: others(learners) }
}
