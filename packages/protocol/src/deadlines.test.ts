// Deadlines: never early, at most a sixteenth late, few timers, and nothing left when they are met.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Deadlines, type Expiring, roundedDurationMs } from './deadlines.ts'
import { FakeClock } from './fakes.ts'

function expiring(expire: () => void): Expiring {
  return { expireAtMs: 0, list: undefined, before: undefined, after: undefined, expire }
}

describe('deadlines', () => {
  it('are rounded up by at most 6.25 %, to a few hundred values', () => {
    const values = new Set<number>()
    for (let ms = 1; ms <= 600_000; ms++) {
      const rounded = roundedDurationMs(ms)
      values.add(rounded)
      if (rounded < ms || rounded > ms * 1.0625 + 1) expect.fail(`${ms} became ${rounded}`)
    }
    expect(values.size).toBeLessThanOrEqual(272)
  })

  it('[RQ3] expire in time, each once, unless removed before', () => {
    const plan = fc.array(
      fc.record({ atMs: fc.nat(500), durationMs: fc.integer({ min: 1, max: 2_000 }), removeAfterMs: fc.option(fc.nat(2_500)) }),
      { maxLength: 40 },
    )
    fc.assert(
      fc.property(plan, entries => {
        const clock = new FakeClock()
        const deadlines = new Deadlines(clock)
        const startMs = clock.monotonicMs()
        const expired: (number | undefined)[] = entries.map(() => undefined)
        for (const [i, { atMs, durationMs, removeAfterMs }] of entries.entries())
          clock.after(atMs, () => {
            const entry = expiring(() => {
              expect(expired[i]).toBeUndefined()
              expired[i] = clock.monotonicMs() - startMs
            })
            deadlines.add(entry, durationMs)
            if (removeAfterMs !== null) clock.after(removeAfterMs, () => deadlines.remove(entry))
          })
        clock.advance(5_000)
        for (const [i, { atMs, durationMs, removeAfterMs }] of entries.entries()) {
          const at = expired[i]
          if (removeAfterMs !== null && removeAfterMs < durationMs) expect(at).toBeUndefined()
          else if (removeAfterMs === null || removeAfterMs > durationMs * 1.0625 + 1) {
            expect(at).toBeGreaterThanOrEqual(atMs + durationMs)
            expect(at).toBeLessThanOrEqual(atMs + durationMs * 1.0625 + 1)
          }
        }
        expect(clock.timerCount).toBe(0)
      }),
      { seed: 1, numRuns: 200 },
    )
  })

  it('[RQ9] cost one timer for all of one duration', () => {
    const clock = new FakeClock()
    const deadlines = new Deadlines(clock)
    const entries = Array.from({ length: 1_000 }, () => expiring(() => expect.fail('was met')))
    for (const entry of entries) deadlines.add(entry, 5_000)
    expect(clock.timerCount).toBe(1)
    for (const entry of entries) deadlines.remove(entry)
    clock.advance(6_000)
    expect(clock.timerCount).toBe(0)
  })

  it('may be added to while one of them expires', () => {
    const clock = new FakeClock()
    const deadlines = new Deadlines(clock)
    let rounds = 0
    const again = (): void => {
      rounds++
      deadlines.add(expiring(again), 10)
    }
    again()
    clock.advance(1_000)
    expect(rounds).toBe(101)
    expect(clock.timerCount).toBe(1)
  })

  it('are over once closed, also those added later', () => {
    const clock = new FakeClock()
    const deadlines = new Deadlines(clock)
    deadlines.add(
      expiring(() => expect.fail('was closed')),
      10,
    )
    deadlines.close()
    deadlines.add(
      expiring(() => expect.fail('was closed')),
      20,
    )
    expect(clock.timerCount).toBe(0)
    clock.advance(100)
  })
})
