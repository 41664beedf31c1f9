// What is promised of failure detection at 12 processes, and that its cost stays flat as a cluster grows. The full
// figures, up to 1,000 members: bench/swim-simulation.ts.
import * as swim from '@atoll/swim'
import { describe, expect, it } from 'vitest'
import { type Detection, measureDetection, measureFalseAlarms, measureTraffic } from './scenarios.ts'

const MEMBERS = 12
const SEEDS = [1, 2, 3, 4, 5]
const HOUR_MS = 3_600_000

const worst = (detections: readonly Detection[]) => Math.max(...detections.map(({ allKnow }) => allKnow ?? Number.POSITIVE_INFINITY))

describe('a death', () => {
  it.each(SEEDS)('[SW70] by kill is known by all 12 within 0.5 s, worst of 30 (seed %i)', seed => {
    expect(worst(measureDetection({ module: swim, size: MEMBERS, seed }, 'kill', 30))).toBeLessThan(500)
  })

  it.each(SEEDS)('[SW71] by pause is known by all 12 within 1.6 s, worst of 30 (seed %i)', seed => {
    expect(worst(measureDetection({ module: swim, size: MEMBERS, seed }, 'pause', 30))).toBeLessThan(1_600)
  })
})

describe('no death', () => {
  it.each([
    ['in an idle hour', HOUR_MS, {}, {}],
    ['under pauses of 600 ms', HOUR_MS / 6, {}, { pauseMs: 600 }],
    ['on a busy machine', HOUR_MS / 6, {}, { busy: true }],
    ['under pauses of 450 ms on a busy machine', HOUR_MS / 6, {}, { pauseMs: 450, busy: true }],
    ['at 20 % loss', HOUR_MS / 6, { lossRate: 0.2 }, {}],
  ] as const)('[SW72] [SW75] is declared %s', (_name, ms, loss, trouble) => {
    const { deaths, violations } = measureFalseAlarms({ module: swim, size: MEMBERS, seed: 1, ...loss }, ms, trouble)
    expect(violations).toEqual([])
    expect(deaths).toBe(0)
  })
})

describe('cost', () => {
  it('[SW73] is the same number of messages and wake-ups per member at any size', () => {
    for (const size of [5, 12, 30, 100, 300]) {
      const { messages, ticks, bytes } = measureTraffic({ module: swim, size, seed: 1 }, size > 30 ? 10_000 : 60_000)
      expect(messages).toBeGreaterThan(13)
      expect(messages).toBeLessThan(14)
      expect(ticks).toBeLessThan(7.5)
      expect(bytes).toBeLessThan(1_000)
    }
  })
})
