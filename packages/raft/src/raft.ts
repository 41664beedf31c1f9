// One server of a Raft cluster as a state machine: inputs in, effects out. It has no clock, no socket, no disk and no
// randomness but what it is given. Sources: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm"
// (2014); Ongaro's dissertation; etcd-io/raft where they leave a choice. The rules: SPEC.md.
import { assert, type MonotonicMs, unreachable } from '@atoll/base'
import { type Configuration, memberOf } from './configuration.ts'
import type { Effects, StepDownReason } from './effects.ts'
import { Election } from './election.ts'
import { FollowerReads } from './follower-reads.ts'
import { Following } from './following.ts'
import type { Input } from './inputs.ts'
import { StepInvariants } from './invariants.ts'
import { Leadership } from './leadership.ts'
import { STORES_PENDING_MAX } from './limits.ts'
import type { Envelope, RaftMessage } from './messages.ts'
import { Server, type ServerOptions } from './server.ts'
import { checkSettings } from './settings.ts'
import { type RaftStatus, statusOf } from './status.ts'
import { isSameMember, type LogIndex, least, type Member, type Term } from './terms.ts'

export interface RaftOptions extends ServerOptions {
  readonly nowMs: MonotonicMs
}

/** Answers to what this server asked, to be believed only from the disk that was asked. */
const ANSWERS: ReadonlySet<RaftMessage['kind']> = new Set([
  'pre_vote_response',
  'vote_response',
  'append_accepted',
  'append_rejected',
  'heartbeat_response',
  'newer_term',
  'snapshot_progress',
])

export class Raft {
  readonly #server: Server
  readonly #election: Election
  readonly #following: Following
  readonly #followerReads: FollowerReads
  readonly #invariants: StepInvariants
  #leadership: Leadership | undefined
  #leader: Member | undefined
  /** How far the driver was told to apply. */
  #applyThrough: LogIndex
  #now: number

  constructor(options: RaftOptions) {
    checkSettings(options.settings)
    this.#now = options.nowMs
    this.#server = new Server(options)
    this.#election = new Election(this.#server, this.#now)
    this.#following = new Following(this.#server)
    this.#followerReads = new FollowerReads(this.#server)
    this.#invariants = new StepInvariants(this.#server)
    this.#applyThrough = this.#server.applied
  }

  /** Handles one input completely. Throws only an InvariantError: what must never happen has happened. */
  step(input: Input): Effects {
    this.#now = Math.max(this.#now, input.nowMs)
    this.#handle(input, this.#now)
    this.#run(this.#now)
    this.#noteRepair()
    this.#leadership?.advance(this.#now)
    const applyThrough = this.#newlyApplicable()
    const taken = this.#server.outbox.take(this.#now)
    this.#invariants.check(this.#leadership)
    return { ...taken, applyThrough, wakeAtMs: this.#nextAt() as MonotonicMs }
  }

  /** What this server is and knows, for metrics and checks. */
  get status(): RaftStatus {
    return statusOf(this.#server, this.#leadership, this.#leader, this.#election.candidacy !== undefined)
  }

  get term(): Term {
    return this.#server.term
  }

  get commit(): LogIndex {
    return this.#server.commit
  }

  get isLeader(): boolean {
    return this.#leadership !== undefined
  }

  /** The term of the entry at `index`; undefined where there is none, or no longer. */
  termAt(index: LogIndex): Term | undefined {
    return this.#server.log.termAt(index)
  }

  /** The configuration in force at `index`, which is what a snapshot taken there must carry; not older than what is applied. */
  configurationAt(index: LogIndex): Configuration | undefined {
    return this.#server.configurations.at(index)
  }

  /** Snapshots being sent, which the driver keeps readable. */
  get snapshotsInUse(): readonly LogIndex[] {
    return [...(this.#leadership?.replication.peers.values() ?? [])].flatMap(({ snapshot }) => snapshot?.snapshot.index ?? [])
  }

  #handle(input: Input, now: number): void {
    switch (input.kind) {
      case 'tick':
      case 'log_loaded':
        return
      case 'message':
        return this.#receive(input.envelope, now)
      case 'stored':
        return this.#stored(input.id, now)
      case 'applied':
        return this.#server.appliedTo(input.index)
      case 'propose':
        if (this.#leadership === undefined) return this.#refuseProposal(input.proposalId)
        return this.#leadership.propose(input.proposalId, input.commands, now)
      case 'change_membership':
        if (this.#leadership === undefined) return this.#refuseProposal(input.proposalId)
        return this.#leadership.changeMembership(input.proposalId, input.change, now)
      case 'read':
        if (this.#leadership === undefined) return this.#followerReads.ask(input.readId, this.#leader, now)
        return this.#leadership.read(input.readId, now)
      case 'transfer':
        if (this.#leadership !== undefined) return this.#leadership.transfer(input.to, now)
        return this.#server.outbox.tell({ kind: 'transfer_refused', to: input.to })
      case 'leader_gone':
        if (this.#leader?.node === input.leader && this.#leadership === undefined) this.#election.leaderGone(now)
        return
      case 'link_reset':
        return this.#leadership?.replication.peers.get(input.peer)?.lost()
      case 'disk_full':
        this.#server.diskFull = input.full
        return
      case 'snapshot_gone':
        for (const peer of this.#leadership?.replication.peers.values() ?? []) {
          if (peer.snapshot?.snapshot.index === input.index) peer.abandonSnapshot()
        }
        return
      default:
        return unreachable(input)
    }
  }

  /** Identity first, then terms (Raft section 5.1), then what the message says. */
  #receive({ from, to, message }: Envelope, now: number): void {
    const { self, outbox, stores, term } = this.#server
    if (!isSameMember(to, self)) {
      // Meant for the disk that this name had before: whatever that one promised, this one does not know.
      outbox.tell({ kind: 'identity_refused', peer: from, meant: to })
      return
    }
    const isAnswer = ANSWERS.has(message.kind)
    if (isAnswer && !this.#isFromMember(from)) return
    // A disk that far behind: as if the network had lost it.
    if (!isAnswer && stores.length >= STORES_PENDING_MAX) return
    if (message.kind === 'pre_vote_request') return this.#election.answerPreVote(message, from, this.#leaderIsLive(now))
    const isPromise = message.kind === 'pre_vote_response' && message.granted
    if (!isPromise && message.term > term) {
      if (message.kind === 'vote_request' && !message.transfer && this.#leaderIsLive(now)) return
      this.#enterTerm(message.term, now)
    }
    if (!isPromise && message.term < term) return this.#answerFromTheFuture(message, from)
    this.#hear(message, from, now)
  }

  /** A message of the current term. */
  #hear(message: Exclude<RaftMessage, { readonly kind: 'pre_vote_request' }>, from: Member, now: number): void {
    switch (message.kind) {
      case 'pre_vote_response':
        if (this.#election.counted(message, from.node)) this.#election.campaign(false, now)
        return
      case 'vote_request':
        return this.#election.answerVote(message, from, this.#leader?.node, now)
      case 'vote_response':
        if (this.#election.counted(message, from.node)) this.#lead(now)
        return
      case 'append':
      case 'heartbeat':
      case 'snapshot_chunk':
        this.#follow(from, now)
        if (!this.#obey(message, from)) this.#server.outbox.tell({ kind: 'malformed_message', peer: from, what: message.kind })
        return
      case 'append_accepted':
      case 'append_rejected':
      case 'heartbeat_response':
      case 'snapshot_progress':
        return this.#leadership?.hear(message, from.node, now)
      case 'timeout_now':
        if (this.#leadership === undefined && this.#leader?.node === from.node && this.#server.mayStand(now)) {
          this.#setLeader(undefined)
          this.#election.campaign(true, now)
        }
        return
      case 'read_request':
        return this.#leadership?.readFor(from, message.requestId, now)
      case 'read_response':
        return this.#followerReads.answered(message)
      case 'newer_term':
        return
      default:
        return unreachable(message)
    }
  }

  #obey(message: RaftMessage & { readonly kind: 'append' | 'heartbeat' | 'snapshot_chunk' }, leader: Member): boolean {
    if (message.kind === 'append') return this.#following.append(message, leader)
    if (message.kind === 'snapshot_chunk') return this.#following.snapshotChunk(message, leader)
    this.#following.heartbeat(message, leader)
    return true
  }

  /**
   * A leader or candidate of an earlier term learns that it is one. Without this a server whose term ran ahead, while
   * it was cut off, would ignore its leader and be ignored as a candidate, for ever.
   */
  #answerFromTheFuture({ kind }: RaftMessage, to: Member): void {
    const { term, outbox } = this.#server
    if (kind === 'append' || kind === 'heartbeat' || kind === 'snapshot_chunk') outbox.send(to, { kind: 'newer_term', term }, 'ballot')
    else if (kind === 'vote_request') outbox.send(to, { kind: 'vote_response', term, granted: false }, 'ballot')
  }

  #isFromMember(from: Member): boolean {
    const known = memberOf(this.#server.configuration, from.node)
    if (known === undefined) return false
    if (isSameMember(known, from)) return true
    this.#server.outbox.tell({ kind: 'identity_refused', peer: from, meant: known })
    return false
  }

  #leaderIsLive(now: number): boolean {
    return this.#leadership !== undefined || this.#election.leaderIsLive(now)
  }

  #stored(id: number, now: number): void {
    const { stores, log } = this.#server
    for (const { install } of stores.finished(id)) if (install !== undefined) this.#server.installed(install)
    log.settle(this.#server.durableIndex)
    if (this.#election.ownVoteStored()) this.#lead(now)
  }

  #refuseProposal(proposalId: number): void {
    this.#server.outbox.answer({ kind: 'refused', proposalId, reason: 'not_leader', leader: this.#leader?.node })
  }

  #run(now: number): void {
    this.#followerReads.expire(this.#leader, now)
    if (this.#leadership !== undefined) {
      const reason = this.#leadership.run(now)
      if (reason !== undefined) this.#stepDown(reason, now)
      return
    }
    if (now < this.#election.deadline) return
    this.#setLeader(undefined)
    if (!this.#server.mayStand(now)) this.#election.reset(now)
    else if (this.#election.preCampaign(now)) this.#election.campaign(false, now)
  }

  #enterTerm(term: Term, now: number): void {
    this.#endLeadership('newer_term', now)
    this.#server.ballot.advance(term)
    this.#setLeader(undefined)
    this.#election.reset(now)
  }

  #stepDown(reason: StepDownReason, now: number): void {
    this.#endLeadership(reason, now)
    this.#setLeader(undefined)
    this.#election.reset(now)
  }

  #endLeadership(reason: StepDownReason, now: number): void {
    const { outbox, term } = this.#server
    if (this.#leadership === undefined) return
    this.#leadership.end(reason, now)
    const to = this.#leadership.transferringTo
    if (to !== undefined) outbox.tell({ kind: 'transfer_ended', to, how: 'handed_over' })
    this.#leadership = undefined
    outbox.tell({ kind: 'stepped_down', term, reason })
  }

  #follow(leader: Member, now: number): void {
    assert(this.#leadership === undefined, 'one leader per term')
    assert(this.#leader === undefined || isSameMember(this.#leader, leader), 'one leader per term')
    this.#election.heardLeader(now)
    this.#setLeader(leader)
  }

  #lead(now: number): void {
    const { term, self, outbox } = this.#server
    const candidacy = this.#election.candidacy
    assert(candidacy?.kind === 'vote' && candidacy.term === term, 'only the winner of this term leads it')
    outbox.tell({ kind: 'became_leader', term, votes: candidacy.votes })
    this.#election.reset(now)
    this.#setLeader(self)
    this.#leadership = new Leadership(this.#server, now)
    this.#leadership.begin(now)
  }

  #setLeader(leader: Member | undefined): void {
    const { outbox, term } = this.#server
    if (this.#leader === leader || (this.#leader !== undefined && leader !== undefined && isSameMember(this.#leader, leader))) return
    this.#leader = leader
    outbox.tell({ kind: 'leader_changed', term, leader: leader?.node })
    this.#followerReads.abandon(leader)
  }

  #noteRepair(): void {
    const { damage, log, durableIndex, outbox } = this.#server
    if (damage.repaired(log, durableIndex)) outbox.tell({ kind: 'repaired', lastIndex: log.lastIndex })
  }

  /** Committed alone is not enough: what is applied must survive this server's own restart. */
  #newlyApplicable(): LogIndex | undefined {
    const applicable = least(this.#server.commit, this.#server.durableIndex)
    if (applicable <= this.#applyThrough) return undefined
    this.#applyThrough = applicable
    return applicable
  }

  #nextAt(): number {
    if (this.#leadership !== undefined) return this.#leadership.nextAt
    return Math.min(this.#election.deadline, this.#followerReads.nextDeadlineMs)
  }
}
