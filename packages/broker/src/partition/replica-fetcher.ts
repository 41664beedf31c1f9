// A follower's side of copying from one leader: one request for all partitions the two have in common, one in flight at a
// time, and in it only what changed since the last one. While it is held at the leader, syncs are reported beside it.
import type { NodeId } from '@atoll/base'
import type { Offset } from '@atoll/records'
import type { DurableReport, FetchRequest, ReceivedResponse } from './fetch-messages.ts'
import type { Fetched, FetchPosition } from './inputs.ts'

export interface FetcherSettings {
  /** Records in one answer, in bytes. */
  readonly fetchBytesMax: number
  /** How long the leader may hold an empty answer. */
  readonly fetchWaitMs: number
  /** After a fetch without an answer the next one goes out after this. */
  readonly fetchBackoffMs: number
}

export const defaultFetcherSettings: FetcherSettings = { fetchBytesMax: 8 * 1_048_576, fetchWaitMs: 1_000, fetchBackoffMs: 50 }

/** What this broker's replicas say, asked anew for each request. */
export interface FetchedReplicas<Key> {
  position(key: Key): FetchPosition | undefined
  durableReport(key: Key): Omit<DurableReport<Key>, 'key'> | undefined
}

interface Entry {
  /** What the leader knows of it in this session; undefined when nothing. */
  sent: FetchPosition | undefined
  /** The highest durable end the leader was told, in whichever way. */
  toldDurableEnd: Offset
}

export class ReplicaFetcher<Key> {
  readonly leader: NodeId
  readonly #settings: FetcherSettings
  readonly #replicas: FetchedReplicas<Key>
  readonly #entries = new Map<Key, Entry>()
  /** Partitions whose position has to be told. */
  readonly #changed = new Set<Key>()
  /** Partitions with a sync that has to be told. */
  readonly #synced = new Set<Key>()
  /** Partitions of the session that are not followed here any more. */
  readonly #forgotten = new Set<Key>()
  #session: number
  #sequence = 0
  #inFlight = false
  /** Something came up that the request in flight does not ask for. */
  #wantsMore = false
  #notBeforeMs = 0

  /** `session` is higher than that of any fetcher before it in the life of this process. */
  constructor(leader: NodeId, replicas: FetchedReplicas<Key>, settings: FetcherSettings, session = 1) {
    this.leader = leader
    this.#replicas = replicas
    this.#settings = settings
    this.#session = session
  }

  get size(): number {
    return this.#entries.size
  }

  get session(): number {
    return this.#session
  }

  /** When `next` may have something, if it has nothing now. */
  get nextAt(): number {
    return this.#inFlight || !this.#hasNews ? Number.POSITIVE_INFINITY : this.#notBeforeMs
  }

  add(key: Key): void {
    if (!this.#entries.has(key)) this.#entries.set(key, { sent: undefined, toldDurableEnd: 0 as Offset })
    this.#forgotten.delete(key)
    this.changed(key)
  }

  remove(key: Key): void {
    const entry = this.#entries.get(key)
    if (entry?.sent !== undefined) this.#forgotten.add(key)
    this.#entries.delete(key)
    this.#changed.delete(key)
    this.#synced.delete(key)
  }

  /** The replica's position moved, or it asks for the same again. */
  changed(key: Key): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#changed.add(key)
    if (this.#inFlight && !this.#wantsMore) this.#wantsMore = isOtherThan(entry.sent, this.#replicas.position(key))
  }

  /** A sync of the replica's log ended. */
  synced(key: Key): void {
    if (!this.#entries.has(key)) return
    this.#synced.add(key)
    this.#changed.add(key)
  }

  /** The request to send now; undefined when one is in flight, or there is nothing to ask. */
  next(now: number): FetchRequest<Key> | undefined {
    if (this.#inFlight || now < this.#notBeforeMs || !this.#hasNews) return undefined
    const changed: { key: Key; position: FetchPosition }[] = []
    const forgotten = [...this.#forgotten]
    this.#forgotten.clear()
    for (const key of this.#changed) {
      const entry = this.#entries.get(key) as Entry
      const position = this.#replicas.position(key)
      if (position !== undefined) {
        changed.push({ key, position })
        entry.toldDurableEnd = position.durableEnd
      } else if (entry.sent !== undefined) forgotten.push(key)
      entry.sent = position
    }
    this.#changed.clear()
    this.#synced.clear()
    // A session without partitions would be held at the leader for nothing.
    if (!this.#asks) return undefined
    this.#inFlight = true
    this.#wantsMore = false
    const { fetchBytesMax: bytesMax, fetchWaitMs: maxWaitMs } = this.#settings
    return { session: this.#session, sequence: this.#sequence++, changed, forgotten, bytesMax, maxWaitMs }
  }

  /** What each replica is to be told of an answer, with the position it answers. */
  answered(response: ReceivedResponse<Key>, now: number): readonly { readonly key: Key; readonly fetched: Fetched }[] {
    if (!this.waitsFor(response)) return []
    if (response.unknownSession) {
      this.failed(now)
      return []
    }
    this.#inFlight = false
    const fetched: { key: Key; fetched: Fetched }[] = []
    for (const { key, result } of response.partitions) {
      const position = this.#entries.get(key)?.sent
      if (position === undefined) continue
      fetched.push({ key, fetched: { kind: 'fetched', from: this.leader, position, result } })
      // The leader sends nothing more of it before it hears where the replica stands now.
      this.#changed.add(key)
    }
    return fetched
  }

  /** True while that request has no answer. */
  waitsFor({ session, sequence }: Pick<FetchRequest<Key>, 'session' | 'sequence'>): boolean {
    return this.#inFlight && session === this.#session && sequence === this.#sequence - 1
  }

  /** No answer came, or the connection is gone: everything is told anew. */
  failed(now: number): void {
    this.#inFlight = false
    this.#session++
    this.#sequence = 0
    this.#forgotten.clear()
    this.#notBeforeMs = now + this.#settings.fetchBackoffMs
    for (const [key, entry] of this.#entries) {
      entry.sent = undefined
      entry.toldDurableEnd = 0 as Offset
      this.#changed.add(key)
    }
  }

  /** Syncs to report beside the request that is in flight, each once. */
  takeReports(): readonly DurableReport<Key>[] {
    if (!this.#inFlight || this.#synced.size === 0) return []
    const reports: DurableReport<Key>[] = []
    for (const key of this.#synced) {
      const entry = this.#entries.get(key)
      const report = this.#replicas.durableReport(key)
      if (entry === undefined || report === undefined || report.durableEnd <= entry.toldDurableEnd) continue
      entry.toldDurableEnd = report.durableEnd
      reports.push({ key, ...report })
    }
    this.#synced.clear()
    return reports
  }

  /** True, once, when the leader should not hold the request in flight any longer: nothing else can be asked before its answer. */
  takeImpatience(): boolean {
    const isImpatient = this.#inFlight && this.#wantsMore
    if (isImpatient) this.#wantsMore = false
    return isImpatient
  }

  get #hasNews(): boolean {
    return this.#changed.size > 0 || this.#forgotten.size > 0 || this.#asks
  }

  /** True while the leader is asked for anything. */
  get #asks(): boolean {
    for (const { sent } of this.#entries.values()) if (sent !== undefined) return true
    return false
  }
}

/** True when it asks for something else than before; a sync alone is told beside it. */
function isOtherThan(sent: FetchPosition | undefined, position: FetchPosition | undefined): boolean {
  return position !== undefined && (sent?.fetchOffset !== position.fetchOffset || sent.leaderEpoch !== position.leaderEpoch)
}
