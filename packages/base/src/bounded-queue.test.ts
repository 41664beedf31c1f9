// The bounded queue against the obvious model, an array.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { BoundedQueue } from './bounded-queue.ts'

it('is first in, first out, says when it is full, and drops nothing silently', () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.constant('push' as const) },
    { weight: 2, arbitrary: fc.constant('shift' as const) },
    { weight: 1, arbitrary: fc.constant('peek' as const) },
  )
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.array(step, { maxLength: 300 }), (capacity, steps) => {
      const queue = new BoundedQueue<number>(capacity)
      const model: number[] = []
      for (const [value, what] of steps.entries()) {
        if (what === 'push') {
          const fits = model.length < capacity
          expect(queue.push(value)).toBe(fits)
          if (fits) model.push(value)
        } else if (what === 'shift') {
          expect(queue.shift()).toBe(model.shift())
        } else {
          expect(queue.peek()).toBe(model[0])
        }
        expect([queue.length, queue.full]).toEqual([model.length, model.length === capacity])
      }
    }),
    { seed: 7, numRuns: 200 },
  )
})

it('is empty and usable after clear', () => {
  const queue = new BoundedQueue<string>(2)
  queue.push('a')
  queue.push('b')
  queue.clear()
  expect([queue.length, queue.peek(), queue.shift()]).toEqual([0, undefined, undefined])
  expect([queue.push('c'), queue.shift()]).toEqual([true, 'c'])
})

it('has a capacity of at least one', () => {
  for (const capacity of [0, -1, 1.5, Number.NaN]) expect(() => new BoundedQueue(capacity)).toThrow('capacity')
})
