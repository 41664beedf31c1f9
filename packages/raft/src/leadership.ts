// What only a leader has, from its election to the end of its office. It is made anew for each term and thrown away
// with it, so nothing of one term can be mistaken for another's.
import { assert, type NodeId, present } from '@atoll/base'
import type { MembershipChange } from './configuration.ts'
import type { MembershipRefusal, ProposalRefusal, StepDownReason } from './effects.ts'
import { BATCH_BYTES_MAX, STORES_PENDING_MAX } from './limits.ts'
import { hasCommittedInTerm, planChange } from './membership.ts'
import type { AppendAccepted, AppendRejected, HeartbeatResponse, SnapshotProgress } from './messages.ts'
import { type EntryPayload, makeBatch, payloadBytes } from './raft-log.ts'
import { ReadIndex } from './read-index.ts'
import { Replication } from './replication.ts'
import type { Server } from './server.ts'
import { type LogIndex, type Member, next, type Term } from './terms.ts'
import { Transfer } from './transfer.ts'

export class Leadership {
  readonly term: Term
  readonly replication: Replication
  readonly #server: Server
  readonly #reads = new ReadIndex()
  /** Own batches not yet committed. */
  #uncommitted: { readonly lastIndex: LogIndex; readonly bytes: number }[] = []
  #uncommittedBytes = 0
  #transfer: Transfer | undefined
  #nextHeartbeatMs: number
  /** Of disk and majority, at the first step from here on. Apart from the heartbeats: reads bring those forward, and must not put this off. */
  #nextCheckMs: number

  constructor(server: Server, now: number) {
    this.#server = server
    this.term = server.term
    this.replication = new Replication(server, now)
    this.#nextHeartbeatMs = now
    this.#nextCheckMs = now
  }

  get nextAt(): number {
    return Math.min(this.#nextHeartbeatMs, this.#transfer?.deadlineMs ?? Number.POSITIVE_INFINITY)
  }

  get transferringTo(): NodeId | undefined {
    return this.#transfer?.to
  }

  get uncommittedBytes(): number {
    return this.#uncommittedBytes
  }

  get readsPending(): number {
    return this.#reads.length
  }

  /** The empty entry that commits whatever the leaders before left open. */
  begin(now: number): void {
    this.#append([{ kind: 'empty' }], now)
  }

  propose(proposalId: number, commands: readonly Uint8Array[], now: number): void {
    assert(commands.length > 0, 'a proposal has a command')
    const payloads = commands.map(bytes => ({ kind: 'command', bytes }) as const)
    const reason = this.#refusal(payloads)
    if (reason === undefined) this.#accept(proposalId, payloads, now)
    else this.#refuse(proposalId, reason)
  }

  changeMembership(proposalId: number, change: MembershipChange, now: number): void {
    const plan = planChange(this.#server, this.replication, change)
    if (typeof plan === 'string') return this.#refuse(proposalId, plan)
    const payloads = [{ kind: 'configuration', configuration: plan }] as const
    const reason = this.#refusal(payloads)
    if (reason === undefined) this.#accept(proposalId, payloads, now)
    else this.#refuse(proposalId, reason)
  }

  read(readId: number, now: number): void {
    const deadlineMs = now + this.#server.settings.readTimeoutMs
    const { outbox, self } = this.#server
    if (this.#reads.ask({ readId, deadlineMs, origin: 'own' })) return
    outbox.answer({ kind: 'read_failed', readId, reason: 'busy', leader: self.node })
  }

  /** A read that is too many stays unanswered; the follower gives up on it in time. */
  readFor(member: Member, requestId: number, now: number): void {
    this.#reads.ask({ readId: requestId, deadlineMs: now + this.#server.settings.readTimeoutMs, origin: 'follower', member })
  }

  transfer(to: NodeId | undefined, now: number): void {
    const { configuration, outbox, settings } = this.#server
    const successor = to ?? this.replication.successor(now)?.member.node
    const isVoter = configuration.voters.some(({ node }) => node === successor)
    if (successor === undefined || !isVoter || !this.replication.peers.has(successor) || this.#transfer !== undefined) {
      outbox.tell({ kind: 'transfer_refused', to })
      return
    }
    this.#transfer = new Transfer(successor, now + settings.electionTimeoutMsMax)
  }

  hear(message: AppendAccepted | AppendRejected | HeartbeatResponse | SnapshotProgress, from: NodeId, now: number): void {
    const peer = this.replication.peers.get(from)
    if (peer === undefined) return
    peer.heardMs = now
    if (message.kind === 'append_accepted') this.replication.accepted(peer, message)
    else if (message.kind === 'append_rejected') this.replication.rejected(peer, message)
    else if (message.kind === 'snapshot_progress') this.replication.snapshotProgress(peer, message, now)
    else this.#reads.answered(from, message.round)
  }

  /** Does what time demands. Returns why the office has to be given up, if it has. */
  run(now: number): StepDownReason | undefined {
    this.#expire(now)
    const { configurations, commit, isVoter } = this.#server
    if (!isVoter && configurations.latest.index <= commit) return 'removed'
    if (this.#server.diskFull) return 'disk_full'
    const checks = now >= this.#nextCheckMs
    if (checks && this.#server.isDiskStuck(now)) return 'disk_stuck'
    if (checks && !this.replication.hearsMajority(now)) return 'quorum_lost'
    if (now >= this.#nextHeartbeatMs) this.#beat(now)
    if (!checks) return undefined
    this.replication.retryStalled(now)
    this.#nextCheckMs = now + this.#server.settings.heartbeatMs
    return undefined
  }

  /** Commits what can be, and sends what may be sent; the last thing in a step. */
  advance(now: number): void {
    this.replication.advanceCommit()
    this.#forgetCommitted()
    this.#transfer?.advance(this.#server, this.replication)
    this.#confirmReads()
    if (this.#reads.wantsRound && hasCommittedInTerm(this.#server)) {
      this.#beat(now)
      this.#confirmReads()
    }
    this.replication.sendAll(now)
  }

  /** Ends the office. A leader that cannot go on, rather than one that was replaced, asks its best successor to stand. */
  end(reason: StepDownReason, now: number): void {
    const { outbox, term } = this.#server
    for (const read of this.#reads.takeAll()) {
      if (read.origin === 'own') outbox.answer({ kind: 'read_failed', readId: read.readId, reason: 'leader_changed', leader: undefined })
    }
    if (reason === 'newer_term' || reason === 'quorum_lost') return
    const successor = this.replication.successor(now)
    if (successor !== undefined) outbox.send(successor.member, { kind: 'timeout_now', term }, 'nothing')
  }

  #refusal(payloads: readonly EntryPayload[]): ProposalRefusal | undefined {
    const bytes = payloads.reduce((sum, payload) => sum + payloadBytes(payload), 0)
    if (this.#transfer !== undefined) return 'transferring'
    if (bytes > BATCH_BYTES_MAX) return 'too_large'
    const isFull = this.#uncommittedBytes + bytes > this.#server.settings.uncommittedBytesMax
    return isFull || this.#server.stores.length >= STORES_PENDING_MAX ? 'busy' : undefined
  }

  #accept(proposalId: number, payloads: readonly EntryPayload[], now: number): void {
    const { firstIndex, lastIndex, term } = this.#append(payloads, now)
    this.#server.outbox.answer({ kind: 'accepted', proposalId, term, firstIndex, lastIndex })
  }

  #refuse(proposalId: number, reason: MembershipRefusal): void {
    this.#server.outbox.answer({ kind: 'refused', proposalId, reason, leader: this.#server.self.node })
  }

  #append(payloads: readonly EntryPayload[], now: number) {
    assert(this.term === this.#server.term, 'a leader appends in its own term')
    const batch = makeBatch(this.term, next(this.#server.log.lastIndex), payloads)
    this.#uncommitted.push({ lastIndex: batch.lastIndex, bytes: batch.sizeBytes })
    this.#uncommittedBytes += batch.sizeBytes
    if (this.#server.append(batch)) this.#membersChanged(now)
    return batch
  }

  #membersChanged(now: number): void {
    this.replication.membersChanged(now)
    const { configuration } = this.#server
    if (this.#transfer !== undefined && !configuration.voters.some(({ node }) => node === this.#transfer?.to)) this.#endTransfer('removed')
  }

  #endTransfer(how: 'timed_out' | 'removed'): void {
    const { to } = present(this.#transfer, 'the transfer that ends')
    this.#transfer = undefined
    this.#server.outbox.tell({ kind: 'transfer_ended', to, how })
  }

  #expire(now: number): void {
    const { outbox, self } = this.#server
    if (this.#transfer !== undefined && now >= this.#transfer.deadlineMs) this.#endTransfer('timed_out')
    for (const read of this.#reads.takeExpired(now)) {
      if (read.origin === 'own') outbox.answer({ kind: 'read_failed', readId: read.readId, reason: 'timed_out', leader: self.node })
    }
  }

  #beat(now: number): void {
    const round = this.#reads.begin(hasCommittedInTerm(this.#server) ? this.#server.commit : undefined)
    this.replication.heartbeat(round)
    this.#nextHeartbeatMs = now + this.#server.settings.heartbeatMs
  }

  #confirmReads(): void {
    const { configuration, self, outbox, term } = this.#server
    for (const { reads, index } of this.#reads.takeConfirmed(configuration, self.node)) {
      for (const read of reads) {
        if (read.origin === 'own') outbox.answer({ kind: 'read_ready', readId: read.readId, index })
        else outbox.send(read.member, { kind: 'read_response', term, requestId: read.readId, index }, 'nothing')
      }
    }
  }

  #forgetCommitted(): void {
    const { commit } = this.#server
    while (this.#uncommitted[0] !== undefined && this.#uncommitted[0].lastIndex <= commit) {
      this.#uncommittedBytes -= this.#uncommitted.shift()?.bytes ?? 0
    }
  }
}
