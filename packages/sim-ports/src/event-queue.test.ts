// The event queue against the obvious model: a sorted list.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { EventQueue, type Queued } from './event-queue.ts'

it('gives events by time, then by sequence, whatever was removed in between', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('push' as const), atMs: fc.integer({ min: 0, max: 20 }) }),
    fc.record({ kind: fc.constant('pop' as const) }),
    fc.record({ kind: fc.constant('remove' as const), which: fc.nat() }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), steps => {
      const queue = new EventQueue<Queued>()
      let model: Queued[] = []
      for (const [sequence, what] of steps.entries()) {
        if (what.kind === 'push') {
          const event: Queued = { atMs: what.atMs, sequence, place: -1 }
          queue.push(event)
          model = [...model, event].toSorted((a, b) => a.atMs - b.atMs || a.sequence - b.sequence)
        } else if (what.kind === 'pop') {
          expect(queue.pop()).toBe(model.shift())
        } else {
          const event = model[what.which % Math.max(1, model.length)]
          if (event === undefined) continue
          queue.remove(event)
          // Removing what is not there any more does nothing.
          queue.remove(event)
          model = model.filter(other => other !== event)
        }
        expect(queue.nextMs).toBe(model[0]?.atMs ?? Number.POSITIVE_INFINITY)
        expect(queue.length).toBe(model.length)
      }
    }),
    { seed: 7, numRuns: 200 },
  )
})
