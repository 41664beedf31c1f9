// How members of a group share partitions, and the bytes in which they say so.
import { describe, expect, it } from 'vitest'
import { assign, decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from './assignors.ts'

const members = (...topics: readonly (readonly string[])[]) => topics.map((wanted, n) => ({ memberId: `m${n}`, topics: wanted }))
const shares = (...given: Parameters<typeof assign>) =>
  [...assign(...given)].map(([, places]) => places.map(({ topic, partition }) => `${topic}${partition}`).join(' '))
const hex = (bytes: Uint8Array): string => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')

describe('the assignors', () => {
  it('[SL15] range gives neighbours, the first members one more', () => {
    expect(shares('range', members(['a'], ['a'], ['a']), new Map([['a', 7]]))).toEqual(['a0 a1 a2', 'a3 a4', 'a5 a6'])
    expect(shares('range', members(['a'], ['a', 'b']), new Map(Object.entries({ a: 2, b: 2 })))).toEqual(['a0', 'a1 b0 b1'])
  })

  it('[SL15] roundrobin gives one to each in turn, of what it wants', () => {
    const partitions = new Map(Object.entries({ a: 3, b: 2 }))
    expect(shares('roundrobin', members(['a', 'b'], ['a', 'b']), partitions)).toEqual(['a0 a2 b1', 'a1 b0'])
    expect(shares('roundrobin', members(['a'], ['b']), partitions)).toEqual(['a0 a1 a2', 'b0 b1'])
  })

  it('[SL15] gives each partition to exactly one, and none of a topic that is not there or nobody wants', () => {
    for (const assignor of ['range', 'roundrobin'] as const)
      for (let count = 1; count < 6; count++) {
        const given = shares(
          assignor,
          members(...Array.from({ length: count }, () => ['a', 'gone'])),
          new Map([
            ['a', 5],
            ['unwanted', 3],
          ]),
        )
        expect(given.flatMap(share => share.split(' ').filter(Boolean)).toSorted()).toEqual(['a0', 'a1', 'a2', 'a3', 'a4'])
      }
  })

  it('[SL15] speak in the bytes of Kafka’s consumer protocol', () => {
    expect(hex(encodeSubscription(['ab']))).toBe('0000' + '00000001' + '00026162' + 'ffffffff')
    const places = [
      { topic: 'ab', partition: 3 },
      { topic: 'ab', partition: 4 },
    ]
    expect(hex(encodeAssignment(places))).toBe('0000' + '00000001' + '00026162' + '00000002' + '00000003' + '00000004' + 'ffffffff')
    expect(decodeAssignment(encodeAssignment(places))).toEqual(places)
    expect(decodeSubscription(encodeSubscription(['ab', 'é']))).toEqual(['ab', 'é'])
    expect(decodeAssignment(new Uint8Array())).toEqual([])
  })

  it('[SL15] refuse words that are cut off', () => {
    const whole = encodeAssignment([{ topic: 'ab', partition: 3 }])
    for (let length = 1; length < whole.length - 4; length++)
      expect(() => decodeAssignment(whole.subarray(0, length))).toThrow('not in Kafka’s form')
  })
})
