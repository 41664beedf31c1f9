// Link rules and their arithmetic.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nodeId } from './brand.ts'
import { corrupted, drawDatagramFate, holdMs, Throttle } from './link-effects.ts'
import { faultOn, type LinkRule } from './ports/links.ts'
import { seededRandom } from './prng.ts'

const A = nodeId('a')
const B = nodeId('b')

describe('faultOn', () => {
  it('finds rules by direction, names and stars, and merges them to the harsher', () => {
    const rules: readonly LinkRule[] = [
      { from: A, to: B, fault: { delayMs: 10, bytesPerSecond: 100, cut: true } },
      { from: '*', to: B, fault: { delayMs: 20, bytesPerSecond: 500, cut: false } },
      { from: B, to: A, fault: { reset: true } },
    ]
    expect(faultOn(rules, A, B)).toEqual({ delayMs: 20, bytesPerSecond: 100, cut: true })
    expect(faultOn(rules, B, A)).toEqual({ reset: true })
    expect(faultOn(rules, nodeId('c'), A)).toBeUndefined()
    expect(faultOn([], A, B)).toBeUndefined()
  })

  it('a star is every other node: nobody is cut off from itself', () => {
    expect(faultOn([{ from: '*', to: '*', fault: { cut: true } }], A, A)).toBeUndefined()
  })
})

describe('effects', () => {
  it('a write is held for the delay and its own share of the jitter', () => {
    expect(holdMs(undefined, 0.5)).toBe(0)
    expect(holdMs({ delayMs: 10 }, 0.5)).toBe(10)
    expect(holdMs({ delayMs: 10, jitterMs: 4 }, 0.5)).toBe(12)
  })

  it('corruption flips one bit in a copy, a Buffer included, or leaves the very same bytes', () => {
    const random = seededRandom(1)
    const bytes = Buffer.from('a buffer that its owner shares')
    const before = bytes.toString()
    const damaged = corrupted(bytes, { corruptProbability: 1 }, random)
    expect(bytes.toString()).toBe(before)
    const flipped = damaged.reduce((sum, byte, at) => sum + (byte ^ (bytes[at] as number)).toString(2).replaceAll('0', '').length, 0)
    expect([damaged.length, flipped]).toEqual([bytes.length, 1])
    expect(corrupted(bytes, { corruptProbability: 0 }, random)).toBe(bytes)
    expect(corrupted(bytes, undefined, random)).toBe(bytes)
    expect(corrupted(new Uint8Array(0), { corruptProbability: 1 }, random).length).toBe(0)
  })

  it('a rule without datagram faults leaves datagrams alone', () => {
    expect(drawDatagramFate({ cut: true, delayMs: 5 }, seededRandom(1))).toBeUndefined()
    expect(drawDatagramFate({ lossProbability: 1 }, seededRandom(1))).toEqual([])
    expect(drawDatagramFate({ duplicateProbability: 1 }, seededRandom(1))).toEqual([0, 0])
  })

  it('a throttle never passes more than its rate and one burst, however it is asked', () => {
    const asks = fc.array(
      fc.record({ laterMs: fc.double({ min: 0, max: 200, noNaN: true }), wanted: fc.integer({ min: 1, max: 100_000 }) }),
    )
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), asks, (bytesPerSecond, steps) => {
        const throttle = new Throttle()
        let nowMs = 1_000
        let passed = 0
        for (const { laterMs, wanted } of steps) {
          nowMs += laterMs
          passed += throttle.take(nowMs, bytesPerSecond, wanted)
        }
        expect(passed).toBeLessThanOrEqual(((nowMs - 1_000) * bytesPerSecond) / 1_000 + Math.max(1, bytesPerSecond * 0.05))
      }),
      { seed: 7 },
    )
  })

  it('after the wait it asks for, a throttle passes something', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000_000 }), fc.integer({ min: 1, max: 1_000_000 }), (bytesPerSecond, wanted) => {
        const throttle = new Throttle()
        let nowMs = 0
        throttle.take(nowMs, bytesPerSecond, wanted)
        nowMs += throttle.waitMs(bytesPerSecond, wanted) + 0.001
        expect(throttle.take(nowMs, bytesPerSecond, wanted)).toBeGreaterThan(0)
      }),
      { seed: 7 },
    )
  })
})
