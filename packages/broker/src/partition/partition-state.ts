// What a replica has whichever role it plays: its log, its producers, its high watermark, and what it was told.
import type { NodeId } from '@atoll/base'
import { assert } from '@atoll/base'
import type { LeaderEpoch, Offset } from '@atoll/records'
import type { Registrations } from './assignment.ts'
import type { Outbox } from './outbox.ts'
import type { PartitionLog } from './partition-log.ts'
import type { ProducerStates } from './producers.ts'
import type { ReplicaSettings } from './settings.ts'

export class PartitionState {
  readonly self: NodeId
  readonly log: PartitionLog
  readonly registrations: Registrations
  readonly settings: ReplicaSettings
  readonly outbox: Outbox
  producers: ProducerStates
  minInSyncReplicas: number
  #highWatermark: Offset
  /** What was deleted within a batch that is still kept for the rest of it. */
  #deletedTo = 0 as Offset
  /** The leader epoch in which the high watermark was learned. */
  #watermarkEpoch = -1 as LeaderEpoch

  constructor(options: {
    readonly self: NodeId
    readonly log: PartitionLog
    readonly registrations: Registrations
    readonly settings: ReplicaSettings
    readonly outbox: Outbox
    readonly producers: ProducerStates
    readonly minInSyncReplicas: number
    readonly highWatermark: Offset
  }) {
    this.self = options.self
    this.log = options.log
    this.registrations = options.registrations
    this.settings = options.settings
    this.outbox = options.outbox
    this.producers = options.producers
    this.minInSyncReplicas = options.minInSyncReplicas
    const { logStart, logEnd } = options.log
    this.#highWatermark = Math.max(logStart, Math.min(options.highWatermark, logEnd)) as Offset
  }

  /** The first offset not known to be on every in-sync replica. Exclusive; between log start and log end. */
  get highWatermark(): Offset {
    return this.#highWatermark
  }

  /** The first offset there is for consumers. Inclusive; it may lie within the log's first batch. */
  get logStart(): Offset {
    return Math.max(this.log.logStart, this.#deletedTo) as Offset
  }

  /** Nothing before `to` is wanted any more: as far as it is committed, it goes. */
  deleteBefore(to: Offset): void {
    const start = Math.min(to, this.#highWatermark) as Offset
    if (start <= this.logStart) return
    this.#deletedTo = start
    this.outbox.trim = start
  }

  /** Raises it, as far as the log goes; it never moves back. True when it moved. */
  raiseHighWatermark(to: Offset, epoch: LeaderEpoch): boolean {
    const raised = Math.min(to, this.log.logEnd) as Offset
    if (raised <= this.#highWatermark) return false
    this.#highWatermark = raised
    this.#watermarkEpoch = epoch
    this.outbox.highWatermarkMoved = true
    return true
  }

  /**
   * Whether the log may be cut at `end`. What is known to be committed is not given up, unless a leader chosen from outside
   * of the ISR since then has done so for everybody.
   */
  mayCutAt(end: Offset, uncleanEpoch: LeaderEpoch | undefined): boolean {
    return end >= this.#highWatermark || (uncleanEpoch !== undefined && uncleanEpoch > this.#watermarkEpoch)
  }

  /** After a cut: start and high watermark stay within what is left. */
  clamp(): void {
    const { logStart, logEnd } = this.log
    this.#deletedTo = Math.min(this.#deletedTo, logEnd) as Offset
    assert(logStart <= logEnd, 'a log starts before its end')
    this.#highWatermark = Math.max(logStart, Math.min(this.#highWatermark, logEnd)) as Offset
  }
}
