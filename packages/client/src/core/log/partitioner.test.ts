// Where records go: the hash of a key as Kafka has it, and the ways to spread records without one.
import { seededRandom } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { murmur2 } from './murmur2.ts'
import { PartitionChoice, partitionOfKey } from './partitioner.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const everyone = (): boolean => true

describe('the hash of keys', () => {
  it.each([
    ['21', -973_932_308],
    ['foobar', -790_332_482],
    ['a-little-bit-long-string', -985_981_536],
    ['a-little-bit-longer-string', -1_486_304_829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58_897_971],
    ['abc', 479_470_107],
  ])('[SL2] of %s is that of Kafka (apache/kafka UtilsTest)', (key, hash) => {
    expect(murmur2(utf8(key))).toBe(hash)
  })
})

describe('the choice of a partition', () => {
  it('[SL2] is Kafka’s for a key, whether the partition has a leader or not', () => {
    const choice = new PartitionChoice('sticky', seededRandom(1))
    expect(choice.choose(utf8('foobar'), 10, () => false)).toBe((-790_332_482 & 0x7fff_ffff) % 10)
    expect(partitionOfKey(utf8('foobar'), 10)).toBe((-790_332_482 & 0x7fff_ffff) % 10)
  })

  it('[SL2] stays until a batch is full, and then goes elsewhere', () => {
    const choice = new PartitionChoice('sticky', seededRandom(1))
    const first = choice.choose(null, 8, everyone)
    expect(Array.from({ length: 5 }, () => choice.choose(null, 8, everyone))).toEqual(new Array(5).fill(first))
    const later = Array.from({ length: 50 }, () => {
      choice.batchFull(choice.choose(null, 8, everyone))
      return choice.choose(null, 8, everyone)
    })
    expect(new Set(later).size).toBe(8)
  })

  it('[SL2] takes each in turn when it is told to, past those without a leader', () => {
    const choice = new PartitionChoice('round-robin', seededRandom(1))
    expect(Array.from({ length: 6 }, () => choice.choose(null, 4, partition => partition !== 2))).toEqual([0, 1, 3, 0, 1, 3])
    expect(choice.choose(null, 4, () => false)).toBeLessThan(4)
  })

  it('[SL2] is a function’s when one is given', () => {
    const choice = new PartitionChoice((key, partitions) => (key?.length ?? 0) % partitions, seededRandom(1))
    expect(choice.choose(utf8('four!'), 4, everyone)).toBe(1)
  })
})
