// Leases: rights that end by themselves (Gray and Cheriton 1989). What is replicated is that a lease exists, its term and
// which keys hang on it. When it is over is only known to the leader's clock (lease-clock.ts), which proposes the end as a
// command, so that on every replica it ends at the same place of the log.
import { assert } from '@atoll/base'
import { LEASE_TTL_MS_MAX, LEASE_TTL_MS_MIN, type LeaseId, ProtocolError } from '@atoll/protocol'
import { NO_LEASE } from './draft.ts'
import { LEASE_KEYS_MAX, LEASES_MAX } from './limits.ts'
import { type Change, isLive } from './revisions.ts'

export interface Lease {
  readonly lease: LeaseId
  /** Its term, in milliseconds: it ends when this long nothing was heard. */
  readonly ttlMs: number
  readonly session: boolean
}

interface Attached extends Lease {
  readonly keys: Set<string>
}

export class Leases {
  readonly #leases = new Map<LeaseId, Attached>()

  get size(): number {
    return this.#leases.size
  }

  /** All leases, oldest first. */
  values(): IterableIterator<Lease> {
    return this.#leases.values()
  }

  get(lease: LeaseId): Lease | undefined {
    return this.#leases.get(lease)
  }

  /** Throws `lease_not_found` unless it is there. */
  expect(lease: LeaseId): Lease {
    const found = this.#leases.get(lease)
    if (found === undefined) throw new ProtocolError('lease_not_found', `lease ${lease}`)
    return found
  }

  /** The keys that end with it. */
  keysOf(lease: LeaseId): ReadonlySet<string> {
    return this.#leases.get(lease)?.keys ?? new Set()
  }

  /** Throws unless one more key may hang on `lease`. The last transaction may pass the bound by its own operations. */
  checkRoom(lease: LeaseId, key: string): void {
    this.expect(lease)
    const keys = this.keysOf(lease)
    if (keys.size >= LEASE_KEYS_MAX && !keys.has(key))
      throw new ProtocolError('lease_full', `lease ${lease} has ${keys.size} keys, at most ${LEASE_KEYS_MAX} may hang on it`)
  }

  /** Throws unless a lease with that term may be granted. */
  checkGrant(ttlMs: number): void {
    if (ttlMs < LEASE_TTL_MS_MIN || ttlMs > LEASE_TTL_MS_MAX)
      throw new ProtocolError('invalid_argument', `ttlMs: want ${LEASE_TTL_MS_MIN} to ${LEASE_TTL_MS_MAX}, got ${ttlMs}`)
    if (this.#leases.size >= LEASES_MAX) throw new ProtocolError('too_many_leases', `${LEASES_MAX} leases are granted`)
  }

  grant(lease: Lease): void {
    assert(!this.#leases.has(lease.lease), 'no lease is granted twice')
    this.#leases.set(lease.lease, { ...lease, keys: new Set() })
  }

  /** Forgets a lease whose keys are gone. */
  end(lease: LeaseId): void {
    assert(this.keysOf(lease).size === 0, 'nothing hangs on a lease that has ended')
    this.#leases.delete(lease)
  }

  /** Keeps up with what hangs on what. */
  follow({ events }: Change): void {
    for (const { key, version, previous } of events) {
      if (previous !== undefined && previous.lease !== version.lease) this.detach(key, previous.lease)
      if (isLive(version)) this.#attach(key, version.lease)
    }
  }

  #attach(key: string, lease: LeaseId): void {
    if (lease === NO_LEASE) return
    const found = this.#leases.get(lease)
    assert(found !== undefined, 'a key hangs on a lease there is')
    found.keys.add(key)
  }

  /** While a snapshot is read: a past version may name a lease that is over. */
  attachIfGranted(key: string, lease: LeaseId): void {
    this.#leases.get(lease)?.keys.add(key)
  }

  detach(key: string, lease: LeaseId): void {
    this.#leases.get(lease)?.keys.delete(key)
  }
}
