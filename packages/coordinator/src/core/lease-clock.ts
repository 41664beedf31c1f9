// When leases are over, as the leader's own clock has it. Nothing of this is replicated. A new leader begins a full term for
// every lease, because it does not know what its predecessor heard; it starts once everything of earlier terms is applied,
// so no expiry proposed by a predecessor can still end a lease whose owner it has answered. A term may thus be longer than
// promised, never shorter. Two duties are left to whoever drives this: a keep-alive is answered only after a majority
// confirmed the leadership once more, and after a pause of the process `pause` is called before anything is let expire.
import type { MonotonicMs } from '@atoll/base'
import type { LeaseId } from '@atoll/protocol'
import { DELETE_KEYS_MAX } from '@atoll/protocol'
import type { Lease } from './leases.ts'
import { LEASES_PER_EXPIRY_MAX } from './limits.ts'

interface Running {
  readonly ttlMs: number
  endsAtMs: number
  /** Its end is proposed: it is not kept alive any more, or its owner would be told of a term that it will not have. */
  ending: boolean
}

export class LeaseClock {
  readonly #leases = new Map<LeaseId, Running>()

  /** This node leads from now on and has applied an entry of its own term. */
  constructor(leases: Iterable<Lease>, nowMs: MonotonicMs) {
    for (const lease of leases) this.granted(lease, nowMs)
  }

  granted({ lease, ttlMs }: Lease, nowMs: MonotonicMs): void {
    this.#leases.set(lease, { ttlMs, endsAtMs: nowMs + ttlMs, ending: false })
  }

  ended(lease: LeaseId): void {
    this.#leases.delete(lease)
  }

  /** Begins a new term. Answers its length, or 0 when the lease is over or about to be. */
  keepAlive(lease: LeaseId, nowMs: MonotonicMs): number {
    const running = this.#leases.get(lease)
    if (running === undefined || running.ending || running.endsAtMs <= nowMs) return 0
    running.endsAtMs = nowMs + running.ttlMs
    return running.ttlMs
  }

  /** What is left of a lease’s term, in milliseconds. */
  remainingMs(lease: LeaseId, nowMs: MonotonicMs): number {
    const running = this.#leases.get(lease)
    return running === undefined || running.ending ? 0 : Math.max(0, running.endsAtMs - nowMs)
  }

  /** Leases to propose the end of, in one command: those over longest first, as many as one step may end. */
  expired(nowMs: MonotonicMs, weightOf: (lease: LeaseId) => number): LeaseId[] {
    const over = [...this.#leases].filter(([, { ending, endsAtMs }]) => !ending && endsAtMs <= nowMs)
    over.sort(([a, first], [b, second]) => first.endsAtMs - second.endsAtMs || a - b)
    const chosen: LeaseId[] = []
    let weight = 0
    for (const [lease, running] of over) {
      weight += weightOf(lease)
      if (chosen.length === LEASES_PER_EXPIRY_MAX || (chosen.length > 0 && weight > DELETE_KEYS_MAX)) break
      running.ending = true
      chosen.push(lease)
    }
    return chosen
  }

  /** The proposal of these ends came to nothing: propose them again when asked next. */
  notEnded(leases: readonly LeaseId[]): void {
    for (const lease of leases) {
      const running = this.#leases.get(lease)
      if (running !== undefined) running.ending = false
    }
  }

  /** This process stood still for `pausedMs`: what was sent to it meanwhile is not read yet, so that time does not count. */
  pause(pausedMs: number): void {
    for (const running of this.#leases.values()) running.endsAtMs += pausedMs
  }

  /** When the next lease is over; undefined when none runs. */
  nextEndMs(): MonotonicMs | undefined {
    let next = Infinity
    for (const { ending, endsAtMs } of this.#leases.values()) if (!ending && endsAtMs < next) next = endsAtMs
    return next === Infinity ? undefined : (next as MonotonicMs)
  }
}
