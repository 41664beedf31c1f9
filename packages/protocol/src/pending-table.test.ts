// The table of pending requests against a Map.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PendingTable } from './pending-table.ts'

describe('pending requests', () => {
  it('[RQ1] are found by their ids like in a Map, whatever comes and goes', () => {
    const steps = fc.array(fc.record({ add: fc.boolean(), which: fc.nat() }), { maxLength: 400 })
    fc.assert(
      fc.property(steps, fc.nat(0xffff_ffff), (script, firstId) => {
        const table = new PendingTable<{ id: number }>()
        const model = new Map<number, { id: number }>()
        let id = firstId
        for (const { add, which } of script) {
          if (add) {
            do id = (id + 1) >>> 0
            while (!table.isFree(id))
            const entry = { id }
            table.add(entry)
            model.set(id, entry)
          } else if (model.size > 0) {
            const entry = [...model.values()][which % model.size] as { id: number }
            expect(table.delete(entry)).toBe(true)
            expect(table.delete(entry)).toBe(false)
            model.delete(entry.id)
          }
          expect(table.size).toBe(model.size)
        }
        for (let near = firstId - 5; near < firstId + 500; near++) expect(table.get(near >>> 0)).toBe(model.get(near >>> 0))
        expect(new Set(table.entries())).toEqual(new Set(model.values()))
      }),
      { seed: 1, numRuns: 100 },
    )
  })
})
