// Leases: what ends with them, and when the leader's clock says that they are over.
import type { MonotonicMs } from '@atoll/base'
import { LEASE_TTL_MS_MAX, LEASE_TTL_MS_MIN } from '@atoll/protocol'
import { describe, expect, it } from 'vitest'
import { LeaseClock } from './lease-clock.ts'
import { LEASE_KEYS_MAX, LEASES_PER_EXPIRY_MAX } from './limits.ts'
import {
  expire,
  grantLease,
  leaseOf,
  lock,
  openSession,
  put,
  putOp,
  register,
  revoke,
  ScriptedState,
  stand,
  transaction,
} from './scripted-state.ts'

const at = (ms: number) => ms as MonotonicMs

describe('a lease', () => {
  it('[LE1] has a number that no other ever has, and a term within bounds', () => {
    const one = new ScriptedState()
    const leases = [one.do(grantLease()).lease, one.do(openSession()).session, one.do(grantLease()).lease]
    expect(new Set(leases).size).toBe(3)
    one.do(revoke(leases[2] ?? 0))
    expect(one.restored().do(grantLease()).lease).toBeGreaterThan(leases[2] ?? 0)
    for (const ttlMs of [LEASE_TTL_MS_MIN - 1, 0]) expect(one.refusal(grantLease(ttlMs))).toBe('invalid_argument')
    expect(() => one.codec.encode(grantLease(LEASE_TTL_MS_MAX + 1))).toThrow('ttlMs')
  })

  it('[LE2] ends with its keys, locks, offices, registration and session in one revision', () => {
    const one = new ScriptedState()
    const { session } = one.do(openSession())
    for (const key of ['b', 'a', 'c']) one.do(put(key, key, session))
    one.do(put('other', '1'))
    one.do(lock('l', session))
    one.do(stand('e', session, 'me'))
    one.do(register('broker-1', 'disk-1', 1, { lease: session }))
    const before = one.revision
    const { change, leasesEnded } = one.apply(expire(session))
    expect(one.revision).toBe(before + 1)
    expect(change?.events.map(({ key, version }) => [key, version.version])).toEqual([
      ['$atoll/election/e', 0],
      ['$atoll/lock/l', 0],
      ['$atoll/node/broker-1', 2],
      ['a', 0],
      ['b', 0],
      ['c', 0],
    ])
    expect(leasesEnded).toEqual([session])
    expect([one.value('other'), one.state.sessions.size, one.state.leases.size]).toEqual(['1', 0, 0])
    expect(one.refusal(put('a', '1', session))).toBe('lease_not_found')
  })

  it('[LE3] holds a key only until the key is written without it, or with another', () => {
    const one = new ScriptedState()
    const [a, b] = [one.do(grantLease()).lease, one.do(grantLease()).lease]
    for (const key of ['x', 'y', 'z']) one.do(put(key, '1', a))
    one.do(put('y', '2'))
    one.do(put('z', '2', b))
    expect(
      one
        .restored()
        .apply(revoke(a))
        .change?.events.map(({ key }) => key),
    ).toEqual(['x'])
    one.do(revoke(a))
    expect([one.value('x'), one.value('y'), one.value('z')]).toEqual([undefined, '2', '2'])
    one.do(revoke(b))
    expect(one.value('z')).toBeUndefined()
    expect(one.refusal(revoke(b))).toBe('lease_not_found')
    // The leader may find it over at the same time.
    expect(one.do(expire(a, b)).revision).toBe(one.revision)
  })

  it('[LE4] holds a bounded number of keys', () => {
    const one = new ScriptedState()
    const { lease } = one.do(grantLease())
    for (let first = 0; first < LEASE_KEYS_MAX; first += 128)
      one.do(
        transaction(
          [],
          Array.from({ length: 128 }, (_, n) => putOp(`k${first + n}`, '', lease)),
        ),
      )
    expect(one.refusal(put('more', '', lease))).toBe('lease_full')
    one.do(put('k1', 'again', lease))
    expect(one.apply(expire(lease)).change?.events).toHaveLength(LEASE_KEYS_MAX)
  })
})

describe('the leader’s clock', () => {
  const leases = [1, 2, 3].map(lease => ({ lease: leaseOf(lease), ttlMs: 1_000, session: false }))
  const nothing = () => 0

  it('[LE5] lets a lease expire after a term without a sign of life, and only by a command', () => {
    const clock = new LeaseClock(leases, at(0))
    expect(clock.keepAlive(leaseOf(2), at(600))).toBe(1_000)
    expect(clock.expired(at(999), nothing)).toEqual([])
    expect(clock.nextEndMs()).toBe(1_000)
    expect(clock.expired(at(1_000), nothing)).toEqual([1, 3])
    // Proposed, not yet applied: its owner must not be told of a term that it will not have.
    expect(clock.keepAlive(leaseOf(1), at(1_001))).toBe(0)
    expect(clock.expired(at(1_002), nothing)).toEqual([])
    clock.pause(100)
    expect(clock.keepAlive(leaseOf(1), at(1_050))).toBe(0)
    clock.pause(-100)
    clock.ended(leaseOf(1))
    clock.notEnded([leaseOf(1), leaseOf(3)])
    expect(clock.expired(at(1_003), nothing)).toEqual([3])
    expect(clock.remainingMs(leaseOf(2), at(1_100))).toBe(500)
  })

  it('[LE5] does not revive a lease that is over and not proposed yet', () => {
    const clock = new LeaseClock(leases, at(0))
    expect(clock.keepAlive(leaseOf(1), at(1_000))).toBe(0)
    expect(clock.keepAlive(leaseOf(9), at(1))).toBe(0)
  })

  it('[LE6] of a new leader begins a full term for every lease', () => {
    const one = new ScriptedState()
    const { lease } = one.do(grantLease(1_000))
    const old = new LeaseClock(one.state.leases.values(), at(0))
    expect(old.remainingMs(lease, at(900))).toBe(100)
    const clock = new LeaseClock(one.restored().state.leases.values(), at(900))
    expect(clock.expired(at(1_899), nothing)).toEqual([])
    expect(clock.expired(at(1_900), nothing)).toEqual([lease])
  })

  it('[LE7] does not count the time in which this process stood still', () => {
    const clock = new LeaseClock(leases, at(0))
    clock.pause(5_000)
    expect(clock.expired(at(5_999), nothing)).toEqual([])
    expect(clock.expired(at(6_000), nothing)).toEqual([1, 2, 3])
  })

  it('[LE8] lets as much expire at once as one step may end', () => {
    const many = Array.from({ length: 200 }, (_, n) => ({ lease: leaseOf(n + 1), ttlMs: 1_000, session: false }))
    const clock = new LeaseClock(many, at(0))
    expect(clock.expired(at(2_000), nothing)).toHaveLength(LEASES_PER_EXPIRY_MAX)
    expect(clock.expired(at(2_000), () => LEASE_KEYS_MAX)).toEqual([LEASES_PER_EXPIRY_MAX + 1])
    const one = new ScriptedState()
    const ids = Array.from({ length: LEASES_PER_EXPIRY_MAX }, () => one.do(grantLease()).lease)
    expect(one.apply(expire(...ids)).leasesEnded).toEqual(ids)
  })
})
