// The contract of the Clock port: time goes forward, timers never fire early, `endOfTurn` keeps its order.
import { expect, it } from 'vitest'
import { Conditions, type Harness } from './world.ts'

export function clockContract({ run }: Harness): void {
  it('timers fire in the order of their times, those of one time in the order they were set, and never early', () =>
    run(async ({ clock }) => {
      const fired: string[] = []
      const conditions = new Conditions()
      const set = (name: string, delayMs: number): void => {
        const dueMs = clock.monotonicMs() + delayMs
        clock.after(delayMs, () => {
          expect(clock.monotonicMs()).toBeGreaterThanOrEqual(dueMs)
          fired.push(name)
          conditions.changed()
        })
      }
      set('third', 60)
      set('first', 3.7)
      set('second', 30)
      set('fourth', 60)
      await conditions.until(() => fired.length === 4)
      expect(fired).toEqual(['first', 'second', 'third', 'fourth'])
    }))

  it('a cancelled timer does not fire, and cancelling again does nothing', () =>
    run(async ({ clock }) => {
      const fired: string[] = []
      const conditions = new Conditions()
      const dropped = clock.after(1, () => fired.push('dropped'))
      dropped.cancel()
      dropped.cancel()
      const kept = clock.after(5, () => {
        fired.push('kept')
        kept.cancel()
        conditions.changed()
      })
      await conditions.until(() => fired.length > 0)
      expect(fired).toEqual(['kept'])
    }))

  it('endOfTurn comes after the microtasks of the turn, in the order it was asked for, and never at once', () =>
    run(async ({ clock }) => {
      const done: string[] = []
      const conditions = new Conditions()
      clock.after(0, () => {
        clock.endOfTurn(() => done.push('first'))
        clock.endOfTurn(() => {
          done.push('second')
          clock.endOfTurn(() => {
            done.push('fourth')
            conditions.changed()
          })
          void Promise.resolve().then(() => done.push('third'))
        })
        void Promise.resolve().then(() => done.push('microtask'))
        done.push('sync')
      })
      await conditions.until(() => done.length === 6)
      expect(done).toEqual(['sync', 'microtask', 'first', 'second', 'third', 'fourth'])
    }))

  it('wall time is in this century, and monotonic time does not go back', () =>
    run(async ({ clock }) => {
      expect(clock.wallMs()).toBeGreaterThan(1_700_000_000_000)
      expect(Number.isInteger(clock.wallMs())).toBe(true)
      const before = clock.monotonicMs()
      await new Promise<void>(resolve => clock.after(2, resolve))
      expect(clock.monotonicMs()).toBeGreaterThanOrEqual(before + 2)
    }))
}
