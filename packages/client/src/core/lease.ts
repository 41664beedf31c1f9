// A lease: a right that ends by itself unless its owner gives signs of life. Keys, locks and offices hang on it.
import type { Clock } from '@atoll/base'
import { type LeaseId, leaseGrant, leaseRevoke } from '@atoll/protocol'
import { AtollError } from './atoll-error.ts'
import type { LeaseKeeper } from './lease-keeper.ts'
import { FAREWELL_MS, LEASE_TTL_MS, LEASES_MAX } from './limits.ts'
import type { CallOptions } from './requests.ts'
import type { Changes } from './session.ts'

export interface LeaseOptions extends CallOptions {
  /** How long it lasts after each sign of life, in milliseconds, from 100 to a day. Default 10,000. */
  readonly ttlMs?: number | undefined
}

export class Lease implements AsyncDisposable {
  readonly id: LeaseId
  readonly ttlMs: number
  readonly #leases: Leases
  readonly #lost = new AbortController()

  constructor(leases: Leases, id: LeaseId, ttlMs: number) {
    this.#leases = leases
    this.id = id
    this.ttlMs = ttlMs
  }

  /**
   * Aborts when the lease is over, or has to be taken for over because nobody confirmed it in time; not when it is revoked
   * here. Looking at it looks at the clock: after a pause past the end of the term it is aborted before it is seen.
   */
  get lost(): AbortSignal {
    this.#leases.check()
    return this.#lost.signal
  }

  /** Ends it now, with all that hangs on it. One that is over already is no error. */
  revoke(options?: CallOptions): Promise<void> {
    return this.#leases.revoke(this, options)
  }

  /** Like `revoke`; when nobody can be told, it ends with its term. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leases.giveBack(this)
  }

  /** Called by whoever keeps it. */
  lose(error: AtollError): void {
    this.#lost.abort(error)
  }
}

export class Leases {
  readonly #clock: Clock
  readonly #changes: Changes
  readonly #keeper: LeaseKeeper
  readonly #held = new Set<Lease>()
  #closed: AtollError | undefined

  constructor(clock: Clock, changes: Changes, keeper: LeaseKeeper) {
    this.#clock = clock
    this.#changes = changes
    this.#keeper = keeper
  }

  /** A new lease, kept alive from here on. */
  async grant(options?: LeaseOptions): Promise<Lease> {
    const { ttlMs = LEASE_TTL_MS } = options ?? {}
    if (this.#keeper.full)
      throw new AtollError('too_many_leases', `lease_grant: this client keeps ${LEASES_MAX} leases already`, { operation: 'lease_grant' })
    const sentAtMs = this.#clock.monotonicMs()
    const { lease: id } = await this.#changes.change(leaseGrant, { ttlMs }, options)
    const lease = new Lease(this, id, ttlMs)
    this.#held.add(lease)
    const ended = (): void =>
      this.#lose(lease, new AtollError('lease_not_found', `lease ${id} ended: nobody confirmed it in time`, { operation: 'lease' }))
    this.#keeper.keep({ lease: id, ttlMs, isWanted: () => true, ended }, sentAtMs)
    if (this.#closed !== undefined) {
      void this.giveBack(lease, { timeoutMs: FAREWELL_MS })
      throw this.#closed
    }
    return lease
  }

  check(): void {
    this.#keeper.check()
  }

  async revoke(lease: Lease, options?: CallOptions): Promise<void> {
    this.#forget(lease)
    try {
      await this.#changes.change(leaseRevoke, { lease: lease.id }, options)
    } catch (error) {
      if (!(error instanceof AtollError) || error.code !== 'lease_not_found') throw error
    }
  }

  /** The same for whoever cannot do anything about a failure. */
  async giveBack(lease: Lease, options?: CallOptions): Promise<void> {
    try {
      await this.revoke(lease, options)
    } catch (error) {
      // It is not kept alive any more, so it ends with its term.
      if (!(error instanceof AtollError)) throw error
    }
  }

  /** At the end of the client: gives all back, and whoever still counts on one is told. */
  async close(error: AtollError, connected: boolean): Promise<void> {
    this.#closed = error
    const held = [...this.#held]
    for (const lease of held) this.#lose(lease, error)
    if (connected) await Promise.all(held.map(lease => this.giveBack(lease, { timeoutMs: FAREWELL_MS })))
  }

  #lose(lease: Lease, error: AtollError): void {
    this.#forget(lease)
    lease.lose(error)
  }

  #forget(lease: Lease): void {
    this.#held.delete(lease)
    this.#keeper.release(lease.id)
  }
}
