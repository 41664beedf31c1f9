// The partitions that one broker has copies of, on its disk and on the wire: it opens their logs, obeys what the controller
// commits about them, and does for their replicas what takes time. Everything a turn of the event loop brings is gathered
// and sent at its end.
import { type Clock, type Compute, type Disk, InvariantError, type Logger, type NodeId, present, type Timer } from '@atoll/base'
import type { LogStore } from '@atoll/commit-log'
import {
  type logDurableEnds,
  type logReplicaFetch,
  type MessageOf,
  type PartitionRecord,
  ProtocolError,
  type RequestOf,
  type ResponseOf,
} from '@atoll/protocol'
import type { BatchHeader, Offset } from '@atoll/records'
import {
  assignmentOf,
  type PartitionKey,
  reportsFromWire,
  reportsToWire,
  requestFromWire,
  requestToWire,
  responseFromWire,
  responseToWire,
} from './adapters/fetch-wire.ts'
import { type DiskPartitionLog, openPartitionLog } from './adapters/partition-log.ts'
import type { Assignment, IsrProposal, ProposalAnswer, Registrations } from './partition/assignment.ts'
import type { Cut, ReplicaEvent, ResignReason } from './partition/effects.ts'
import type { FetchRequest, FetchResponse } from './partition/fetch-messages.ts'
import type { ColdRead } from './partition/fetch-session.ts'
import type { Acks } from './partition/inputs.ts'
import { Replica } from './partition/replica.ts'
import type { FetcherSettings } from './partition/replica-fetcher.ts'
import { type ReplicaDriver, ReplicaManager } from './partition/replica-manager.ts'
import type { ReplicaSettings } from './partition/settings.ts'
import { PendingAnswers, type Produced } from './pending-answers.ts'

export type { Produced } from './pending-answers.ts'

/** The other brokers. */
export interface BrokerLinks {
  /** Rejects with a ProtocolError. */
  fetch(leader: NodeId, request: RequestOf<typeof logReplicaFetch>, timeoutMs: number): Promise<ResponseOf<typeof logReplicaFetch>>
  /** What cannot be sent is lost: the next fetch says it again. */
  report(leader: NodeId, ends: MessageOf<typeof logDurableEnds>): void
}

/** The controller. */
export interface ControllerLink {
  /** Never rejects: what came of it in vain is `unavailable`. */
  propose(key: PartitionKey, proposal: IsrProposal): Promise<ProposalAnswer>
  /** Another in-sync replica should lead. Said again while it is so. */
  resign(key: PartitionKey, reason: ResignReason): void
}

export interface PartitionHostOptions {
  readonly self: NodeId
  readonly disk: Disk
  readonly clock: Clock
  readonly compute: Pick<Compute, 'crc32c'>
  readonly log: Logger
  readonly store: LogStore
  /** On the disk: where snapshots of producers are. */
  readonly snapshotDirectory: string
  readonly registrations: Registrations
  readonly links: BrokerLinks
  readonly controller: ControllerLink
  readonly settings: ReplicaSettings
  readonly fetcher: FetcherSettings
  /** A replica leads, or leads no more. Nothing may be done about it in the same turn. */
  readonly roleChanged?: (key: PartitionKey) => void
  /** A log takes nothing more, because of what its disk did; closed and opened again it may. */
  readonly logFailed?: (key: PartitionKey) => void
}

interface Hosted {
  readonly log: DiskPartitionLog
  readonly replica: Replica
}

/** A follower's fetch that is held: there is one of each. */
interface HeldFetch {
  readonly session: number
  readonly sequence: number
  readonly resolve: (response: ResponseOf<typeof logReplicaFetch>) => void
}

/** A leader answers within what it may hold a fetch, and this. */
const FETCH_SLACK_MS = 2_000

export class PartitionHost {
  readonly #options: PartitionHostOptions
  readonly #manager: ReplicaManager<PartitionKey>
  readonly #hosted = new Map<PartitionKey, Hosted>()
  readonly #opening = new Map<PartitionKey, Promise<boolean>>()
  readonly #answers = new PendingAnswers()
  readonly #held = new Map<NodeId, HeldFetch>()
  readonly #readers = new Map<number, () => void>()
  readonly #durable = new Set<PartitionKey>()
  /** Copies that lost something and do not have it again. */
  readonly #owing = new Set<PartitionKey>()
  #requests = 0
  #flushes = false
  #timer: { readonly atMs: number; readonly timer: Timer } | undefined
  #closed = false

  constructor(options: PartitionHostOptions) {
    this.#options = options
    this.#manager = new ReplicaManager<PartitionKey>(this.#driver(), options.fetcher)
  }

  get keys(): Iterable<PartitionKey> {
    return this.#hosted.keys()
  }

  /** For reading: what changes it goes through the host. Undefined while the partition is not open here. */
  replica(key: PartitionKey): Replica | undefined {
    return this.#hosted.get(key)?.replica
  }

  log(key: PartitionKey): DiskPartitionLog | undefined {
    return this.#hosted.get(key)?.log
  }

  /**
   * Opens the copy of a partition, or makes an empty one. True when it lost something that was durable: the controller has to
   * know before this broker says that it is ready. Rejects when its files cannot be used at all.
   */
  open(key: PartitionKey, { minIsr, flush }: Pick<PartitionRecord, 'minIsr' | 'flush'>, segmentBytes?: number): Promise<boolean> {
    const known = this.#opening.get(key)
    if (known !== undefined) return known
    const opening = this.#open(key, minIsr, flush, segmentBytes)
    this.#opening.set(key, opening)
    // What could not be opened may be tried again.
    opening.catch(() => this.#opening.delete(key))
    return opening
  }

  /** What the controller committed about an open partition. `registration` is this broker's own. */
  assign(key: PartitionKey, record: PartitionRecord, registration: number): void {
    const hosted = this.#hosted.get(key)
    if (hosted === undefined) return
    hosted.log.setFlush(record.flush)
    this.#step(key, { kind: 'configure', minInSyncReplicas: record.minIsr })
    this.#step(key, { kind: 'assign', assignment: assignmentOf(record, this.#options.self, registration) })
  }

  /** Lets go of a copy that stays on the disk. */
  async close(key: PartitionKey): Promise<void> {
    const hosted = this.#hosted.get(key)
    if (hosted === undefined) return
    this.#idle(key, hosted)
    this.#hosted.delete(key)
    this.#opening.delete(key)
    this.#manager.remove(key)
    await hosted.log.close(hosted.replica.producers)
  }

  /** Lets go of everything; the store is its owner's to close. */
  async closeAll(): Promise<void> {
    this.#closed = true
    this.#timer?.timer.cancel()
    for (const { resolve } of this.#held.values()) resolve(unknownSession)
    this.#held.clear()
    for (const done of this.#readers.values()) done()
    await Promise.all([...this.#hosted.keys()].map(key => this.close(key)))
  }

  /** This broker was registered anew, before it hears what became of all that it led. */
  registered(): void {
    for (const key of this.#hosted.keys()) this.#step(key, { kind: 'registered' })
  }

  /** A registration changed. */
  brokersChanged(): void {
    for (const key of this.#hosted.keys()) this.#step(key, { kind: 'brokers_changed' })
  }

  /** Appends a batch that was checked; it belongs to the log from here on. Rejects with the errors of `log_produce`. */
  produce(key: PartitionKey, batch: Uint8Array, header: BatchHeader, acks: Acks, timeoutMs: number): Promise<Produced | undefined> {
    if (this.#closed) return Promise.reject(new ProtocolError('shutting_down'))
    if (!this.#hosted.has(key)) return Promise.reject(new ProtocolError('not_partition_leader'))
    const requestId = ++this.#requests
    const deadlineMs = this.#now() + timeoutMs
    const step = (): void => this.#step(key, { kind: 'produce', requestId, batch, header, acks, deadlineMs })
    if (acks === 'none') {
      step()
      return Promise.resolve(undefined)
    }
    return this.#answers.produced(requestId, step)
  }

  /** Deletes what lies before an offset, on every live replica; undefined is the high watermark. Answers where they all begin. */
  deleteRecords(key: PartitionKey, before: Offset | undefined, timeoutMs: number): Promise<Offset> {
    if (!this.#hosted.has(key)) return Promise.reject(new ProtocolError('not_partition_leader'))
    const requestId = ++this.#requests
    const deadlineMs = this.#now() + timeoutMs
    return this.#answers.deleted(requestId, () => this.#step(key, { kind: 'delete_records', requestId, before, deadlineMs }))
  }

  /** Retention wants nothing before `from`; only a leader's counts. */
  retain(key: PartitionKey, from: Offset): void {
    this.#step(key, { kind: 'retain', from })
  }

  /** The broker is about to stop: whatever it leads, others should. */
  resignAll(): void {
    for (const key of this.#hosted.keys()) this.#step(key, { kind: 'resign' })
  }

  /** Resolves when any of the partitions has `bytesMin` more to read or another leader, or when the time is up. */
  more(partitions: readonly PartitionKey[], bytesMin: number, maxWaitMs: number): Promise<void> {
    return new Promise(resolve => {
      const fetchId = ++this.#requests
      const waits = !this.#closed && this.#manager.wait({ fetchId, bytesMin, deadlineMs: this.#now() + maxWaitMs, partitions })
      if (!waits) return resolve()
      this.#readers.set(fetchId, resolve)
      this.#flushSoon()
    })
  }

  /** Answers a follower's fetch, when there is something to say. */
  replicaFetch(follower: NodeId, request: RequestOf<typeof logReplicaFetch>): Promise<ResponseOf<typeof logReplicaFetch>> {
    return new Promise(resolve => {
      if (this.#closed) return resolve(unknownSession)
      this.#held.get(follower)?.resolve(unknownSession)
      const { session, sequence, brokerEpoch } = request
      this.#held.set(follower, { session, sequence, resolve })
      this.#manager.receiveFetch(follower, brokerEpoch, requestFromWire(request), this.#now())
      this.#flushSoon()
    })
  }

  durableEnds(follower: NodeId, message: MessageOf<typeof logDurableEnds>): void {
    this.#manager.receiveReports(follower, message.brokerEpoch, reportsFromWire(message), this.#now())
    this.#flushSoon()
  }

  async #open(key: PartitionKey, minInSyncReplicas: number, flush: PartitionRecord['flush'], segmentBytes?: number): Promise<boolean> {
    const { self, disk, clock, compute, store, snapshotDirectory, registrations, settings } = this.#options
    const name = key.replace('/', '-')
    const { log, producers, isDamaged } = await openPartitionLog({
      store,
      disk,
      clock,
      crc32c: (bytes, before) => compute.crc32c(bytes, before),
      name,
      snapshotDirectory: `${snapshotDirectory}/${name}`,
      flush,
      ...(segmentBytes !== undefined && { segmentBytes }),
      onDurable: () => {
        this.#durable.add(key)
        this.#flushSoon()
      },
      onFailure: () => {
        this.#step(key, { kind: 'log_failed' })
        this.#options.logFailed?.(key)
      },
    })
    const replica = new Replica({ self, log, producers, registrations, settings, minInSyncReplicas })
    this.#hosted.set(key, { log, replica })
    this.#manager.add(key, replica)
    if (isDamaged) this.#owing.add(key)
    return isDamaged
  }

  #now(): number {
    return this.#options.clock.monotonicMs()
  }

  #step(key: PartitionKey, input: Parameters<Replica['step']>[0]): void {
    this.#manager.step(key, input, this.#now())
    this.#flushSoon()
  }

  /** Nobody may be left waiting for a copy that is let go of. */
  #idle(key: PartitionKey, { replica }: Hosted): void {
    const { leaderEpoch, partitionEpoch } = replica.status
    const assignment: Assignment = {
      leaderEpoch: (leaderEpoch + 1) as Assignment['leaderEpoch'],
      partitionEpoch: partitionEpoch + 1,
      leader: undefined,
      replicas: [],
      isr: [],
      uncleanEpoch: undefined,
    }
    this.#step(key, { kind: 'assign', assignment })
  }

  #flushSoon(): void {
    if (this.#flushes || this.#closed) return
    this.#flushes = true
    this.#options.clock.endOfTurn(() => {
      this.#flushes = false
      if (!this.#closed) this.#flush()
    })
  }

  #flush(): void {
    const now = this.#now()
    if (this.#durable.size > 0) {
      const keys = [...this.#durable]
      this.#durable.clear()
      this.#manager.synced(keys, now)
      this.#takeSnapshots(keys)
    }
    if (this.#owing.size > 0) this.#settleDebts()
    this.#manager.flush(now)
    this.#wakeAt(this.#manager.nextAt)
  }

  #takeSnapshots(keys: readonly PartitionKey[]): void {
    for (const key of keys) {
      const hosted = this.#hosted.get(key)
      if (hosted?.log.snapshotIsDue === true) void this.#attempt(key, 'snapshot', () => hosted.log.takeSnapshot(hosted.replica.producers))
    }
  }

  /** What is committed and on this disk is what it owed, as far as it goes. */
  #settleDebts(): void {
    for (const key of this.#owing) {
      const hosted = this.#hosted.get(key)
      if (hosted === undefined || !hosted.log.owes) this.#owing.delete(key)
      else {
        const end = Math.min(hosted.replica.highWatermark, hosted.log.durableEnd) as Offset
        void this.#attempt(key, 'settle', () => hosted.log.settleDebt(end))
      }
    }
  }

  /** One timer for all partitions. */
  #wakeAt(atMs: number): void {
    if (this.#timer !== undefined && this.#timer.atMs <= atMs) return
    this.#timer?.timer.cancel()
    this.#timer = undefined
    if (atMs === Number.POSITIVE_INFINITY) return
    const timer = this.#options.clock.after(Math.max(0, atMs - this.#now()), () => {
      this.#timer = undefined
      this.#flushSoon()
    })
    this.#timer = { atMs, timer }
  }

  #driver(): ReplicaDriver<PartitionKey> {
    return {
      fetch: (leader, request) => void this.#fetch(leader, request),
      respond: (follower, response) => this.#respond(follower, response),
      report: (leader, reports) => this.#options.links.report(leader, reportsToWire(reports, this.#ownEpoch())),
      propose: (key, proposal) => void this.#propose(key, proposal),
      resign: (key, _leaderEpoch, reason) => this.#options.controller.resign(key, reason),
      cut: (key, cut) => void this.#cut(key, cut),
      trim: (key, to) => void this.#attempt(key, 'trim', () => present(this.log(key), 'the log of a replica').trim(to)),
      read: (follower, session, cold) => void this.#read(follower, session, cold),
      answer: (_key, answer) => this.#answers.answer(answer),
      fetchesReady: fetchIds => this.#wakeReaders(fetchIds),
      // The log syncs by itself, and says when it did.
      unsynced: () => undefined,
      event: (key, event) => this.#note(key, event),
    }
  }

  #ownEpoch(): number {
    const { registrations, self } = this.#options
    return registrations.brokerEpoch(self) ?? 0
  }

  async #fetch(leader: NodeId, request: FetchRequest<PartitionKey>): Promise<void> {
    try {
      const answer = await this.#options.links.fetch(leader, requestToWire(request, this.#ownEpoch()), request.maxWaitMs + FETCH_SLACK_MS)
      this.#manager.fetchAnswered(leader, responseFromWire(answer, request), this.#now())
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#manager.fetchFailed(leader, request, this.#now())
    }
    this.#flushSoon()
  }

  #respond(follower: NodeId, response: FetchResponse<PartitionKey>): void {
    const held = this.#held.get(follower)
    if (held === undefined || held.session !== response.session || held.sequence !== response.sequence) return
    this.#held.delete(follower)
    held.resolve(responseToWire(response))
  }

  async #propose(key: PartitionKey, proposal: IsrProposal): Promise<void> {
    const answer = await this.#options.controller.propose(key, proposal)
    this.#step(key, { kind: 'proposal_answered', answer })
  }

  async #cut(key: PartitionKey, cut: Cut): Promise<void> {
    await this.#attempt(key, 'cut', async () => {
      const producers = await present(this.log(key), 'the log of a replica').cut(cut)
      this.#step(key, { kind: 'cut_done', producers })
    })
  }

  async #read(follower: NodeId, session: number, cold: ColdRead<PartitionKey>): Promise<void> {
    let batches: readonly Uint8Array[] = []
    await this.#attempt(cold.key, 'read', async () => {
      batches = (await this.log(cold.key)?.readCold(cold.from, cold.end, cold.bytesMax)) ?? []
    })
    this.#manager.loaded(follower, session, cold, batches)
    this.#flushSoon()
  }

  /** What a disk failed to do, a person has to know; the log itself says what it means for the replica. */
  async #attempt(key: PartitionKey, what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (error instanceof InvariantError) throw error
      if (!this.#closed)
        this.#options.log.error({ event: 'partition_disk', partition: key, what, reason: String(error) }, 'a partition’s disk')
    }
  }

  #wakeReaders(fetchIds: readonly number[]): void {
    for (const fetchId of fetchIds) {
      this.#readers.get(fetchId)?.()
      this.#readers.delete(fetchId)
    }
  }

  #note(key: PartitionKey, event: ReplicaEvent): void {
    const { log, roleChanged } = this.#options
    if (event.kind === 'became_leader' || event.kind === 'became_follower' || event.kind === 'became_idle') roleChanged?.(key)
    if (event.kind === 'committed_missing') log.error({ partition: key, event: event.kind, ...event }, 'the leader lacks committed records')
    else if (event.kind === 'invalid_records')
      log.warn({ partition: key, event: event.kind, from: event.from }, 'records that do not belong')
    else log.info({ partition: key, event: event.kind }, 'a replica changed its role')
  }
}

const unknownSession: ResponseOf<typeof logReplicaFetch> = { unknownSession: true, partitions: [], attachment: new Uint8Array() }
