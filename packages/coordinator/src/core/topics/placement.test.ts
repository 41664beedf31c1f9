// Where replicas go.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { place } from './placement.ts'
import { createTopic, nodeOf, ScriptedTopics } from './scripted-topics.ts'

const brokers = (count: number, rackOf: (n: number) => string = () => '') =>
  Array.from({ length: count }, (_, n) => ({ node: nodeOf(`b${n}`), rack: rackOf(n), live: true }))
const counts = (nodes: readonly string[], of: readonly { node: string }[]) => of.map(({ node }) => nodes.filter(one => one === node).length)
const spread = (numbers: readonly number[]) => Math.max(...numbers) - Math.min(...numbers)

describe('placement', () => {
  it('[PA1] gives every broker as many leaders as any other, give or take one, and replicas alike', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.nat(8),
        fc.integer({ min: 1, max: 60 }),
        fc.nat(1_000),
        (count, more, partitions, placed) => {
          const all = brokers(count)
          const replicas = Math.min(count, 1 + more)
          const placements = place(all, { count: partitions, replicas, placed })
          for (const one of placements) expect(new Set(one).size).toBe(replicas)
          expect(
            spread(
              counts(
                placements.map(([leader]) => leader ?? ''),
                all,
              ),
            ),
          ).toBeLessThanOrEqual(1)
          if (partitions % count === 0 && placed % count === 0) expect(spread(counts(placements.flat(), all))).toBe(0)
        },
      ),
      { seed: 71, numRuns: 200 },
    )
  })

  it('[PA2] puts two replicas into one rack only when there are fewer racks than replicas', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(100),
        (racks, each, replicas, placed) => {
          const all = brokers(racks * each, n => `r${n % racks}`)
          const rackOf = new Map(all.map(({ node, rack }) => [node, rack]))
          for (const one of place(all, { count: 24, replicas: Math.min(replicas, all.length), placed }))
            expect(new Set(one.map(node => rackOf.get(node))).size).toBe(Math.min(one.length, racks))
        },
      ),
      { seed: 72, numRuns: 100 },
    )
  })

  it('[PA3] counts on brokers that are away only when there are too few without them, and never to lead', () => {
    const one = ScriptedTopics.withBrokers(4)
    one.fence('2')
    one.do(createTopic('t', { partitions: 6 }))
    for (let n = 0; n < 6; n++) expect(one.partition('t', n).replicas).not.toContain('2')
    one.fence('3')
    one.do(createTopic('u', { partitions: 6, id: new Uint8Array(16).fill(2) }))
    for (let n = 0; n < 6; n++) {
      const { replicas, leader, isr } = one.partition('u', n)
      expect([replicas.length, ['1', '4'].includes(leader ?? ''), isr.every(({ node }) => node === '1' || node === '4')]).toEqual([
        3,
        true,
        true,
      ])
    }
  })
})
