// A leader's side of copying: what one follower wants of all partitions the two have in common. It remembers positions, so
// that a request need only name what changed, and which partitions have news, so that an idle one costs nothing.
import { assert } from '@atoll/base'
import type { Offset } from '@atoll/records'
import type { FetchCheck } from './effects.ts'
import type { FetchRequest, FetchResponse, PartitionAnswer } from './fetch-messages.ts'
import type { FetchPosition } from './inputs.ts'
import { SESSION_PARTITIONS_MAX } from './limits.ts'
import type { Read } from './replica.ts'

/** The leader's replicas, as a session needs them. */
export interface ServedReplicas<Key> {
  /** Counts the position as the follower's progress, if it is one. */
  check(key: Key, position: FetchPosition): FetchCheck
  read(key: Key, position: FetchPosition, bytesMax: number): Read
}

/** What has to be read from the disk before the session can be answered; then `loaded`. */
export interface ColdRead<Key> {
  readonly key: Key
  readonly from: Offset
  /** Exclusive. */
  readonly end: Offset
  readonly bytesMax: number
}

interface Entry {
  position: FetchPosition
  check: FetchCheck
  /** It was answered, and says next where it stands now. */
  answered: boolean
  loading: boolean
  loaded: { readonly from: Offset; readonly batches: readonly Uint8Array[] } | undefined
  toldHighWatermark: number
  toldLogStart: number
}

interface Held {
  readonly sequence: number
  readonly bytesMax: number
  readonly deadlineMs: number
}

export class FetchSession<Key> {
  readonly session: number
  readonly #replicas: ServedReplicas<Key>
  readonly #entries = new Map<Key, Entry>()
  /** Partitions that may have records or an error for the follower, in turn. */
  readonly #ready = new Set<Key>()
  /** Partitions whose high watermark or start moved: told along with something else, or when the time is up. */
  readonly #quiet = new Set<Key>()
  #next = 0
  #held: Held | undefined

  constructor(session: number, replicas: ServedReplicas<Key>) {
    this.session = session
    this.#replicas = replicas
  }

  /** When the request that is held has to be answered. */
  get deadlineMs(): number {
    return this.#held?.deadlineMs ?? Number.POSITIVE_INFINITY
  }

  /** Takes the next request. False when it is not the one that follows: the session is over. */
  receive(request: FetchRequest<Key>, now: number): boolean {
    if (request.session !== this.session || request.sequence !== this.#next || this.#held !== undefined) return false
    if (Math.max(this.#entries.size, request.changed.length) > SESSION_PARTITIONS_MAX) return false
    this.#next++
    for (const key of request.forgotten) this.#forget(key)
    for (const { key, position } of request.changed) this.#moved(key, position)
    this.#held = { sequence: request.sequence, bytesMax: request.bytesMax, deadlineMs: now + request.maxWaitMs }
    return true
  }

  /** The follower wants to ask for something else: what is held is answered with what there is. */
  letGo(): void {
    if (this.#held !== undefined) this.#held = { ...this.#held, deadlineMs: Number.NEGATIVE_INFINITY }
  }

  /** A partition's log end moved, or it changed its leader. */
  advanced(key: Key): void {
    const entry = this.#entries.get(key)
    if (entry !== undefined && !entry.answered && !entry.loading) this.#ready.add(key)
  }

  /** A partition's high watermark or start moved. */
  committed(key: Key): void {
    if (this.#entries.has(key)) this.#quiet.add(key)
  }

  /** What was read for a `ColdRead`; an empty list when it could not be. */
  loaded(key: Key, from: Offset, batches: readonly Uint8Array[]): void {
    const entry = this.#entries.get(key)
    if (entry === undefined || !entry.loading || entry.position.fetchOffset !== from) return
    entry.loading = false
    entry.loaded = batches.length > 0 ? { from, batches } : undefined
    this.#ready.add(key)
  }

  /** The answer to the held request, once there is something to say; what has to be read first goes into `colds`. */
  answer(now: number, colds: ColdRead<Key>[]): FetchResponse<Key> | undefined {
    const held = this.#held
    if (held === undefined) return undefined
    const partitions: { key: Key; answer: PartitionAnswer }[] = []
    let bytesLeft = held.bytesMax
    for (const key of this.#ready) {
      if (bytesLeft <= 0) break
      this.#ready.delete(key)
      const entry = this.#entries.get(key) as Entry
      const answer = this.#answerOf(key, entry, bytesLeft, colds)
      if (answer === undefined) continue
      if (answer.kind === 'records') {
        for (const batch of answer.batches) bytesLeft -= batch.length
        this.#told(key, entry, answer)
      }
      entry.answered = true
      partitions.push({ key, answer })
    }
    if (partitions.length === 0 && now < held.deadlineMs) return undefined
    this.#addQuiet(partitions)
    this.#held = undefined
    return { session: this.session, sequence: held.sequence, unknownSession: false, partitions }
  }

  #moved(key: Key, position: FetchPosition): void {
    const check = this.#replicas.check(key, position)
    const known = this.#entries.get(key)
    if (known === undefined) {
      const entry = { position, check, answered: false, loading: false, loaded: undefined, toldHighWatermark: -1, toldLogStart: -1 }
      this.#entries.set(key, entry)
      this.#quiet.add(key)
    } else {
      if (known.position.fetchOffset !== position.fetchOffset || known.position.leaderEpoch !== position.leaderEpoch) {
        known.loading = false
        known.loaded = undefined
      }
      known.position = position
      known.check = check
      known.answered = false
    }
    if (known?.loading !== true) this.#ready.add(key)
  }

  #forget(key: Key): void {
    this.#entries.delete(key)
    this.#ready.delete(key)
    this.#quiet.delete(key)
  }

  /** What there is to say of a partition; undefined when nothing. */
  #answerOf(key: Key, entry: Entry, bytesMax: number, colds: ColdRead<Key>[]): PartitionAnswer | undefined {
    const { position, check, loaded } = entry
    if (check.kind !== 'accepted') return check
    const read = this.#replicas.read(key, position, bytesMax)
    switch (read.kind) {
      case 'refused':
        // The log changed since the position was checked.
        entry.check = this.#replicas.check(key, position)
        return entry.check.kind === 'accepted' ? undefined : entry.check
      case 'cold': {
        const { highWatermark, logStart, end } = read
        entry.loaded = undefined
        if (loaded !== undefined) return { kind: 'records', batches: loaded.batches, highWatermark, logStart }
        entry.loading = true
        colds.push({ key, from: position.fetchOffset, end, bytesMax })
        return undefined
      }
      case 'batches':
        return read.batches.length === 0 ? undefined : { ...read, kind: 'records' }
    }
  }

  #told(key: Key, entry: Entry, answer: { readonly highWatermark: Offset; readonly logStart: Offset }): void {
    entry.toldHighWatermark = answer.highWatermark
    entry.toldLogStart = answer.logStart
    this.#quiet.delete(key)
  }

  #addQuiet(partitions: { key: Key; answer: PartitionAnswer }[]): void {
    for (const key of this.#quiet) {
      const entry = this.#entries.get(key)
      assert(entry !== undefined, 'news is of a partition of the session')
      if (entry.answered || entry.check.kind !== 'accepted' || this.#ready.has(key)) continue
      this.#quiet.delete(key)
      // Reads nothing: from the log's end on, only the two positions are asked for.
      const read = this.#replicas.read(key, entry.position, 0)
      if (read.kind === 'refused') continue
      const { highWatermark, logStart } = read
      if (highWatermark === entry.toldHighWatermark && logStart === entry.toldLogStart) continue
      this.#told(key, entry, read)
      partitions.push({ key, answer: { kind: 'records', batches: [], highWatermark, logStart } })
    }
  }
}
