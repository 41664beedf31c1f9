// Rule CL5: the newest batches are in memory, within one budget for all logs.
import type { Offset } from '@atoll/records'
import { expect, it } from 'vitest'
import { HotTail, TailBudget } from './hot-tail.ts'
import { TAIL_BATCH_BYTES, TAIL_BLOCK_BYTES } from './limits.ts'

const at = (value: number) => value as Offset
const bytes = (length: number) => new Uint8Array(length)

/** Batches of two records and 100 bytes from offset 0. */
function filled(budget: TailBudget, batches: number): HotTail {
  const tail = new HotTail(budget)
  for (let batch = 0; batch < batches; batch++) tail.push(bytes(100), at(batch * 2), at(batch * 2 + 1))
  return tail
}
const sizes = (found: readonly Uint8Array[] | undefined) => found?.map(({ length }) => length)

it('[CL5] answers whole batches from the one that holds the offset, at least one', () => {
  const tail = filled(new TailBudget(10_000), 5)
  expect(sizes(tail.read(at(3), at(10), 250))).toEqual([100, 100])
  expect(sizes(tail.read(at(3), at(10), 1))).toEqual([100])
  expect(sizes(tail.read(at(0), at(5), 10_000))).toEqual([100, 100])
  expect(sizes(tail.read(at(10), at(10), 10_000))).toEqual([])
  expect(new HotTail(new TailBudget(1)).read(at(0), at(0), 1)).toBeUndefined()
})

it('[CL5] drops what was appended first, to whichever log', () => {
  const budget = new TailBudget(500 + 5 * TAIL_BATCH_BYTES)
  const [first, second] = [filled(budget, 3), filled(budget, 2)]
  second.push(bytes(100), at(4), at(5))
  expect(first.read(at(0), at(6), 1)).toBeUndefined()
  expect(sizes(first.read(at(2), at(6), 1))).toEqual([100])
  second.push(bytes(400 + 3 * TAIL_BATCH_BYTES), at(6), at(7))
  expect(first.read(at(4), at(6), 1)).toBeUndefined()
  expect(sizes(second.read(at(4), at(8), 10_000))).toEqual([100, 400 + 3 * TAIL_BATCH_BYTES])
  expect(budget.bytes).toBe(500 + 5 * TAIL_BATCH_BYTES)
})

it('[CL5] forgets what is cut, and gives its room back', () => {
  const budget = new TailBudget(10_000)
  const tail = filled(budget, 5)
  tail.truncate(at(5))
  expect(budget.bytes).toBe(200 + 2 * TAIL_BATCH_BYTES)
  tail.push(bytes(50), at(4), at(4))
  expect(sizes(tail.read(at(2), at(9), 1_000))).toEqual([100, 50])
  tail.clear()
  expect(budget.bytes).toBe(0)
  tail.push(bytes(50), at(5), at(5))
  expect(sizes(tail.read(at(5), at(6), 1_000))).toEqual([50])
})

it('[CL5] keeps no large buffer alive for a small batch', () => {
  const tail = new HotTail(new TailBudget(10_000_000))
  const large = bytes(65_536)
  large[10] = 7
  const count = 5_000
  for (let batch = 0; batch < count; batch++) tail.push(large.subarray(10, 110), at(batch), at(batch))
  const kept = tail.read(at(0), at(count), count * 100) ?? []
  expect(kept.map(([first]) => first)).toEqual(Array.from({ length: count }, () => 7))
  // Many share a piece of memory, and no more of that is taken than is full.
  const pieces = new Set(kept.map(({ buffer }) => buffer))
  expect(pieces.size).toBe(Math.ceil(count / Math.floor(TAIL_BLOCK_BYTES / 100)))
  expect(pieces.has(large.buffer)).toBe(false)
  tail.push(large.subarray(0, 30_000), at(count), at(count))
  expect(tail.read(at(count), at(count + 1), 1)?.[0]?.buffer.byteLength).toBe(30_000)
})
