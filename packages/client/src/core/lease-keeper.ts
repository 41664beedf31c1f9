// Keeps leases alive, all of a client in one request. A term is counted from the moment its request was sent, on the monotonic
// clock: the coordinator begins it later, so it is over here first (Gray and Cheriton 1989). A client that stood still past the
// end of a term finds that out before it does anything else.
import type { Clock, MonotonicMs, Timer } from '@atoll/base'
import { type LeaseId, leaseKeepAlive } from '@atoll/protocol'
import { AtollError } from './atoll-error.ts'
import { LEASES_MAX, RETRY_MS_MAX } from './limits.ts'
import type { Requests } from './requests.ts'

/** Something that lasts as long as its lease. */
export interface Kept {
  readonly lease: LeaseId
  readonly ttlMs: number
  /** False: let it end by itself. Asked before each renewal. */
  readonly isWanted: () => boolean
  /** It is over, or has to be taken for over. Called once, unless it was released before. */
  readonly ended: () => void
}

interface Running extends Kept {
  endsAtMs: number
}

export class LeaseKeeper {
  readonly #clock: Clock
  readonly #running = new Map<LeaseId, Running>()
  #requests: Requests | undefined
  #timer: Timer | undefined
  #beatAtMs = Number.POSITIVE_INFINITY
  #nextEndMs = Number.POSITIVE_INFINITY
  #beating = false
  #closed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whom it asks through; they need each other. */
  use(requests: Requests): void {
    this.#requests = requests
  }

  get size(): number {
    return this.#running.size
  }

  get full(): boolean {
    return this.#running.size >= LEASES_MAX
  }

  /** Keeps a lease from now on that was asked for at `sentAtMs`; later than that its term did not begin before. */
  keep(kept: Kept, sentAtMs: MonotonicMs = this.#clock.monotonicMs()): void {
    // Granted in the very moment of closing: nobody will keep it.
    if (this.#closed) return kept.ended()
    this.#running.set(kept.lease, { ...kept, endsAtMs: sentAtMs + kept.ttlMs })
    this.check()
    this.#plan()
  }

  /** Whoever owned it takes care of its end. */
  release(lease: LeaseId): void {
    if (this.#running.delete(lease)) this.#plan()
  }

  /** Gives up what has run out by now. Cheap, and called before anything else is done. */
  check(): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs < this.#nextEndMs) return
    for (const running of this.#running.values()) if (running.endsAtMs <= nowMs) this.#end(running)
    this.#plan()
  }

  /** All of them are over. */
  endAll(): void {
    for (const running of this.#running.values()) this.#end(running)
    this.#plan()
  }

  close(): void {
    this.#closed = true
    this.endAll()
  }

  #end(running: Running): void {
    if (this.#running.delete(running.lease)) running.ended()
  }

  /** One timer: for the next renewal, or for the first end. */
  #plan(beatInMs?: number): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#nextEndMs = Number.POSITIVE_INFINITY
    let shortestMs = Number.POSITIVE_INFINITY
    for (const { endsAtMs, ttlMs } of this.#running.values()) {
      this.#nextEndMs = Math.min(this.#nextEndMs, endsAtMs)
      shortestMs = Math.min(shortestMs, ttlMs)
    }
    if (this.#running.size === 0) {
      this.#beatAtMs = Number.POSITIVE_INFINITY
      return
    }
    const nowMs = this.#clock.monotonicMs()
    const inMs = beatInMs ?? shortestMs / 3
    // A lease that joined does not put the renewal of the others off.
    this.#beatAtMs = beatInMs === undefined ? Math.min(this.#beatAtMs, nowMs + inMs) : nowMs + inMs
    const dueMs = this.#beating ? this.#nextEndMs : Math.min(this.#beatAtMs, this.#nextEndMs)
    this.#timer = this.#clock.after(Math.max(0, dueMs - nowMs), () => this.#due())
  }

  #due(): void {
    this.check()
    if (!this.#beating && this.#clock.monotonicMs() >= this.#beatAtMs) void this.#beat()
    else this.#plan()
  }

  async #beat(): Promise<void> {
    const requests = this.#requests
    if (requests === undefined || requests.isClosed) return
    for (const running of this.#running.values()) if (!running.isWanted()) this.#running.delete(running.lease)
    const asked = [...this.#running.values()]
    this.#beatAtMs = Number.POSITIVE_INFINITY
    if (asked.length === 0) return this.#plan()
    this.#beating = true
    const sentAtMs = this.#clock.monotonicMs()
    const shortestMs = Math.min(...asked.map(({ ttlMs }) => ttlMs))
    let again: number | undefined
    try {
      this.#plan()
      // Tried anew with a later start rather than held for long: the term counts from here.
      const options = { timeoutMs: Math.max(shortestMs / 3, 50) }
      const { ttlMs } = await requests.read(leaseKeepAlive, { leases: asked.map(({ lease }) => lease) }, options)
      asked.forEach((running, i) => {
        if (!this.#running.has(running.lease)) return
        const termMs = ttlMs[i] ?? 0
        if (termMs === 0) return this.#end(running)
        running.endsAtMs = Math.max(running.endsAtMs, sentAtMs + termMs)
      })
      this.check()
    } catch (error) {
      if (!(error instanceof AtollError)) throw error
      again = Math.min(RETRY_MS_MAX, shortestMs / 12)
    } finally {
      this.#beating = false
      this.#beatAtMs = Number.POSITIVE_INFINITY
      this.#plan(again)
    }
  }
}
