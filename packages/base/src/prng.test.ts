// The seeded generator: the published algorithm, uniform enough, and the same on every machine.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { SeededRandom, seededRandom, shuffle } from './prng.ts'

it('is xoshiro128** 1.1: the values of the reference implementation for the state 1, 2, 3, 4', () => {
  const random = new SeededRandom(1, 2, 3, 4)
  const expected = [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804]
  expect(expected.map(() => random.u32())).toEqual(expected)
})

it('gives the same stream for the same seed and unrelated ones for close seeds', () => {
  const draw = (seed: number): number[] => Array.from({ length: 8 }, () => seededRandom(seed).u32())
  const stream = (seed: number): number[] => {
    const random = seededRandom(seed)
    return Array.from({ length: 1_000 }, () => random.u32())
  }
  expect(draw(5)).toEqual(draw(5))
  const [one, two] = [stream(1), stream(2)]
  expect(one.filter((value, index) => value === two[index])).toEqual([])
})

it('a fork is a stream of its own: its draws do not shift those of its parent', () => {
  const [left, right] = [seededRandom(9), seededRandom(9)]
  const fork = left.fork()
  right.fork()
  for (let draw = 0; draw < 100; draw++) fork.u32()
  expect(left.u32()).toBe(right.u32())
})

it('below is uniform over its bound, and stays below it', () => {
  const random = seededRandom(3)
  const counts = new Array<number>(10).fill(0)
  for (let draw = 0; draw < 100_000; draw++) {
    const value = random.below(10)
    counts[value] = (counts[value] ?? 0) + 1
  }
  // Chi-squared with 9 degrees of freedom: 27.9 is exceeded once in a thousand seeds, and this seed is fixed.
  expect(counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)).toBeLessThan(27.9)
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 32 }), bound => {
      const value = random.below(bound)
      return Number.isInteger(value) && value >= 0 && value < bound
    }),
    { seed: 7 },
  )
  for (const bound of [0, -1, 0.5, 2 ** 32 + 1]) expect(() => random.below(bound)).toThrow('bound')
})

it('float is 0 inclusive to 1 exclusive, bytes have their length', () => {
  const random = seededRandom(4)
  const floats = Array.from({ length: 10_000 }, () => random.float())
  expect(floats.every(value => value >= 0 && value < 1)).toBe(true)
  expect(floats.reduce((sum, value) => sum + value, 0) / floats.length).toBeCloseTo(0.5, 1)
  expect([random.bytes(0).length, random.bytes(33).length]).toEqual([0, 33])
})

it('shuffle keeps every item and reaches every order', () => {
  const random = seededRandom(6)
  const orders = new Map<string, number>()
  for (let round = 0; round < 6_000; round++) {
    const order = shuffle(['a', 'b', 'c'], random).join('')
    orders.set(order, (orders.get(order) ?? 0) + 1)
  }
  expect([...orders.keys()].toSorted()).toEqual(['abc', 'acb', 'bac', 'bca', 'cab', 'cba'])
  for (const count of orders.values()) expect(Math.abs(count - 1_000)).toBeLessThan(150)
})
