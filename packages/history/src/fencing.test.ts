// Rules FE1 to FE5: locks with fencing tokens in real time.
import { seededRandom } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { checkFencing, type FencingOptions } from './fencing.ts'
import { randomExecution } from './linearizability/random-execution.ts'
import { lockSystem } from './linearizability/random-systems.ts'
import { type Line, script } from './script.ts'

type At = Line['at']
const acquire = (at: At, token: number | null): Line => ({ f: 'acquire', at, output: token === null ? null : { token } })
const release = (at: At, token: number, output = true): Line => ({ f: 'release', at, input: { token }, output })
const renew = (at: At, token: number, output = true): Line => ({ f: 'renew', at, input: { token }, output })
const use = (at: At, token: number, output = true): Line => ({ f: 'use', at, input: { token }, output })
const found = (lines: readonly Line[], options?: FencingOptions) =>
  checkFencing(script(...lines), options).violations.map(({ rule }) => rule)

describe('tokens', () => {
  it('[FE1] never go back in real time, and may be in any order while concurrent', () => {
    expect(found([acquire([0, 1], 1), release([2, 3], 1), acquire([4, 5], 2)])).toEqual([])
    expect(found([acquire([0, 1], 5), release([2, 3], 5), acquire([4, 5], 3)])).toEqual(['token went back'])
    expect(found([acquire([0, 9], 5), release([9.5, 9.6], 5), acquire([1, 2], 3), release([2, 3], 3)])).toEqual([])
  })

  it('[FE2] are granted once', () => {
    expect(found([acquire([0, 1], 1), release([2, 3], 1), acquire([4, 5], 1)])).toEqual(['token granted twice'])
    expect(found([acquire([0, 9], 1), acquire([0, 9], 1)])).toEqual(['token granted twice'])
  })
})

describe('holders', () => {
  it('[FE3] exclude each other from the answer to the call of the release', () => {
    expect(found([acquire([0, 1], 1), acquire([2, 3], 2)])).toEqual(['two holders'])
    expect(found([acquire([0, 1], 1), acquire([2, 3], null)])).toEqual([])
    // Granted while the release was under way.
    expect(found([acquire([0, 1], 1), release([2, 6], 1), acquire([3, 4], 2)])).toEqual([])
    expect(found([acquire([0, 1], 1), release([3.5, 6], 1), acquire([2, 3], 2)])).toEqual(['two holders'])
  })

  it('[FE3] hold no longer than the lease from the call on, and renewals prolong it', () => {
    expect(found([acquire([0, 1], 1), acquire([11, 12], 2)], { leaseMs: 10 })).toEqual([])
    expect(found([acquire([0, 1], 1), acquire([8, 9], 2)], { leaseMs: 10 })).toEqual(['two holders'])
    expect(found([acquire([0, 1], 1), renew([5, 6], 1), acquire([11, 12], 2)], { leaseMs: 10 })).toEqual(['two holders'])
    expect(found([acquire([0, 1], 1), renew([5, 6], 1, false), acquire([11, 12], 2)], { leaseMs: 10 })).toEqual([])
    expect(found([acquire([0, 1], 1), release([2, 3], 1), renew([4, 5], 1), acquire([6, 7], 2)], { leaseMs: 10 })).toEqual([])
    // The answer came after the lease had ended: it never certainly held.
    expect(found([acquire([0, 30], 1), acquire([11, 40], 2)], { leaseMs: 10 })).toEqual([])
  })
})

describe('the resource', () => {
  it('[FE4] never accepts a token below one it accepted before', () => {
    const granted = [acquire([0, 1], 1), acquire([20, 21], 2)]
    const lease = { leaseMs: 10 }
    expect(found([...granted, use([22, 23], 2), use([24, 25], 1)], lease)).toEqual(['stale token accepted'])
    expect(found([...granted, use([22, 23], 2), use([24, 25], 1, false)], lease)).toEqual([])
    expect(found([...granted, use([22, 25], 2), use([24, 26], 1)], lease)).toEqual([])
    expect(found([...granted, use([22, 23], 7)], lease)).toEqual(['token never granted'])
    // A lost grant may have been any token.
    expect(found([{ f: 'acquire', at: [0, 1], outcome: 'info' }, use([22, 23], 7)])).toEqual([])
  })

  it('[FE5] keeps locks apart, refuses what is no operation of one, and accepts a correct lock', () => {
    expect(
      found([
        { ...acquire([0, 1], 5), key: 'x' },
        { ...acquire([2, 3], 3), key: 'y' },
      ]),
    ).toEqual([])
    expect(() => found([{ f: 'read', at: [0, 1] }])).toThrow('not an operation of a lock')
    for (let seed = 1; seed <= 20; seed++) {
      const random = seededRandom(seed)
      const history = randomExecution(random, lockSystem(random), { processes: 6, operations: 200, lost: 0.005 })
      expect(checkFencing(history), `seed ${seed}`).toEqual({ violations: [], count: 0 })
    }
  })
})
