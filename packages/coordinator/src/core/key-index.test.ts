// The order of keys, compared with an array that is sorted each time.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeyIndex } from './key-index.ts'

const names = (entries: Iterable<{ readonly key: string }>) => [...entries].map(({ key }) => key)

describe('the key index', () => {
  it('[KV8] holds what a sorted array holds, in the same order, from any place on', () => {
    const step = fc.tuple(fc.boolean(), fc.nat(400), fc.nat(2_000))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.string({ maxLength: 2 }), (steps, from) => {
        const index = new KeyIndex<{ key: string }>()
        const expected = new Set<string>()
        for (const [adds, count, first] of steps)
          for (let n = first; n < first + count; n++) {
            const key = String((n * 7_919) % 4_001)
            if (adds && !expected.has(key)) index.add({ key })
            if (!adds) index.remove(key)
            expected[adds ? 'add' : 'delete'](key)
          }
        const sorted = [...expected].sort()
        expect(names(index.from(''))).toEqual(sorted)
        expect(names(index.from(from))).toEqual(sorted.filter(key => key >= from))
        expect(index.size).toBe(sorted.length)
        for (const key of ['0', '17', '4000', from]) expect(index.get(key)?.key).toBe(expected.has(key) ? key : undefined)
      }),
      { seed: 11, numRuns: 40 },
    )
  })

  it('[KV8] orders keys as JavaScript compares strings', () => {
    const index = new KeyIndex<{ key: string }>()
    for (const key of ['z', '🪸', '\uffee', 'a', 'é', 'Z']) index.add({ key })
    expect(names(index.from(''))).toEqual(['Z', 'a', 'z', 'é', '🪸', '\uffee'])
  })
})
