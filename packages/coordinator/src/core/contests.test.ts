// Locks and elections: one holder, fair queues, tokens that only grow.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Grant } from './contests.ts'
import { CONTESTS_PER_LEASE_MAX, WAITERS_MAX } from './limits.ts'
import { LOCK_PREFIX } from './locks.ts'
import { anyCommand } from './random-commands.ts'
import {
  expire,
  grantLease,
  leaseOf,
  lock,
  proclaim,
  putOp,
  resign,
  ScriptedState,
  stand,
  transaction,
  unlock,
  when,
} from './scripted-state.ts'

const withLeases = (count: number) => {
  const one = new ScriptedState()
  return { one, leases: Array.from({ length: count }, () => one.do(grantLease()).lease as number) }
}

describe('a lock', () => {
  it('[LO1] is held by one lease at a time, and goes on in the order in which it was asked for', () => {
    const { one, leases } = withLeases(4)
    const [a = 0, b = 0, c = 0, d = 0] = leases
    expect(one.do(lock('l', a, true, 'host-a'))).toMatchObject({ held: true, ahead: 0 })
    expect([b, c, d].map(lease => one.do(lock('l', lease)).ahead)).toEqual([1, 2, 3])
    expect(one.value('$atoll/lock/l')).toBe('host-a')
    one.do(unlock('l', c))
    expect(one.state.locks.standing('l', leaseOf(d))).toMatchObject({ ahead: 2 })
    const released = one.apply(unlock('l', a))
    expect(released.grants).toEqual([{ contests: LOCK_PREFIX, name: 'l', lease: b, token: one.revision }])
    expect(one.apply(expire(b)).grants).toMatchObject([{ lease: d }])
    expect(one.apply(unlock('l', d)).grants).toEqual([])
    expect([one.value('$atoll/lock/l'), one.state.locks.get('l')]).toEqual([undefined, undefined])
  })

  it('[LO2] asked for again by the same lease answers where it stands', () => {
    const { one, leases } = withLeases(2)
    const [a = 0, b = 0] = leases
    const first = one.do(lock('l', a))
    expect(one.do(lock('l', a))).toEqual(first)
    expect([one.do(lock('l', b)).ahead, one.do(lock('l', b)).ahead]).toEqual([1, 1])
    expect(one.revision).toBe(1)
  })

  it('[LO3] is not waited for by those who do not want to', () => {
    const { one, leases } = withLeases(2)
    const [a = 0, b = 0] = leases
    one.do(lock('l', a))
    expect(one.do(lock('l', b, false))).toMatchObject({ held: false, token: 0 })
    expect(one.refusal(unlock('l', b))).toBe('not_holder')
    expect(one.refusal(lock('l', 99))).toBe('lease_not_found')
  })

  it('[LO4] has tokens that only grow, over release, expiry and restoring', () => {
    fc.assert(
      fc.property(fc.array(anyCommand, { maxLength: 80 }), commands => {
        let one = new ScriptedState()
        for (let n = 0; n < 8; n++) one.do(grantLease())
        const last = new Map<string, number>()
        for (const [n, command] of commands.entries()) {
          const { answer, grants, repeated } = one.apply(command)
          const granted: Pick<Grant, 'contests' | 'name' | 'token'>[] = [...grants]
          if (command.kind === 'lock_acquire' && answer.ok && !repeated && 'token' in answer.value && answer.value.token === one.revision)
            granted.push({ contests: LOCK_PREFIX, name: command.name, token: answer.value.token })
          for (const { contests, name, token } of granted) {
            const before = last.get(contests + name) ?? 0
            // Asking again answers the token one has.
            expect(token).toBeGreaterThanOrEqual(before)
            last.set(contests + name, token)
          }
          for (const [name, { holder }] of one.state.locks.entries()) {
            expect(holder.token).toBeGreaterThanOrEqual(last.get(LOCK_PREFIX + name) ?? 0)
            expect(one.state.store.get(LOCK_PREFIX + name)).toMatchObject({ lease: holder.lease, modRevision: holder.token })
            expect(one.state.leases.get(holder.lease)).toBeDefined()
          }
          if (n % 20 === 19) one = one.restored()
        }
      }),
      { seed: 31, numRuns: 60 },
    )
  })

  it('[LO5] B19: a holder paused past its lease is fenced off by the token', () => {
    const { one, leases } = withLeases(2)
    const [paused = 0, next = 0] = leases
    const old = one.do(lock('jobs', paused)).token
    one.do(lock('jobs', next))
    one.apply(expire(paused))
    const current = one.state.locks.standing('jobs', leaseOf(next))?.token ?? 0
    expect(current).toBeGreaterThan(old)
    const write = (token: number, by: string) =>
      one.do(transaction([when('$atoll/lock/jobs', 'mod_revision', 'equal', token)], [putOp('result', by)])).succeeded
    expect([write(current, 'next'), write(old, 'paused')]).toEqual([true, false])
    expect(one.value('result')).toBe('next')
  })

  it('[LO6] is never granted to a lease that ends in the same command', () => {
    const { one, leases } = withLeases(3)
    const [a = 0, b = 0, c = 0] = leases
    for (const lease of [a, b, c]) one.do(lock('l', lease))
    const { grants, change } = one.apply(expire(a, b))
    expect(grants).toMatchObject([{ lease: c, token: one.revision }])
    expect(change?.events).toHaveLength(1)
  })

  it('[LO7] has a bounded queue, and a lease stands in a bounded number of them', () => {
    const { one, leases } = withLeases(WAITERS_MAX + 2)
    for (const lease of leases.slice(0, -1)) one.do(lock('l', lease))
    expect(one.refusal(lock('l', leases.at(-1) ?? 0))).toBe('too_many_waiters')
    for (let n = 0; n < CONTESTS_PER_LEASE_MAX; n++) one.do(lock(`l${n}`, leases.at(-1) ?? 0))
    expect(one.refusal(lock('more', leases.at(-1) ?? 0))).toBe('too_many_waiters')
    expect(one.apply(expire(leases.at(-1) ?? 0)).change?.events).toHaveLength(CONTESTS_PER_LEASE_MAX)
  })
})

describe('an election', () => {
  it('[EL1] elects in the order of standing, and again when the one elected resigns or its lease ends', () => {
    const { one, leases } = withLeases(3)
    const [a = 0, b = 0, c = 0] = leases
    expect(one.do(stand('e', a, 'A')).held).toBe(true)
    expect([one.do(stand('e', b, 'B')).held, one.do(stand('e', c, 'C')).held]).toEqual([false, false])
    const elected = () => one.value('$atoll/election/e')
    expect(elected()).toBe('A')
    one.do(resign('e', a))
    expect(elected()).toBe('B')
    one.apply(expire(b))
    expect(elected()).toBe('C')
    one.do(resign('e', c))
    expect(elected()).toBeUndefined()
  })

  it('[EL2] lets only the one elected, in this very term of office, proclaim', () => {
    const { one, leases } = withLeases(2)
    const [a = 0, b = 0] = leases
    const { token } = one.do(stand('e', a, 'A'))
    one.do(proclaim('e', a, token, 'A2'))
    expect(one.value('$atoll/election/e')).toBe('A2')
    one.do(resign('e', a))
    const again = one.do(stand('e', a, 'A3')).token
    expect(again).toBeGreaterThan(token)
    expect(one.refusal(proclaim('e', a, token, 'late'))).toBe('not_holder')
    expect(one.refusal(proclaim('e', b, again, 'other'))).toBe('not_holder')
    expect(one.refusal(resign('e', b))).toBe('not_holder')
    // Proclaiming is no new term of office.
    one.do(proclaim('e', a, again, 'A4'))
    expect(one.state.elections.standing('e', leaseOf(a))?.token).toBe(again)
  })

  it('[EL3] shares no name with a lock', () => {
    const { one, leases } = withLeases(2)
    const [a = 0, b = 0] = leases
    expect([one.do(lock('same', a)).held, one.do(stand('same', b)).held]).toEqual([true, true])
  })
})
