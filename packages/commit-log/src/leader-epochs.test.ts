// Rule CL40: where epochs begin and end (KIP-101, KIP-279).
import type { LeaderEpoch, Offset } from '@atoll/records'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LeaderEpochs } from './leader-epochs.ts'

const epochs = (...starts: readonly (readonly [epoch: number, start: number])[]) =>
  new LeaderEpochs(starts.map(([epoch, start]) => ({ epoch: epoch as LeaderEpoch, start: start as Offset })))
const shown = (known: LeaderEpochs) => known.starts.map(({ epoch, start }) => [epoch, start])
const at = (value: number) => value as Offset
const epoch = (value: number) => value as LeaderEpoch

it('[CL40] an epoch ends where the next one begins, the last one at the log end', () => {
  const known = epochs([1, 0], [3, 10], [4, 25])
  const ends = [0, 1, 2, 3, 4, 9].map(value => known.endOf(epoch(value), at(30)))
  expect(ends).toEqual([
    undefined,
    { epoch: 1, end: 10 },
    { epoch: 1, end: 10 },
    { epoch: 3, end: 25 },
    { epoch: 4, end: 30 },
    { epoch: 4, end: 30 },
  ])
  expect([0, 9, 10, 24, 25, 99].map(offset => known.epochAt(at(offset)))).toEqual([1, 1, 3, 3, 4, 4])
})

it('[CL40] an epoch in which nothing was written gives way to the next', () => {
  const known = epochs([1, 0])
  expect(known.assign(epoch(2), at(7))).toBe(true)
  expect(known.assign(epoch(2), at(8))).toBe(false)
  expect(known.assign(epoch(5), at(7))).toBe(true)
  expect(shown(known)).toEqual([
    [1, 0],
    [5, 7],
  ])
  expect(() => known.assign(epoch(4), at(9))).toThrow('a later epoch')
})

it('[CL40] what is cut at either end is forgotten', () => {
  const known = epochs([1, 0], [3, 10], [4, 25])
  expect(known.truncateFrom(at(26))).toBe(false)
  expect(known.truncateFrom(at(25))).toBe(true)
  expect(known.trimTo(at(5))).toBe(true)
  expect(shown(known)).toEqual([
    [1, 5],
    [3, 10],
  ])
  expect(known.trimTo(at(12))).toBe(true)
  expect(shown(known)).toEqual([[3, 12]])
  expect(known.trimTo(at(12))).toBe(false)
  expect(epochs().trimTo(at(12))).toBe(false)
})

it('[CL40] agrees with a list of every offset', () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 6 })), { maxLength: 30 })
  fc.assert(
    fc.property(steps, moves => {
      const known = epochs()
      const written: number[] = []
      let current = 0
      for (const [raise, count] of moves) {
        current += raise
        known.assign(epoch(current), at(written.length))
        for (let each = 0; each < count; each++) written.push(current)
      }
      for (const [offset, expected] of written.entries()) expect(known.epochAt(at(offset))).toBe(expected)
      for (let asked = 0; asked <= current; asked++) {
        const end = written.findIndex(each => each > asked)
        const first = known.starts[0]?.epoch ?? Number.POSITIVE_INFINITY
        if (asked >= first)
          expect(known.endOf(epoch(asked), at(written.length))?.end).toBe(end === -1 ? endOfAll(known, asked, written.length) : end)
      }
    }),
    { seed: 22 },
  )
})

/** Where an epoch ends after which nothing was written: a later one may have begun at the end. */
function endOfAll(known: LeaderEpochs, asked: number, length: number): number {
  return known.starts.find(({ epoch: each }) => each > asked)?.start ?? length
}
