// The judge of committed offsets itself: what it finds, and what it lets pass.
import { expect, it } from 'vitest'
import { CommittedOffsets } from './committed-offsets.ts'

it('finds offsets below what was acknowledged or read before, and none that may still take effect', () => {
  const offsets = new CommittedOffsets()
  const read = (offset: number) => offsets.reading()(0, offset)
  expect(read(-1)).toBeUndefined()
  offsets.asked(0, 10)
  offsets.acknowledged(0, 10, true)
  expect(read(-1)).toBe('the committed offset of partition 0 is -1 after 10')
  expect([read(20), read(10)]).toEqual([undefined, 'the committed offset of partition 0 is 10 after 20'])
  offsets.asked(0, 15)
  expect(read(15)).toBeUndefined()
  offsets.acknowledged(0, 15, true)
  expect([read(15), read(14)]).toEqual([undefined, 'the committed offset of partition 0 is 14 after 15'])
})

it('judges what is read by what was known when the question was asked', () => {
  const offsets = new CommittedOffsets()
  const judge = offsets.reading()
  offsets.asked(0, 10)
  offsets.acknowledged(0, 10, true)
  expect(judge(0, -1)).toBeUndefined()
})
