// Whoever looks after the cluster: removes servers whose disk is gone, brings others in as learners, promotes them when
// they have caught up, and now and then takes a healthy one out. Asks the leader, as often as it takes.
import type { MembershipChange } from '@atoll/raft'
import type { SimulatedCluster } from './cluster.ts'
import type { SimulatedServer } from './server.ts'

export class Operator {
  /** How many voters it works towards. */
  target: number
  /** A healthy member that is to go. */
  unwanted: string | undefined
  /** Servers that lost something they had promised to keep; at most one at a time, as a majority is needed to make up for it. */
  readonly impaired = new Set<string>()
  changes = 0
  readonly #cluster: SimulatedCluster
  #askedMs = 0

  constructor(cluster: SimulatedCluster, target: number) {
    this.#cluster = cluster
    this.target = target
  }

  /** Does one thing, if there is one to do. */
  work(): void {
    const { leader, now } = this.#cluster
    const change = leader === undefined ? undefined : this.#next(leader)
    if (change === undefined || now - this.#askedMs < 100) return
    this.#askedMs = now
    this.changes++
    this.#cluster.change(leader, change)
  }

  /** Nothing that was wiped is still counted on, and every change is committed. */
  settled(): boolean {
    const status = this.#cluster.leader?.raft?.status
    if (status === undefined || status.commit < status.lastIndex) return false
    const members = [...status.configuration.voters, ...status.configuration.learners]
    return members.every(({ node, disk }) => this.#cluster.server(node).diskId === disk)
  }

  #next(leader: SimulatedServer): MembershipChange | undefined {
    const status = leader.raft?.status
    if (status === undefined) return undefined
    const { voters, learners } = status.configuration
    const members = [...voters, ...learners]
    const gone = members.find(({ node, disk }) => this.#cluster.server(node).diskId !== disk)
    if (gone !== undefined) return { kind: 'remove', node: gone.node }
    const learner = learners[0]
    if (learner !== undefined) {
      const isUp = this.#cluster.server(learner.node).isUp
      return isUp ? { kind: 'promote', node: learner.node } : { kind: 'remove', node: learner.node }
    }
    // Whoever is impaired cannot be counted on: taking another one out could leave no majority.
    if (this.impaired.size > 0) return undefined
    const unwanted = voters.find(({ node }) => node === this.unwanted)
    this.unwanted = undefined
    if (unwanted !== undefined && voters.length > 1) return { kind: 'remove', node: unwanted.node }
    if (voters.length > this.target) return { kind: 'remove', node: this.#pick(voters.map(({ node }) => node)) }
    if (voters.length >= this.target) return undefined
    const candidates = this.#cluster.all.filter(server => server.isUp && !members.some(({ node }) => node === server.name))
    const joining = candidates[0]
    return joining === undefined ? undefined : { kind: 'add_learner', member: joining.member }
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#cluster.random.below(items.length)] as T
  }
}
