// A replica that leads: it orders what producers send, hears how far its followers are, and says what is committed.
// (apache/kafka Partition.scala; KIP-101, 207, 497, 841, 903, 966.) Everything here ends with the leadership.
import type { NodeId } from '@atoll/base'
import { assert } from '@atoll/base'
import type { LeaderEpoch, Offset } from '@atoll/records'
import type { Assignment, IsrMember, ProposalAnswer } from './assignment.ts'
import { Deletions } from './deletions.ts'
import { DiskWatch } from './disk-watch.ts'
import type { ProduceDoubt, ProduceRefusal, ResignReason } from './effects.ts'
import { checkPosition } from './fetch-check.ts'
import { FollowerProgress } from './follower-progress.ts'
import { commonDurableEnd } from './high-watermark.ts'
import { InSyncSet } from './in-sync-set.ts'
import type { DeleteRecords, FollowerDurable, FollowerFetch, Produce } from './inputs.ts'
import { REPLICAS_MAX } from './limits.ts'
import type { Placed } from './partition-log.ts'
import type { PartitionState } from './partition-state.ts'
import { UncommittedBytes } from './uncommitted-bytes.ts'
import { type WaitingProduce, WaitingProduces } from './waiting-produces.ts'

export class Leading {
  readonly epoch: LeaderEpoch
  /** The log end when this leadership began: below it may be what an earlier leader committed and this one does not know to be. */
  readonly epochStart: Offset
  readonly #state: PartitionState
  readonly #isr: InSyncSet
  readonly #followers = new Map<NodeId, FollowerProgress>()
  /** Who waits for every in-sync replica, and who only for this one. */
  readonly #forAll = new WaitingProduces()
  readonly #forLeader = new WaitingProduces()
  readonly #deletions = new Deletions()
  readonly #disk = new DiskWatch()
  readonly #uncommitted: UncommittedBytes
  /** When the ISR was looked at last. */
  #reviewedMs = 0
  #impairment: ResignReason | undefined
  #resignAgainAtMs = 0
  /** No batch is tried before, after the disk was full. */
  #roomAtMs = 0

  constructor(state: PartitionState, { leaderEpoch, partitionEpoch, isr, replicas }: Assignment, now: number) {
    const { log, outbox, self } = state
    this.#state = state
    this.epoch = leaderEpoch
    this.epochStart = log.logEnd
    this.#isr = new InSyncSet(isr, partitionEpoch)
    this.#uncommitted = new UncommittedBytes(log.logEnd)
    this.#setReplicas(replicas, now)
    assert(isr.includes(self), 'a leader is in its own ISR')
    if (log.logEnd > log.durableEnd) this.#disk.appended(log.logEnd, now)
    // Also when nothing is written in it: followers with records of an epoch in between have to be told apart.
    const refused = log.assignEpoch(leaderEpoch)
    if (refused !== undefined) this.#impairment = refused === 'disk_full' ? 'disk_full' : 'disk_failed'
    outbox.tell({ kind: 'became_leader', epoch: leaderEpoch, logEnd: log.logEnd })
  }

  get isr(): ReadonlySet<NodeId> {
    return this.#isr.committed
  }

  get partitionEpoch(): number {
    return this.#isr.partitionEpoch
  }

  get followers(): ReadonlyMap<NodeId, FollowerProgress> {
    return this.#followers
  }

  /** True until everything that an earlier leader may have committed is known to be: until then the log's committed end is not known. */
  get isCatchingUp(): boolean {
    return this.#state.highWatermark < this.epochStart
  }

  /** The same leadership, with another ISR or other replicas. */
  reassign({ isr, replicas, partitionEpoch }: Assignment, now: number): void {
    this.#setReplicas(replicas, now)
    this.#adopt(isr, partitionEpoch)
  }

  produce({ requestId, batch, header, acks, deadlineMs }: Produce, now: number): void {
    const { log, producers } = this.#state
    const waiting = acks === 'all' ? this.#forAll : this.#forLeader
    const trouble = this.#produceTrouble(acks === 'all', waiting, now)
    if (trouble !== undefined) return this.#refuse(requestId, trouble)
    const verdict = producers.check(header)
    if (verdict.kind === 'duplicate') {
      const { firstOffset, lastOffset } = verdict.batch
      if (acks === 'none') return
      waiting.add({ requestId, firstOffset, end: lastOffset + 1, deadlineMs, duplicate: true })
      return
    }
    if (verdict.kind !== 'next') return this.#refuse(requestId, verdict.kind)
    const endBefore = log.logEnd
    const placed = log.append(batch, this.epoch)
    if (typeof placed === 'string') return this.#notAppended(requestId, placed, now)
    producers.appended(header, placed.firstOffset, now)
    this.#appended(placed, batch.length, endBefore, now)
    if (acks !== 'none')
      waiting.add({ requestId, firstOffset: placed.firstOffset, end: placed.lastOffset + 1, deadlineMs, duplicate: false })
  }

  /** A follower's fetch: its position counts only if its log is the beginning of this one. */
  followerFetched({ follower, brokerEpoch, position }: FollowerFetch, now: number): void {
    const { log, outbox } = this.#state
    const progress = this.#admit(follower, brokerEpoch, now)
    if (typeof progress === 'string') {
      outbox.check = { kind: 'refused', reason: progress }
      return
    }
    outbox.check = checkPosition(position, log)
    if (outbox.check.kind !== 'accepted') return
    progress.fetched(position, log.logEnd, now)
    this.#deletions.reached(this.#lowWatermark(), outbox)
  }

  followerSynced({ follower, brokerEpoch, durableEnd }: FollowerDurable, now: number): void {
    const progress = this.#admit(follower, brokerEpoch, now)
    if (typeof progress !== 'string' && progress.agrees) progress.synced(durableEnd, this.#state.log.logEnd, now)
  }

  deleteRecords({ requestId, before, deadlineMs }: DeleteRecords): void {
    const { highWatermark, outbox } = this.#state
    const to = before ?? highWatermark
    if (to > highWatermark || this.#deletions.full) {
      outbox.answer({ kind: 'delete_refused', requestId, reason: to > highWatermark ? 'out_of_range' : 'too_many_requests' })
      return
    }
    this.#deletions.add({ requestId, to, deadlineMs })
    this.#state.deleteBefore(to)
    this.#deletions.reached(this.#lowWatermark(), outbox)
  }

  /** True when the answer says that another leads. */
  proposalAnswered({ leaderEpoch, refusal, assignment }: ProposalAnswer): boolean {
    if (leaderEpoch !== this.epoch) return false
    if (refusal === 'deposed' || (assignment !== undefined && assignment.leaderEpoch > this.epoch)) return true
    if (assignment?.leaderEpoch === this.epoch) this.#adopt(assignment.isr, assignment.partitionEpoch)
    return false
  }

  resign(reason: ResignReason, now: number): void {
    this.#impairment = reason
    this.#resignAgainAtMs = now
  }

  /** What follows from all that changed: what is committed, who is answered, whom to ask for. */
  run(now: number): void {
    const { log } = this.#state
    this.#disk.synced(log.durableEnd, log.logEnd, now)
    this.#checkDisk(now)
    this.#reviewIsr(now)
    this.#advance(now)
    this.#answerWaiting(now)
    this.#deletions.expire(now, this.#state.outbox)
  }

  /** The leadership is over: whoever waits does not learn whether its batch is kept. */
  end(reason: ProduceDoubt): void {
    for (const waiting of [this.#forAll, this.#forLeader]) this.#doubt(waiting.takeAll(), reason)
    this.#deletions.abandon(this.#state.outbox)
  }

  get nextAt(): number {
    const { settings, log } = this.#state
    let nextAt = Math.min(this.#forAll.nextDeadlineMs, this.#forLeader.nextDeadlineMs, this.#deletions.nextDeadlineMs, this.#isr.retryAtMs)
    if (this.#impairment === undefined) nextAt = Math.min(nextAt, this.#disk.stuckAt(settings.diskStuckMs))
    else nextAt = Math.min(nextAt, this.#resignAgainAtMs)
    for (const follower of this.#followers.values())
      if (this.#isr.committed.has(follower.node) || follower.agrees) {
        const behindAt = follower.behindAt(log.logEnd, settings.replicaLagMsMax)
        if (behindAt > this.#reviewedMs) nextAt = Math.min(nextAt, behindAt)
      }
    return nextAt
  }

  #setReplicas(replicas: readonly NodeId[], now: number): void {
    assert(replicas.length <= REPLICAS_MAX, 'a partition has few replicas')
    for (const node of this.#followers.keys()) if (!replicas.includes(node)) this.#followers.delete(node)
    for (const node of replicas)
      if (node !== this.#state.self && !this.#followers.has(node)) this.#followers.set(node, new FollowerProgress(node, now))
  }

  #adopt(isr: readonly NodeId[], partitionEpoch: number): void {
    if (partitionEpoch > this.#isr.partitionEpoch) this.#isr.adopt(isr, partitionEpoch)
  }

  #isUnderMinIsr(): boolean {
    // A partition with fewer replicas than the minimum can have no more than it has.
    return this.#isr.committed.size < Math.min(this.#state.minInSyncReplicas, this.#followers.size + 1)
  }

  #produceTrouble(isForAll: boolean, waiting: WaitingProduces, now: number): ProduceRefusal | undefined {
    if (this.#state.log.failed) return 'disk_failed'
    if (now < this.#roomAtMs) return 'disk_full'
    if (isForAll && this.#isUnderMinIsr()) return 'not_enough_replicas'
    return waiting.full ? 'too_many_requests' : undefined
  }

  #appended({ lastOffset }: Placed, sizeBytes: number, endBefore: Offset, now: number): void {
    const { outbox } = this.#state
    const logEnd = (lastOffset + 1) as Offset
    for (const follower of this.#followers.values()) follower.leaderAppends(endBefore, now)
    this.#disk.appended(logEnd, now)
    this.#uncommitted.appended(logEnd, sizeBytes)
    if (this.#impairment === 'disk_full') this.#impairment = undefined
    outbox.logEndMoved = true
  }

  #notAppended(requestId: number, refusal: 'disk_full' | 'failed' | 'invalid', now: number): void {
    if (refusal === 'invalid') return this.#refuse(requestId, 'invalid_batch')
    const reason = refusal === 'disk_full' ? 'disk_full' : 'disk_failed'
    this.#roomAtMs = refusal === 'disk_full' ? now + this.#state.settings.diskFullRetryMs : this.#roomAtMs
    if (this.#impairment !== reason) this.resign(reason, now)
    this.#refuse(requestId, reason)
  }

  #refuse(requestId: number, reason: ProduceRefusal): void {
    this.#state.outbox.answer({ kind: 'produce_refused', requestId, reason })
  }

  /** The follower's progress, unless it is none or fetches under another registration than its current one. */
  #admit(node: NodeId, brokerEpoch: number, now: number): FollowerProgress | 'not_a_replica' | 'stale_broker_epoch' {
    const progress = this.#followers.get(node)
    if (progress === undefined) return 'not_a_replica'
    const current = this.#state.registrations.brokerEpoch(node)
    const newest = Math.max(current ?? -1, progress.brokerEpoch ?? -1)
    if (brokerEpoch < newest) return 'stale_broker_epoch'
    progress.registered(brokerEpoch, now)
    return progress
  }

  /** True when it may be asked for: it has all that is committed, also what earlier leaders committed, and is who it says. */
  #mayJoin(follower: FollowerProgress, now: number): boolean {
    const { highWatermark, log, registrations, settings } = this.#state
    if (!follower.agrees || follower.durableEnd < highWatermark || follower.durableEnd < this.epochStart) return false
    // One that fell silent at the high watermark has to move first, or it would be taken in and thrown out in turns.
    if (!follower.isCaughtUp(log.logEnd, now, settings.replicaLagMsMax)) return false
    return this.#isEligible(follower, registrations.brokerEpoch(follower.node))
  }

  #isEligible(follower: FollowerProgress, brokerEpoch: number | undefined): boolean {
    return brokerEpoch !== undefined && follower.brokerEpoch === brokerEpoch && this.#state.registrations.mayJoin(follower.node)
  }

  #reviewIsr(now: number): void {
    const { self, log, outbox, registrations, settings } = this.#state
    this.#reviewedMs = now
    const wanted: IsrMember[] = [{ node: self, brokerEpoch: registrations.brokerEpoch(self) ?? -1 }]
    for (const follower of this.#followers.values()) {
      const isIn = this.#isr.committed.has(follower.node)
      const stays = isIn && registrations.mayJoin(follower.node) && follower.isCaughtUp(log.logEnd, now, settings.replicaLagMsMax)
      if (stays || (!isIn && this.#mayJoin(follower, now)))
        wanted.push({ node: follower.node, brokerEpoch: follower.brokerEpoch ?? registrations.brokerEpoch(follower.node) ?? -1 })
    }
    outbox.proposal = this.#isr.propose(wanted, this.epoch, now, settings.proposalRetryMs) ?? outbox.proposal
  }

  /** Below the least number of in-sync replicas nothing more is committed (KIP-966). */
  #advance(now: number): void {
    const { log, outbox, registrations, settings } = this.#state
    if (this.#isUnderMinIsr()) return
    const counts = (follower: FollowerProgress): boolean =>
      this.#isr.holds(follower.node) ||
      // Whoever is about to join is waited for, or the high watermark would run away from it for ever.
      (follower.agrees &&
        follower.isCaughtUp(log.logEnd, now, settings.replicaLagMsMax) &&
        this.#isEligible(follower, registrations.brokerEpoch(follower.node)))
    const end = commonDurableEnd(log.durableEnd, this.#followers.values(), counts)
    if (this.#state.raiseHighWatermark(end, this.epoch)) outbox.committedBytes += this.#uncommitted.committedTo(end)
  }

  #answerWaiting(now: number): void {
    const { log, highWatermark } = this.#state
    for (const produce of this.#forLeader.reached(log.durableEnd)) this.#produced(produce)
    for (const produce of this.#forAll.reached(highWatermark)) this.#produced(produce)
    // What is committed was committed with enough replicas; the rest may never be, so nobody is left to wait for it.
    if (this.#isUnderMinIsr()) this.#doubt(this.#forAll.takeAll(), 'not_enough_replicas_after_append')
    if (log.failed) for (const waiting of [this.#forAll, this.#forLeader]) this.#doubt(waiting.takeAll(), 'disk_failed')
    for (const waiting of [this.#forAll, this.#forLeader]) this.#doubt(waiting.expired(now), 'request_timed_out')
  }

  #produced({ requestId, firstOffset, duplicate }: WaitingProduce): void {
    const { outbox, logStart } = this.#state
    outbox.answer({ kind: 'produced', requestId, firstOffset: firstOffset as Offset, logStart, duplicate })
  }

  #doubt(produces: readonly WaitingProduce[], reason: ProduceDoubt): void {
    for (const { requestId } of produces) this.#state.outbox.answer({ kind: 'produce_doubtful', requestId, reason })
  }

  /** A leader whose disk hangs, is full or failed asks to be replaced, again and again; nobody else may be able to. */
  #checkDisk(now: number): void {
    const { log, outbox, settings } = this.#state
    if (log.failed) this.#impairment = 'disk_failed'
    else if (this.#impairment === undefined || this.#impairment === 'disk_stuck')
      this.#impairment = now >= this.#disk.stuckAt(settings.diskStuckMs) ? 'disk_stuck' : undefined
    if (this.#impairment === undefined || now < this.#resignAgainAtMs) return
    this.#resignAgainAtMs = now + settings.proposalRetryMs
    outbox.resignation = this.#impairment
  }

  /** Below this no replica that takes part has anything any more. */
  #lowWatermark(): Offset {
    const { logStart, registrations } = this.#state
    let low: number = logStart
    for (const follower of this.#followers.values()) if (registrations.mayJoin(follower.node)) low = Math.min(low, follower.logStart)
    return low as Offset
  }
}
