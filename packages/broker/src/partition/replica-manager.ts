// All replicas of one broker, and what connects them with those of others: a fetcher per leader, a session per follower, the
// consumers that wait, and one order of deadlines instead of a timer for each. It does nothing by itself: what is to be sent,
// read or written goes to the driver, and `flush` gathers what one turn of the event loop brought.
import type { NodeId } from '@atoll/base'
import { assert, present } from '@atoll/base'
import type { LeaderEpoch, Offset } from '@atoll/records'
import type { IsrProposal } from './assignment.ts'
import { Deadlines } from './deadlines.ts'
import type { Answer, Cut, Effects, ReplicaEvent, ResignReason } from './effects.ts'
import type { DurableReport, FetchRequest, FetchResponse, ReceivedResponse } from './fetch-messages.ts'
import type { ColdRead } from './fetch-session.ts'
import { FetchSessions } from './fetch-sessions.ts'
import type { FetchPosition, Input } from './inputs.ts'
import type { Replica } from './replica.ts'
import { type FetcherSettings, ReplicaFetcher } from './replica-fetcher.ts'
import { type WaitingFetch, WaitingFetches } from './waiting-fetches.ts'

/** What the driver does for it. None of these may call back before they return. */
export interface ReplicaDriver<Key> {
  fetch(leader: NodeId, request: FetchRequest<Key>): void
  respond(follower: NodeId, response: FetchResponse<Key>): void
  report(leader: NodeId, reports: readonly DurableReport<Key>[]): void
  propose(key: Key, proposal: IsrProposal): void
  resign(key: Key, leaderEpoch: LeaderEpoch, reason: ResignReason): void
  /** Begin now; `cut_done` when it is durable. */
  cut(key: Key, cut: Cut): void
  trim(key: Key, to: Offset): void
  /** Read for a follower's session; then `loaded`. */
  read(follower: NodeId, session: number, cold: ColdRead<Key>): void
  answer(key: Key, answer: Answer): void
  /** These consumers' fetches are to be answered with what there is. */
  fetchesReady(fetchIds: readonly number[]): void
  /** The log has what is not durable yet. */
  unsynced(key: Key): void
  event(key: Key, event: ReplicaEvent): void
}

interface Entry<Key> {
  readonly key: Key
  readonly replica: Replica
  readonly number: number
  /** When it wants its tick. */
  wakeAtMs: number
  /** For when a deadline is in the heap. */
  scheduledAtMs: number
  followed: NodeId | undefined
}

export class ReplicaManager<Key> {
  readonly #driver: ReplicaDriver<Key>
  readonly #fetcherSettings: FetcherSettings
  readonly #entries = new Map<Key, Entry<Key>>()
  readonly #byNumber = new Map<number, Entry<Key>>()
  readonly #fetchers = new Map<NodeId, ReplicaFetcher<Key>>()
  readonly #sessions: FetchSessions<Key>
  readonly #waiting = new WaitingFetches<Key>()
  readonly #deadlines = new Deadlines()
  #numbers = 0
  #fetcherSession = 1
  #now = 0

  constructor(driver: ReplicaDriver<Key>, fetcherSettings: FetcherSettings) {
    this.#driver = driver
    this.#fetcherSettings = fetcherSettings
    this.#sessions = new FetchSessions((follower, brokerEpoch) => ({
      check: (key, position) => this.#check(key, follower, brokerEpoch, position),
      read: (key, position, bytesMax) => {
        const replica = this.#entries.get(key)?.replica
        if (replica === undefined) return { kind: 'refused', reason: 'not_leader', logStart: 0 as Offset, highWatermark: 0 as Offset }
        return replica.readForFollower(position.leaderEpoch, position.fetchOffset, bytesMax)
      },
    }))
  }

  get keys(): Iterable<Key> {
    return this.#entries.keys()
  }

  replica(key: Key): Replica | undefined {
    return this.#entries.get(key)?.replica
  }

  add(key: Key, replica: Replica): void {
    assert(!this.#entries.has(key), 'a broker has one replica of a partition')
    const number = ++this.#numbers
    const entry = { key, replica, number, wakeAtMs: Number.POSITIVE_INFINITY, scheduledAtMs: Number.POSITIVE_INFINITY, followed: undefined }
    this.#entries.set(key, entry)
    this.#byNumber.set(number, entry)
  }

  remove(key: Key): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    if (entry.followed !== undefined) this.#fetchers.get(entry.followed)?.remove(key)
    this.#entries.delete(key)
    this.#byNumber.delete(entry.number)
    this.#sessions.advanced(key)
    this.#ready(this.#waiting.disturbed(key))
  }

  step(key: Key, input: Input, now: number): void {
    this.#now = now
    const entry = this.#entries.get(key)
    if (entry !== undefined) this.#apply(entry, entry.replica.step(input, now))
  }

  /** A sync ended: these logs' durable ends rose. */
  synced(keys: Iterable<Key>, now: number): void {
    for (const key of keys) {
      this.step(key, { kind: 'durable' }, now)
      const followed = this.#entries.get(key)?.followed
      if (followed !== undefined) this.#fetchers.get(followed)?.synced(key)
    }
  }

  /** A follower's request. */
  receiveFetch(follower: NodeId, brokerEpoch: number, request: FetchRequest<Key>, now: number): void {
    this.#now = now
    const refusal = this.#sessions.receive(follower, brokerEpoch, request, now)
    if (refusal !== undefined) this.#driver.respond(follower, refusal)
  }

  /** Without a report the follower asks for its held fetch to be answered. */
  receiveReports(follower: NodeId, brokerEpoch: number, reports: readonly DurableReport<Key>[], now: number): void {
    if (reports.length === 0) this.#sessions.of(follower)?.letGo()
    for (const { key, leaderEpoch, durableEnd } of reports)
      this.step(key, { kind: 'follower_durable', follower, brokerEpoch, leaderEpoch, durableEnd }, now)
  }

  /** A leader's answer. */
  fetchAnswered(leader: NodeId, response: ReceivedResponse<Key>, now: number): void {
    for (const { key, fetched } of this.#fetchers.get(leader)?.answered(response, now) ?? []) this.step(key, fetched, now)
  }

  /** No answer came to that request, or its connection is gone. */
  fetchFailed(leader: NodeId, request: Pick<FetchRequest<Key>, 'session' | 'sequence'>, now: number): void {
    const fetcher = this.#fetchers.get(leader)
    if (fetcher?.waitsFor(request)) fetcher.failed(now)
  }

  /** What was read for a follower; an empty list when it could not be. */
  loaded(follower: NodeId, session: number, cold: ColdRead<Key>, batches: readonly Uint8Array[]): void {
    const known = this.#sessions.of(follower)
    if (known?.session === session) known.loaded(cold.key, cold.from, batches)
  }

  /** A consumer found too little. False when it is to be answered at once all the same. */
  wait(fetch: WaitingFetch<Key>): boolean {
    return this.#waiting.add(fetch)
  }

  /** Its connection is gone. */
  forgetWaiting(fetchId: number): void {
    this.#waiting.remove(fetchId)
  }

  /** Something that concerns all of them happened. */
  stepAll(input: Input, now: number): void {
    for (const key of this.#entries.keys()) this.step(key, input, now)
  }

  /** Does what is due, and sends what came together. */
  flush(now: number): void {
    this.#now = now
    for (let number = this.#deadlines.takeDue(now); number !== undefined; number = this.#deadlines.takeDue(now)) this.#due(number, now)
    this.#ready(this.#waiting.expired(now))
    for (const [follower, { session }] of this.#sessions.all) {
      const colds: ColdRead<Key>[] = []
      const response = session.answer(now, colds)
      for (const cold of colds) this.#driver.read(follower, session.session, cold)
      if (response !== undefined) this.#driver.respond(follower, response)
    }
    for (const [leader, fetcher] of this.#fetchers) {
      const request = fetcher.next(now)
      if (request !== undefined) this.#driver.fetch(leader, request)
      const reports = fetcher.takeReports()
      if (reports.length > 0) this.#driver.report(leader, reports)
      if (fetcher.takeImpatience()) this.#driver.report(leader, [])
    }
  }

  /** When `flush` is due, if nothing happens before. */
  get nextAt(): number {
    let next = Math.min(this.#deadlines.nextMs, this.#waiting.nextDeadlineMs, this.#sessions.nextDeadlineMs)
    for (const fetcher of this.#fetchers.values()) next = Math.min(next, fetcher.nextAt)
    return next
  }

  #check(key: Key, follower: NodeId, brokerEpoch: number, position: FetchPosition) {
    const entry = this.#entries.get(key)
    if (entry === undefined) return { kind: 'refused', reason: 'not_leader' } as const
    const effects = entry.replica.step({ kind: 'follower_fetch', follower, brokerEpoch, position }, this.#now)
    this.#apply(entry, effects)
    return present(effects.check, 'the check of a fetch')
  }

  #apply(entry: Entry<Key>, effects: Effects): void {
    const { key, replica } = entry
    const driver = this.#driver
    for (const event of effects.events) {
      driver.event(key, event)
      if (event.kind === 'became_leader' || event.kind === 'became_follower' || event.kind === 'became_idle') this.#roleChanged(entry)
    }
    if (effects.cut !== undefined) driver.cut(key, effects.cut)
    if (effects.logEndMoved) {
      driver.unsynced(key)
      this.#sessions.advanced(key)
    }
    if (effects.highWatermarkMoved) {
      this.#sessions.committed(key)
      if (replica.isLeader) this.#ready(this.#waiting.advanced(key, Math.max(1, effects.committedBytes)))
    }
    if (effects.positionMoved) this.#positionMoved(entry)
    if (effects.trim !== undefined) {
      driver.trim(key, effects.trim)
      this.#sessions.committed(key)
    }
    if (effects.proposal !== undefined) driver.propose(key, effects.proposal)
    if (effects.resignation !== undefined) driver.resign(key, replica.leaderEpoch, effects.resignation)
    for (const answer of effects.answers) driver.answer(key, answer)
    entry.wakeAtMs = effects.wakeAtMs
    this.#schedule(entry)
  }

  /** Followers of this partition and consumers that wait for it have to look elsewhere. */
  #roleChanged({ key, replica }: Entry<Key>): void {
    this.#sessions.advanced(key)
    this.#ready(this.#waiting.disturbed(key))
    if (replica.isLeader) this.#driver.unsynced(key)
  }

  #positionMoved(entry: Entry<Key>): void {
    const { key, replica } = entry
    const { leader } = replica
    if (entry.followed !== leader) {
      if (entry.followed !== undefined) this.#fetchers.get(entry.followed)?.remove(key)
      entry.followed = leader
      if (leader !== undefined) this.#fetcherOf(leader).add(key)
    } else if (leader !== undefined) this.#fetcherOf(leader).changed(key)
    if (leader !== undefined) this.#driver.unsynced(key)
  }

  #fetcherOf(leader: NodeId): ReplicaFetcher<Key> {
    const known = this.#fetchers.get(leader)
    if (known !== undefined) return known
    const replicas = {
      position: (key: Key) => this.#entries.get(key)?.replica.position,
      durableReport: (key: Key) => this.#entries.get(key)?.replica.durableReport,
    }
    const fetcher = new ReplicaFetcher(leader, replicas, this.#fetcherSettings, this.#fetcherSession)
    this.#fetchers.set(leader, fetcher)
    return fetcher
  }

  #due(number: number, now: number): void {
    const entry = this.#byNumber.get(number)
    if (entry === undefined) return
    entry.scheduledAtMs = Number.POSITIVE_INFINITY
    if (entry.wakeAtMs <= now) this.step(entry.key, { kind: 'tick' }, now)
    else this.#schedule(entry)
  }

  #schedule(entry: Entry<Key>): void {
    if (entry.wakeAtMs >= entry.scheduledAtMs) return
    entry.scheduledAtMs = entry.wakeAtMs
    this.#deadlines.add(entry.wakeAtMs, entry.number)
  }

  #ready(fetchIds: readonly number[]): void {
    if (fetchIds.length > 0) this.#driver.fetchesReady(fetchIds)
  }
}
