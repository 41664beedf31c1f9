// Rule CL1: the indexes are Kafka's, bit by bit, and a damaged one is told from a good one as far as it can be.
import type { BatchHeader, Offset } from '@atoll/records'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { SegmentIndex } from './segment-index.ts'

const header = (baseOffset: number, count: number, sizeBytes: number, maxTimestampMs: number): BatchHeader => ({
  baseOffset: baseOffset as Offset,
  lastOffset: (baseOffset + count - 1) as Offset,
  sizeBytes,
  leaderEpoch: 0 as BatchHeader['leaderEpoch'],
  crc: 0,
  codec: 'none',
  timestampType: 'create',
  transactional: false,
  control: false,
  hasDeleteHorizon: false,
  baseTimestampMs: maxTimestampMs,
  maxTimestampMs,
  producerId: -1,
  producerEpoch: -1,
  baseSequence: -1,
  count,
})
const base = 1_000 as Offset
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Ten batches of two records and 1,500 bytes, a second apart, the fifth of them the latest. */
function tenBatches(): SegmentIndex {
  const index = new SegmentIndex(base, 4_096)
  for (let batch = 0; batch < 10; batch++)
    index.add(header(1_000 + batch * 2, 2, 1_500, batch === 4 ? 99_000 : batch * 1_000), batch * 1_500)
  return index
}

it('[CL1] an offset entry is the last offset of the batch after 4 KiB, and where that begins', () => {
  const index = tenBatches()
  // Batches 3, 6 and 9: relative last offsets 7, 13, 19 at 4,500, 9,000 and 13,500.
  expect(hex(index.offsetBytes())).toBe('0000000700001194' + '0000000d00002328' + '00000013000034bc')
  expect([1_000, 1_005, 1_007, 1_008, 1_013, 1_019].map(offset => index.positionOf(offset as Offset))).toEqual([
    0, 0, 4_500, 4_500, 9_000, 13_500,
  ])
})

it('[CL1] a time entry is the latest time so far, and the last one that of the segment', () => {
  const index = tenBatches()
  index.addTimeEntry()
  // 3,000 ms at offset 7, then 99,000 ms at 9; later times are not later.
  expect(hex(index.timeBytes())).toBe('0000000000000bb8' + '00000007' + '00000000000182b8' + '00000009')
  expect(index.maxTimestampMs).toBe(99_000)
  expect([500, 3_000, 3_001, 99_000].map(time => index.offsetBefore(time))).toEqual([1_000, 1_000, 1_007, 1_007])
})

it('[CL1] what was written is read back, and what cannot be right is not', () => {
  const index = tenBatches()
  index.addTimeEntry()
  const [offsets, times] = [index.offsetBytes(), index.timeBytes()]
  const read = (a: Uint8Array, b: Uint8Array, segmentBytes = 15_000) => SegmentIndex.read(base, 4_096, a, b, segmentBytes)
  const again = read(offsets, times)
  expect([hex(again!.offsetBytes()), hex(again!.timeBytes()), again!.maxTimestampMs]).toEqual([hex(offsets), hex(times), 99_000])
  expect(read(offsets.subarray(1), times)).toBeUndefined()
  expect(read(offsets, times.subarray(1))).toBeUndefined()
  expect(read(offsets, times, 13_000)).toBeUndefined()
  expect(read(new Uint8Array(offsets.length), times)).toBeUndefined()
  expect(read(offsets, new Uint8Array(times.length).fill(0xff))).toBeUndefined()
})

it('[CL1] never points behind what is looked for', () => {
  const sizes = fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 61, max: 6_000 })), { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(sizes, batches => {
      const index = new SegmentIndex(base, 4_096)
      const places: (readonly [offset: number, position: number])[] = []
      let [offset, position] = [1_000, 0]
      for (const [count, size] of batches) {
        index.add(header(offset, count, size, -1), position)
        for (let each = 0; each < count; each++) places.push([offset + each, position])
        offset += count
        position += size
      }
      for (const [wanted, begins] of places) expect(index.positionOf(wanted as Offset)).toBeLessThanOrEqual(begins)
      const longest = Math.max(...batches.map(([, size]) => size))
      for (const [wanted, begins] of places) expect(begins - index.positionOf(wanted as Offset)).toBeLessThanOrEqual(4_096 + longest)
    }),
    { seed: 21 },
  )
})
