// Consuming as a member of a group: what the group gives is read from where it was committed, and what was processed is
// committed. A record counts as processed when the next one is asked for, so one that was in work when its consumer died is
// read again by somebody else: at least once.
import type { Timer } from '@atoll/base'
import { type CommittedOffset, ProtocolError } from '@atoll/protocol'
import { AtollError } from '../atoll-error.ts'
import type { Assignor } from './assignors.ts'
import type { Fetcher } from './fetcher.ts'
import { type Assignee, GroupMembership } from './group-membership.ts'
import { COMMIT_INTERVAL_MS, MEMBER_SESSION_MS, POLL_MS_MAX, REBALANCE_MS } from './limits.ts'
import type { LogParts } from './log-parts.ts'
import { PartitionReader } from './partition-reader.ts'

export interface GroupOptions {
  /** The name of the group. Its members share the topic's partitions, and remember how far they came. */
  readonly group?: string | undefined
  /** `auto`: what was processed is committed every second, before a new round, and at the end. `manual`: with `commit()`. Default `auto`. */
  readonly commit?: 'auto' | 'manual' | undefined
  /** How partitions are shared, the best first. Default `['range', 'roundrobin']`. */
  readonly assignors?: readonly Assignor[] | undefined
  /** A static name: a process that is restarted under it takes its old place, without a new round. */
  readonly instanceId?: string | undefined
  /** A member that is silent for so long is out, in milliseconds. Default 10,000. */
  readonly sessionTimeoutMs?: number | undefined
  /** A consumer that asks for nothing for so long leaves its group, and fails as `consumer_stalled`, in milliseconds. Default 300,000. */
  readonly pollMsMax?: number | undefined
}

export interface GroupConsumptionParts {
  readonly log: LogParts
  readonly topic: string
  readonly group: string
  readonly fetcher: Fetcher
  readonly options: GroupOptions
  readonly start: 'earliest' | 'latest'
  readonly stallMs: number
  /** The record that was handed over last and may be in work. */
  readonly inWork: () => { readonly partition: number; readonly offset: number } | undefined
  /** What was read and not handed over is dropped. */
  readonly onRevoked: () => void
  readonly onFailure: (error: AtollError) => void
  readonly onAssigned: () => void
}

export class GroupConsumption implements Assignee {
  readonly #parts: GroupConsumptionParts
  readonly #membership: GroupMembership
  readonly #committed = new Map<number, number>()
  readonly #auto: boolean
  #hasAssignment = false
  #revoking = false
  #committing: Timer | undefined
  #quiet: (() => void) | undefined
  #polledAtMs: number
  #ended = false

  constructor(parts: GroupConsumptionParts) {
    this.#parts = parts
    const { log, topic, group, options, stallMs } = parts
    this.#auto = (options.commit ?? 'auto') === 'auto'
    this.#polledAtMs = log.clock.monotonicMs()
    const { assignors = ['range', 'roundrobin'], instanceId, sessionTimeoutMs = MEMBER_SESSION_MS } = options
    const about = { group, topic, assignors, instanceId, sessionTimeoutMs, rebalanceTimeoutMs: REBALANCE_MS, stallMs }
    this.#membership = new GroupMembership(log, about, this)
  }

  /** True once the group said what this member gets, until a next round is due. */
  get mayHandOver(): boolean {
    return this.#hasAssignment && !this.#revoking
  }

  begin(): void {
    this.#membership.begin()
    this.#commitLater()
  }

  /** The next record is asked for: the last one is processed. */
  polled(): void {
    this.#polledAtMs = this.#parts.log.clock.monotonicMs()
    this.#quiet?.()
  }

  /** Commits what was handed over, the last record included. Rejects with an AtollError. */
  async commit(): Promise<void> {
    try {
      await this.#commit(false)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      const { group } = this.#parts
      throw new AtollError(error.code, `group ${group}: ${error.message}`, { operation: 'group_commit', cause: error })
    }
  }

  assigned(places: readonly CommittedOffset[]): void {
    if (this.#ended) return
    const { fetcher, topic, start } = this.#parts
    this.#committed.clear()
    for (const { partition, offset, leaderEpoch } of places) {
      const reader = new PartitionReader(topic, partition, offset < 0 ? start : offset)
      if (offset >= 0 && leaderEpoch >= 0) reader.lastEpoch = leaderEpoch
      if (offset >= 0) this.#committed.set(partition, offset)
      fetcher.add(reader)
    }
    this.#hasAssignment = true
    this.#parts.onAssigned()
  }

  async revoke(): Promise<void> {
    this.#revoking = true
    await this.#processed()
    if (this.#ended) return
    if (this.#auto) await this.#commitQuietly()
    this.#hasAssignment = false
    this.#revoking = false
    this.#parts.onRevoked()
    for (const { partition } of this.#parts.fetcher.readers) this.#parts.fetcher.remove(partition)
  }

  failed(error: AtollError): void {
    this.#parts.onFailure(error)
  }

  /** Commits what was processed, and leaves. Never rejects. */
  async end(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    this.#committing?.cancel()
    this.#quiet?.()
    if (this.#auto && this.#hasAssignment && !this.#parts.log.closing.aborted) await this.#commitQuietly()
    await this.#membership.stop()
  }

  /** Whoever works on a record gets a while to finish it. */
  async #processed(): Promise<void> {
    if (this.#parts.inWork() === undefined) return
    await new Promise<void>(resolve => {
      const timer = this.#parts.log.clock.after(REBALANCE_MS / 2, resolve)
      this.#quiet = () => {
        timer.cancel()
        resolve()
      }
    })
    this.#quiet = undefined
  }

  async #commitQuietly(): Promise<void> {
    try {
      await this.#commit(true)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      // What was not committed is read again.
    }
  }

  async #commit(processedOnly: boolean): Promise<void> {
    const inWork = processedOnly ? this.#parts.inWork() : undefined
    const offsets: CommittedOffset[] = []
    for (const { partition, position, start, lastEpoch = -1 } of this.#parts.fetcher.readers) {
      if (start !== undefined) continue // it was not found yet where to begin
      const offset = inWork?.partition === partition ? inWork.offset : position
      if (this.#committed.get(partition) !== offset)
        offsets.push({ topic: this.#parts.topic, partition, offset, leaderEpoch: lastEpoch, metadata: '' })
    }
    if (offsets.length === 0) return
    await this.#membership.commit(offsets)
    for (const { partition, offset } of offsets) this.#committed.set(partition, offset)
  }

  #commitLater(): void {
    if (this.#ended) return
    const { clock } = this.#parts.log
    this.#committing = clock.after(COMMIT_INTERVAL_MS, () => {
      const { pollMsMax = POLL_MS_MAX } = this.#parts.options
      const silentMs = clock.monotonicMs() - this.#polledAtMs
      if (this.#parts.inWork() !== undefined && silentMs > pollMsMax) {
        const message = `group ${this.#parts.group}: no record was asked for in ${pollMsMax} ms: the partitions go to others`
        this.#parts.onFailure(new AtollError('consumer_stalled', message, { operation: 'group_consume', outcome: 'definite' }))
        void this.end()
        return
      }
      const done = this.#auto && this.#hasAssignment ? this.#commitQuietly() : Promise.resolve()
      void done.then(() => this.#commitLater())
    })
  }
}
