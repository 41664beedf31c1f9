// The leader's side of who belongs to the coordinators. Whoever wants in asks again and again, and each time the leader
// takes the one step that leads from the configuration in force to the one wanted; nothing is remembered between, so a
// leader that is replaced midway is none the wiser and its successor goes on from what is committed. Each step is a
// configuration entry that a majority of the configuration before and after it agrees to (dissertation chapter 4).
import type { Clock, Logger, NodeId } from '@atoll/base'
import { ProtocolError } from '@atoll/protocol'
import {
  type Configuration,
  changed,
  type DiskId,
  defaultSettings,
  isSameMember,
  type Member,
  type MembershipChange,
  majority,
  memberOf,
} from '@atoll/raft'
import { type Applied, NODE_PREFIX, type Registration } from './core/index.ts'
import { MEMBERSHIP_STEP_TIMEOUT_MS } from './limits.ts'
import type { RaftDriver } from './raft-driver.ts'
import type { ReplicatedState } from './replicated-state.ts'

export type Standing = 'waiting' | 'learner' | 'voter'

export interface MembershipOptions {
  readonly self: Member
  readonly driver: () => RaftDriver<Applied> | undefined
  readonly machine: ReplicatedState
  readonly clock: Clock
  readonly log: () => Logger
}

/** The next change on the way of `joiner` to a vote; undefined when it has one. */
export function stepTowards(configuration: Configuration, joiner: Member): MembershipChange | undefined {
  const present = memberOf(configuration, joiner.node)
  if (present === undefined) return { kind: 'add_learner', member: joiner }
  // A name is never given to another disk in place: whoever counted on the one would count the other (RA46).
  if (!isSameMember(present, joiner)) return { kind: 'remove', node: joiner.node }
  return configuration.voters.includes(present) ? undefined : { kind: 'promote', node: joiner.node }
}

export class Membership {
  readonly #options: MembershipOptions

  constructor(options: MembershipOptions) {
    this.#options = options
  }

  /**
   * Takes one step towards a vote for `joiner`. Rejects with `identity_refused` for a disk that was retired, `name_taken`
   * while the disk that has its name is heard from, and as the driver does.
   */
  async join(joiner: Member, callerMs: number): Promise<Standing> {
    const driver = await this.#leading(callerMs)
    const registered = this.#registered(joiner.node)
    if (registered?.retiredDisks.includes(joiner.disk))
      throw new ProtocolError('identity_refused', `${joiner.node}: this disk was retired; start it with an empty directory`)
    const before = memberOf(driver.status.configuration, joiner.node)
    if (before !== undefined && !isSameMember(before, joiner)) {
      if (this.#isHeard(driver, before.node))
        throw new ProtocolError('name_taken', `${joiner.node} is alive on another disk: two processes claim this name`)
      await this.#retire(driver, before)
    }
    // Looked at anew: while the old disk was retired another request may have gone further.
    const { configuration } = driver.status
    const step = stepTowards(configuration, joiner)
    if (step === undefined) return 'voter'
    if (step.kind === 'remove' && (before === undefined || memberOf(configuration, joiner.node)?.disk !== before.disk)) return 'waiting'
    if (step.kind === 'promote' && !this.#hasCaughtUp(driver, joiner.node)) return 'learner'
    const now = step.kind === 'promote' ? 'voter' : step.kind === 'add_learner' ? 'learner' : 'waiting'
    return (await this.#change(driver, step)) ? now : standingIn(configuration, joiner)
  }

  /**
   * Takes a coordinator out for good. Rejects with `unknown_node`, `last_voter`, `not_leader` when it leads and hands over
   * first, `wrong_state` when those left would be no quorum or another change is under way, and as the driver does.
   */
  async remove(node: NodeId, callerMs: number): Promise<readonly Member[]> {
    const driver = await this.#leading(callerMs)
    const { self } = this.#options
    const { configuration } = driver.status
    const member = memberOf(configuration, node)
    if (member === undefined) {
      // Asked again: the answer was lost.
      if (this.#registered(node)?.state === 'retired') return configuration.voters
      throw new ProtocolError('unknown_node', `no coordinator is called ${node}`)
    }
    const after = changed(configuration, { kind: 'remove', node })
    if (after === 'last_voter') throw new ProtocolError('last_voter', `${node} is the only coordinator that votes`)
    if (typeof after === 'string') throw new ProtocolError('wrong_state', after)
    if (!majority(after, voter => (voter === self.node ? node !== voter : this.#isHeard(driver, voter)))) {
      const names = after.voters.map(voter => voter.node).join(', ')
      throw new ProtocolError('wrong_state', `without ${node} no majority of ${names} is heard from: nothing could be agreed any more`)
    }
    if (node === self.node) {
      driver.transfer()
      throw new ProtocolError('not_leader', `${node} leads, and hands over before it goes: ask its successor`)
    }
    await this.#retire(driver, member)
    const now = memberOf(driver.status.configuration, node)
    if (now !== undefined && isSameMember(now, member) && !(await this.#change(driver, { kind: 'remove', node })))
      throw new ProtocolError('wrong_state', 'another change of members is under way: ask again')
    return driver.status.configuration.voters
  }

  /**
   * A coordinator is about to register. Who belongs to the coordinators is decided by their configuration alone, and the
   * registry follows: rejects with `identity_refused` for a disk that is not a member, and gives up for good another disk that
   * still stands for its name, one whose registration was on its way while it was replaced.
   */
  async admit(joiner: Member): Promise<void> {
    const driver = this.#options.driver()
    if (driver === undefined || !driver.isLeader) return
    const member = memberOf(driver.status.configuration, joiner.node)
    if (member === undefined || !isSameMember(member, joiner))
      throw new ProtocolError('identity_refused', `${joiner.node}: this disk is not among the coordinators, or not yet`)
    const registered = this.#registered(joiner.node)
    if (registered === undefined || registered.role !== 'coordinator') return
    if (registered.disk !== joiner.disk) await this.#retire(driver, { node: joiner.node, disk: registered.disk as DiskId })
  }

  /** The driver of a leader whose state has everything that was acknowledged. Whether it still leads each step finds out. */
  async #leading(callerMs: number): Promise<RaftDriver<Applied>> {
    const driver = this.#options.driver()
    const leader = driver?.status.leader
    if (driver === undefined || leader === undefined) throw new ProtocolError('no_leader')
    if (!driver.isLeader) throw new ProtocolError('not_leader', `${leader} leads`)
    await driver.read(Math.min(callerMs, MEMBERSHIP_STEP_TIMEOUT_MS))
    return driver
  }

  /** False when it has to be asked for again: another change is not committed yet, or nothing of this leader's term is. */
  async #change(driver: RaftDriver<Applied>, change: MembershipChange): Promise<boolean> {
    const after = changed(driver.status.configuration, change)
    if (typeof after === 'string') throw new ProtocolError('wrong_state', after)
    try {
      await driver.changeMembership(change, MEMBERSHIP_STEP_TIMEOUT_MS)
    } catch (error) {
      if (!(error instanceof ProtocolError) || error.code !== 'wrong_state') throw error
      return false
    }
    const { voters, learners } = after
    const names = (members: readonly Member[]) => members.map(({ node }) => node)
    const fields = { event: 'members_changed', change: change.kind, voters: names(voters), learners: names(learners) }
    this.#options.log().info(fields, 'the coordinators are others now')
    return true
  }

  /** From here on the registry takes nothing from that disk any more (B28), whether it ever did or not. */
  async #retire(driver: RaftDriver<Applied>, { node, disk }: Member): Promise<void> {
    if (this.#registered(node)?.retiredDisks.includes(disk) === true) return
    const command = this.#options.machine.codec.encode({ kind: 'coordinator_retire', node, disk })
    const { answer } = await driver.propose(command, MEMBERSHIP_STEP_TIMEOUT_MS)
    if (!answer.ok) throw new ProtocolError(answer.code, answer.message)
    this.#options.log().warn({ event: 'disk_retired', subject: node, disk }, 'a disk was given up for good')
  }

  #registered(node: NodeId): Registration | undefined {
    const { store, registrations } = this.#options.machine.state
    const version = store.get(NODE_PREFIX + node)
    return version && registrations.read(version)
  }

  /** It leads, or said something within an election timeout. */
  #isHeard(driver: RaftDriver<Applied>, node: NodeId): boolean {
    if (node === this.#options.self.node) return true
    const peer = driver.status.peers.find(status => status.node === node)
    return peer !== undefined && this.#options.clock.monotonicMs() - peer.heardMs <= defaultSettings.electionTimeoutMsMax
  }

  #hasCaughtUp(driver: RaftDriver<Applied>, node: NodeId): boolean {
    const { peers, commit } = driver.status
    return peers.some(peer => peer.node === node && peer.state === 'replicate' && peer.match >= commit)
  }
}

function standingIn(configuration: Configuration, { node, disk }: Member): Standing {
  const member = memberOf(configuration, node)
  if (member?.disk !== disk) return 'waiting'
  return configuration.voters.includes(member) ? 'voter' : 'learner'
}
