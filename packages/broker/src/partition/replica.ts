// One broker's replica of one partition, as a state machine: inputs in, effects out, time an argument. It leads, follows,
// or, while nobody is known to lead, does neither. It reads and appends to its log at once; what takes time (cutting the
// log, reading what is no longer in memory) the driver does. Who leads is decided elsewhere and only obeyed here: every
// message between replicas carries the leader epoch, and one of another epoch is refused.
import type { NodeId } from '@atoll/base'
import { assert, unreachable } from '@atoll/base'
import type { LeaderEpoch, Offset } from '@atoll/records'
import type { Assignment, Registrations } from './assignment.ts'
import type { Effects } from './effects.ts'
import { Following } from './following.ts'
import type { FetchPosition, FetchRefusal, FollowerFetch, Input, Produce } from './inputs.ts'
import { Leading } from './leading.ts'
import { Outbox } from './outbox.ts'
import type { EpochEnd, PartitionLog } from './partition-log.ts'
import { PartitionState } from './partition-state.ts'
import { ProducerStates } from './producers.ts'
import { checkSettings, type ReplicaSettings } from './settings.ts'
import { type ReplicaStatus, statusOf } from './status.ts'

export interface ReplicaOptions {
  readonly self: NodeId
  readonly log: PartitionLog
  readonly registrations: Registrations
  readonly settings: ReplicaSettings
  /** Those of the whole log. Default none, for an empty log. */
  readonly producers?: ProducerStates
  /** `min.insync.replicas` of the topic. */
  readonly minInSyncReplicas: number
  /** As far as it was known to be committed when it was last written down. Default the log start. */
  readonly highWatermark?: Offset
}

export type ReadRefusal = FetchRefusal | 'out_of_range' | 'offset_not_available'

export type Read =
  /** Whole batches from the one that holds the offset; views into the log. */
  | { readonly kind: 'batches'; readonly batches: readonly Uint8Array[]; readonly highWatermark: Offset; readonly logStart: Offset }
  /** They have to be read from the disk, below `end`. */
  | { readonly kind: 'cold'; readonly end: Offset; readonly highWatermark: Offset; readonly logStart: Offset }
  | { readonly kind: 'refused'; readonly reason: ReadRefusal; readonly logStart: Offset; readonly highWatermark: Offset }

export class Replica {
  readonly #state: PartitionState
  readonly #outbox = new Outbox()
  #role: Leading | Following | undefined
  #leaderEpoch = -1 as LeaderEpoch
  #partitionEpoch = -1
  /** The log is being cut: nothing touches it. */
  #cutting = false
  /** What was assigned meanwhile. */
  #deferred: Assignment | undefined
  #expireProducersAtMs: number | undefined

  constructor({ producers = new ProducerStates(), highWatermark, ...options }: ReplicaOptions) {
    checkSettings(options.settings)
    this.#state = new PartitionState({
      ...options,
      producers,
      highWatermark: highWatermark ?? options.log.logStart,
      outbox: this.#outbox,
    })
  }

  get status(): ReplicaStatus {
    return statusOf(this.#state, this.#role, this.#leaderEpoch, this.#partitionEpoch)
  }

  get isLeader(): boolean {
    return this.#role instanceof Leading
  }

  get leaderEpoch(): LeaderEpoch {
    return this.#leaderEpoch
  }

  get highWatermark(): Offset {
    return this.#state.highWatermark
  }

  get producers(): ProducerStates {
    return this.#state.producers
  }

  /** Who leads, as far as this replica follows somebody. */
  get leader(): NodeId | undefined {
    return this.#role instanceof Following ? this.#role.leader : undefined
  }

  /** What to fetch next from the leader; undefined when this replica does not follow, or its log is being cut. */
  get position(): FetchPosition | undefined {
    return this.#cutting || !(this.#role instanceof Following) ? undefined : this.#role.position
  }

  /** What to report one-way when a sync ended; undefined as long as the leader has not confirmed that the logs agree. */
  get durableReport(): { readonly leaderEpoch: LeaderEpoch; readonly durableEnd: Offset } | undefined {
    if (this.#cutting || !(this.#role instanceof Following) || !this.#role.agrees) return undefined
    return { leaderEpoch: this.#role.epoch, durableEnd: this.#state.log.durableEnd }
  }

  step(input: Input, now: number): Effects {
    this.#handle(input, now)
    this.#cutting ||= this.#outbox.cut !== undefined
    if (!this.#cutting) this.#role?.run(now)
    this.#expireProducers(now)
    return this.#outbox.take(this.#nextAt())
  }

  /** For a follower whose position was accepted: what follows `from`, committed or not. */
  readForFollower(leaderEpoch: LeaderEpoch, from: Offset, bytesMax: number): Read {
    const refusal = this.#fence(leaderEpoch)
    return refusal === undefined ? this.#read(from, this.#state.log.logEnd, bytesMax) : this.#refuseRead(refusal)
  }

  /** For a consumer: only what is committed. `leaderEpoch` is the one it believes current, if it says. */
  readForConsumer(leaderEpoch: LeaderEpoch | undefined, from: Offset, bytesMax: number): Read {
    const refusal = this.#fence(leaderEpoch)
    if (refusal !== undefined) return this.#refuseRead(refusal)
    const { log, highWatermark, logStart } = this.#state
    if (from < logStart || from > log.logEnd) return this.#refuseRead('out_of_range')
    // An offset between the two may have been committed by an earlier leader: there is nothing yet, and nothing wrong.
    if (from >= highWatermark) return { kind: 'batches', batches: [], highWatermark, logStart }
    return this.#read(from, highWatermark, bytesMax)
  }

  /** The first offset, or the next one to be committed (KIP-207). */
  listOffset(which: 'earliest' | 'latest', leaderEpoch?: LeaderEpoch): Offset | ReadRefusal {
    const refusal = this.#fence(leaderEpoch)
    if (refusal !== undefined) return refusal
    if (which === 'earliest') return this.#state.logStart
    return (this.#role as Leading).isCatchingUp ? 'offset_not_available' : this.#state.highWatermark
  }

  /** Where `epoch` ended in this leader's log (KIP-320). */
  endOfEpoch(epoch: LeaderEpoch, leaderEpoch?: LeaderEpoch): EpochEnd | FetchRefusal | undefined {
    return this.#fence(leaderEpoch) ?? this.#state.log.endOfEpoch(epoch)
  }

  #handle(input: Input, now: number): void {
    const role = this.#role
    switch (input.kind) {
      case 'assign':
        return this.#assign(input.assignment, now)
      case 'configure':
        this.#state.minInSyncReplicas = input.minInSyncReplicas
        return
      case 'produce':
        return role instanceof Leading ? role.produce(input, now) : this.#refuseProduce(input)
      case 'follower_fetch':
        return this.#followerFetch(input, now)
      case 'follower_durable':
        if (role instanceof Leading && input.leaderEpoch === role.epoch) role.followerSynced(input, now)
        return
      case 'fetched':
        if (role instanceof Following && !this.#cutting) role.fetched(input, now)
        return
      case 'delete_records':
        if (role instanceof Leading) return role.deleteRecords(input)
        return this.#outbox.answer({ kind: 'delete_refused', requestId: input.requestId, reason: 'not_leader' })
      case 'retain':
        return this.#retain(input.from)
      case 'durable':
        if (role instanceof Following) this.#outbox.positionMoved = true
        return
      case 'cut_done':
        return this.#cutDone(input.producers, now)
      case 'proposal_answered':
        if (role instanceof Leading && role.proposalAnswered(input.answer)) this.#becomeIdle('leadership_lost')
        return
      case 'resign':
        if (role instanceof Leading) role.resign('shutting_down', now)
        return
      case 'log_failed':
        if (role instanceof Following) this.#outbox.positionMoved = true
        return
      case 'registered':
        return this.#stepDown()
      case 'brokers_changed':
      case 'tick':
        return
      default:
        return unreachable(input)
    }
  }

  /** Epochs only rise: what is older than what is known already was held up on its way. */
  #assign(assignment: Assignment, now: number): void {
    if (this.#cutting) {
      if (assignment.partitionEpoch > (this.#deferred?.partitionEpoch ?? this.#partitionEpoch)) this.#deferred = assignment
      return
    }
    const { leaderEpoch, partitionEpoch, leader, replicas } = assignment
    if (partitionEpoch <= this.#partitionEpoch) return
    assert(leaderEpoch >= this.#leaderEpoch, 'a later state of a partition has no earlier leader')
    this.#partitionEpoch = partitionEpoch
    const sameLeadership = leaderEpoch === this.#leaderEpoch && this.#role !== undefined
    if (sameLeadership) {
      if (this.#role instanceof Leading) this.#role.reassign(assignment, now)
      else if (!replicas.includes(this.#state.self)) this.#becomeIdle('leadership_lost')
      return
    }
    this.#becomeIdle('leadership_lost')
    this.#leaderEpoch = leaderEpoch
    if (leader === undefined || !replicas.includes(this.#state.self)) {
      this.#outbox.tell({ kind: 'became_idle', epoch: leaderEpoch })
      return
    }
    this.#role = leader === this.#state.self ? new Leading(this.#state, assignment, now) : new Following(this.#state, leader, assignment)
  }

  #becomeIdle(reason: 'leadership_lost'): void {
    if (this.#role instanceof Leading) this.#role.end(reason)
    else if (this.#role !== undefined) this.#outbox.positionMoved = true
    this.#role = undefined
  }

  /** Others may lead by now, and may have taken what this one has never seen; it leads again when it is told so. */
  #stepDown(): void {
    if (this.#deferred?.leader === this.#state.self) this.#deferred = { ...this.#deferred, leader: undefined }
    if (!(this.#role instanceof Leading)) return
    this.#becomeIdle('leadership_lost')
    this.#outbox.tell({ kind: 'became_idle', epoch: this.#leaderEpoch })
  }

  #followerFetch(input: FollowerFetch, now: number): void {
    const reason = this.#fence(input.position.leaderEpoch)
    if (reason !== undefined) this.#outbox.check = { kind: 'refused', reason }
    else (this.#role as Leading).followerFetched(input, now)
  }

  /** Why a request of `epoch` is not for this leader: the asker or this replica is behind (KIP-320). Undefined when it is. */
  #fence(epoch: LeaderEpoch | undefined): FetchRefusal | undefined {
    if (epoch !== undefined && epoch < this.#leaderEpoch) return 'fenced_leader_epoch'
    if (epoch !== undefined && epoch > this.#leaderEpoch) return 'unknown_leader_epoch'
    return this.#role instanceof Leading ? undefined : 'not_leader'
  }

  #refuseRead(reason: ReadRefusal): Read {
    const { highWatermark, logStart } = this.#state
    return { kind: 'refused', reason, logStart, highWatermark }
  }

  #read(from: Offset, end: Offset, bytesMax: number): Read {
    const { log, highWatermark, logStart } = this.#state
    if (from < log.logStart || from > log.logEnd) return this.#refuseRead('out_of_range')
    const batches = from >= end ? [] : log.readTail(from, end, bytesMax)
    return batches === undefined ? { kind: 'cold', end, highWatermark, logStart } : { kind: 'batches', batches, highWatermark, logStart }
  }

  #refuseProduce({ requestId, acks }: Produce): void {
    if (acks !== 'none') this.#outbox.answer({ kind: 'produce_refused', requestId, reason: 'not_leader' })
  }

  /** Only a leader's retention counts: followers drop what it dropped, so that no two of them differ for long. */
  #retain(from: Offset): void {
    if (this.#role instanceof Leading) this.#state.deleteBefore(from)
  }

  #cutDone(producers: ProducerStates, now: number): void {
    assert(this.#cutting, 'a cut ends that was begun')
    this.#cutting = false
    this.#state.producers = producers
    this.#state.clamp()
    this.#outbox.positionMoved = true
    const deferred = this.#deferred
    this.#deferred = undefined
    if (deferred !== undefined) this.#assign(deferred, now)
  }

  #expireProducers(now: number): void {
    const { producers, settings } = this.#state
    if (this.#expireProducersAtMs !== undefined && now < this.#expireProducersAtMs) return
    producers.expire(now - settings.producerExpiryMs)
    this.#expireProducersAtMs = now + settings.producerExpiryMs / 8
  }

  #nextAt(): number {
    return this.#cutting ? Number.POSITIVE_INFINITY : (this.#role?.nextAt ?? Number.POSITIVE_INFINITY)
  }
}
