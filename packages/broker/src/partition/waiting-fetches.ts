// Fetches of consumers that found too little and wait for more (Kafka's purgatory). One structure for all partitions of a
// broker, with a bound and without timers: a partition that advances names who waits for it, the next deadline is asked for.
import { assert } from '@atoll/base'
import { Deadlines } from './deadlines.ts'
import { FETCHES_WAITING_MAX, WAITING_PARTITIONS_MAX } from './limits.ts'

export interface WaitingFetch<Key> {
  readonly fetchId: number
  /** Answered once there are so many bytes more than when it began to wait. */
  readonly bytesMin: number
  readonly deadlineMs: number
  readonly partitions: readonly Key[]
}

interface Waiter<Key> {
  readonly fetch: WaitingFetch<Key>
  bytes: number
}

export class WaitingFetches<Key> {
  readonly #waiting = new Map<number, Waiter<Key>>()
  readonly #byPartition = new Map<Key, Set<Waiter<Key>>>()
  readonly #deadlines = new Deadlines()
  #partitions = 0

  get length(): number {
    return this.#waiting.size
  }

  get nextDeadlineMs(): number {
    return this.#waiting.size === 0 ? Number.POSITIVE_INFINITY : this.#deadlines.nextMs
  }

  /** False when no more may wait: the fetch is answered at once with what there is. */
  add(fetch: WaitingFetch<Key>): boolean {
    assert(!this.#waiting.has(fetch.fetchId), 'a fetch waits once')
    const { length } = fetch.partitions
    if (this.#deadlines.length >= FETCHES_WAITING_MAX || this.#partitions + length > WAITING_PARTITIONS_MAX) return false
    const waiter = { fetch, bytes: 0 }
    this.#waiting.set(fetch.fetchId, waiter)
    this.#deadlines.add(fetch.deadlineMs, fetch.fetchId)
    this.#partitions += length
    for (const key of fetch.partitions) {
      const others = this.#byPartition.get(key)
      if (others === undefined) this.#byPartition.set(key, new Set([waiter]))
      else others.add(waiter)
    }
    return true
  }

  /** So many bytes more can be read of a partition. Answers the fetches that have enough now, which leave. */
  advanced(key: Key, bytes: number): readonly number[] {
    const waiters = this.#byPartition.get(key)
    if (waiters === undefined) return NONE
    const done: number[] = []
    for (const waiter of waiters) {
      waiter.bytes += bytes
      if (waiter.bytes < waiter.fetch.bytesMin) continue
      done.push(waiter.fetch.fetchId)
      this.#leave(waiter)
    }
    return done
  }

  /** A partition changed its leader or its start: whoever waits for it has to hear of it. */
  disturbed(key: Key): readonly number[] {
    return this.advanced(key, Number.POSITIVE_INFINITY)
  }

  /** Those whose time is up, which leave. */
  expired(now: number): readonly number[] {
    const done: number[] = []
    for (let fetchId = this.#deadlines.takeDue(now); fetchId !== undefined; fetchId = this.#deadlines.takeDue(now))
      if (this.remove(fetchId)) done.push(fetchId)
    return done
  }

  /** Its connection is gone, say. False when it does not wait any more. */
  remove(fetchId: number): boolean {
    const waiter = this.#waiting.get(fetchId)
    if (waiter !== undefined) this.#leave(waiter)
    return waiter !== undefined
  }

  #leave(waiter: Waiter<Key>): void {
    const { fetchId, partitions } = waiter.fetch
    this.#waiting.delete(fetchId)
    this.#partitions -= partitions.length
    for (const key of partitions) {
      const others = this.#byPartition.get(key)
      others?.delete(waiter)
      if (others?.size === 0) this.#byPartition.delete(key)
    }
  }
}

const NONE: readonly number[] = []
