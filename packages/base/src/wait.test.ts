// Waiting on a clock that the test moves by hand.
import { expect, it } from 'vitest'
import type { MonotonicMs, WallMs } from './brand.ts'
import type { Clock } from './ports/clock.ts'
import { AbortedError, sleep as pause, withDeadline } from './wait.ts'

interface Waiting {
  readonly dueMs: number
  readonly task: () => void
}

/** A clock that stands still until `advance`. */
function handClock(): Clock & { advance(ms: number): void; readonly timers: ReadonlySet<Waiting> } {
  const timers = new Set<Waiting>()
  let nowMs = 0
  return {
    timers,
    monotonicMs: () => nowMs as MonotonicMs,
    wallMs: () => nowMs as WallMs,
    endOfTurn: queueMicrotask,
    after(delayMs, task) {
      const timer = { dueMs: nowMs + delayMs, task }
      timers.add(timer)
      return { cancel: () => void timers.delete(timer) }
    },
    advance(ms) {
      nowMs += ms
      for (const timer of timers) {
        if (timer.dueMs > nowMs) continue
        timers.delete(timer)
        timer.task()
      }
    },
  }
}

it('a wait ends when its time has come', async () => {
  const clock = handClock()
  const wait = pause(clock, 10)
  clock.advance(9)
  expect(clock.timers.size).toBe(1)
  clock.advance(1)
  await expect(wait).resolves.toBeUndefined()
})

it('a wait ends at once when aborted, before or during, with the reason as cause, and leaves no timer', async () => {
  const clock = handClock()
  const reason = new Error('shutting down')
  await expect(pause(clock, 10, AbortSignal.abort(reason))).rejects.toMatchObject({ name: 'AbortedError', cause: reason })
  const controller = new AbortController()
  const wait = pause(clock, 10, controller.signal)
  controller.abort(reason)
  await expect(wait).rejects.toBeInstanceOf(AbortedError)
  expect(clock.timers.size).toBe(0)
})

it('a deadline gives the work its outcome, good or bad, or its own error when time is up', async () => {
  const clock = handClock()
  const late = (): Error => new Error('too late')
  await expect(withDeadline(clock, 10, Promise.resolve(7), late)).resolves.toBe(7)
  await expect(withDeadline(clock, 10, Promise.reject(new Error('broken')), late)).rejects.toThrow('broken')
  expect(clock.timers.size).toBe(0)
  const never = withDeadline(clock, 10, new Promise<never>(() => {}), late)
  clock.advance(10)
  await expect(never).rejects.toThrow('too late')
})
