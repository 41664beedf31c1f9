// Drives the leader's clock of leases. There is a clock from when an entry of the leader's own term is applied, so that
// everything its predecessors proposed is known, until the leadership ends. What is over ends by a command, one at a time.
// A process that stood still has not read what was sent to it meanwhile: time it did not see does not count.
import type { Clock, Logger, MonotonicMs, Timer } from '@atoll/base'
import { type LeaseId, ProtocolError } from '@atoll/protocol'
import type { RaftEvent } from '@atoll/raft'
import { type Applied, LeaseClock } from './core/index.ts'
import { EXPIRY_MS_MAX, LEASE_LATE_MS_MAX, LEASE_LOOK_MS } from './limits.ts'
import type { Patience, Replica, ReplicaListener } from './replica.ts'

/** One term of leadership. */
interface Reign {
  readonly term: number
  leases: LeaseClock | undefined
  /** No lease is over before this. */
  dueMs: number
  /** Their end was proposed, and nobody knows what became of that: it is proposed until it is known. */
  adrift: readonly LeaseId[]
}

export class LeaseKeeper implements ReplicaListener {
  readonly #replica: Replica
  readonly #clock: Clock
  readonly #log: () => Logger
  #reign: Reign | undefined
  #timer: Timer | undefined
  #proposing = false
  /** Leases let expire so far. */
  expiredTotal = 0

  constructor(replica: Replica, clock: Clock, log: () => Logger) {
    this.#replica = replica
    this.#clock = clock
    this.#log = log
    replica.listen(this)
  }

  /**
   * What `look` finds with the clock, once a majority has confirmed after the call that this coordinator leads: the promise
   * of a term must not come from one that was deposed without knowing. Rejects with `not_leader` or `no_leader`.
   */
  async confirmed<T>(patience: Patience, look: (leases: LeaseClock, nowMs: MonotonicMs) => T): Promise<T> {
    this.#replica.expectLeader()
    const reign = this.#reign
    await this.#replica.read('linearizable', patience, () => {})
    if (reign === undefined || reign !== this.#reign || reign.leases === undefined)
      throw new ProtocolError('no_leader', 'the leader has changed')
    return look(reign.leases, this.#clock.monotonicMs())
  }

  happened(event: RaftEvent): void {
    if (event.kind === 'became_leader') this.#reign = { term: event.term, leases: undefined, dueMs: 0, adrift: [] }
    else if (event.kind === 'stepped_down') this.#end()
  }

  applied(applied: Applied | undefined, term: number): void {
    const reign = this.#reign
    if (reign === undefined) return
    const nowMs = this.#clock.monotonicMs()
    if (reign.leases === undefined) {
      if (term === reign.term) this.#begin(reign, nowMs)
      return
    }
    for (const lease of applied?.leasesGranted ?? []) {
      reign.leases.granted(lease, nowMs)
      reign.dueMs = Math.min(reign.dueMs, nowMs + lease.ttlMs)
    }
    for (const lease of applied?.leasesEnded ?? []) reign.leases.ended(lease)
    if (this.#timer === undefined) this.#lookLater(reign)
  }

  stopped(): void {
    this.#end()
  }

  #begin(reign: Reign, nowMs: MonotonicMs): void {
    const { leases } = this.#replica.state
    reign.leases = new LeaseClock(leases.values(), nowMs)
    this.#log().info({ event: 'leases_taken_over', term: reign.term, leases: leases.size }, 'a full term begins for every lease')
    this.#lookLater(reign)
  }

  #end(): void {
    this.#reign = undefined
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** Looks often while there are leases: that is how standing still is noticed. */
  #lookLater(reign: Reign): void {
    if (this.#replica.state.leases.size === 0) return
    const dueMs = this.#clock.monotonicMs() + LEASE_LOOK_MS
    this.#timer = this.#clock.after(LEASE_LOOK_MS, () => {
      this.#timer = undefined
      const nowMs = this.#clock.monotonicMs()
      if (nowMs - dueMs > LEASE_LATE_MS_MAX) reign.leases?.pause(nowMs - dueMs)
      this.#lookLater(reign)
      this.#expire(reign, nowMs)
    })
  }

  #expire(reign: Reign, nowMs: MonotonicMs): void {
    const { leases } = reign
    if (leases === undefined || this.#proposing || !this.#replica.isLeader) return
    const again = reign.adrift
    if (again.length === 0 && nowMs < reign.dueMs) return
    const over = again.length > 0 ? again : leases.expired(nowMs, lease => this.#replica.state.weightOf(lease))
    reign.dueMs = leases.nextEndMs() ?? Infinity
    if (over.length === 0) return
    reign.adrift = []
    this.#proposing = true
    this.#propose(over)
      .catch((error: unknown) => {
        if (!(error instanceof ProtocolError)) throw error
        this.#log().debug({ event: 'expiry_failed', leases: over, err: error }, 'the end of leases was not agreed upon yet')
        // What may still be applied goes on ending: it must not be kept alive behind the back of its own end.
        if (error.outcome !== 'definite' || again.length > 0) {
          reign.adrift = over
          return
        }
        leases.notEnded(over)
        reign.dueMs = 0
      })
      .finally(() => {
        this.#proposing = false
      })
  }

  async #propose(leases: readonly LeaseId[]): Promise<void> {
    await this.#replica.propose({ kind: 'lease_expire', leases }, { remainingMs: () => EXPIRY_MS_MAX })
    this.expiredTotal += leases.length
    this.#log().info({ event: 'leases_expired', leases }, 'leases ended: nothing was heard of their owners')
  }
}
