// What a faulty link does to one write or one datagram message. Both Net implementations use this arithmetic, so that
// a rule means the same on real sockets and in the simulator. Pure, but for the draws from the Random it is given.
import { assert } from './assert.ts'
import type { LinkFault } from './ports/links.ts'
import type { DatagramFate } from './ports/net.ts'
import type { Random } from './ports/random.ts'

const REORDER_MS_MIN = 1
const REORDER_MS_MAX = 50
/** A throttled link passes bytes in pieces of at most this much of its rate, in seconds: smooth, yet few timers. */
const BURST_SECONDS = 0.05

/** How long a write is held, in milliseconds. `draw` is the write's own, 0 to 1, so a changed rule re-times what waits. */
export function holdMs(fault: LinkFault | undefined, draw: number): number {
  return (fault?.delayMs ?? 0) + (fault?.jitterMs ?? 0) * draw
}

/** `bytes` themselves when the link spares them, else a copy with one bit flipped: the caller may share its buffer. */
export function corrupted(bytes: Uint8Array, fault: LinkFault | undefined, random: Random): Uint8Array {
  const probability = fault?.corruptProbability ?? 0
  if (probability === 0 || bytes.length === 0 || random.float() >= probability) return bytes
  // Not `slice`: a Buffer's is a view of the same memory.
  const damaged = new Uint8Array(bytes)
  const bit = random.below(damaged.length * 8)
  damaged[bit >>> 3] = (damaged[bit >>> 3] as number) ^ (1 << (bit & 7))
  return damaged
}

/** What befalls one datagram message on the link; undefined is one copy at once. */
export function drawDatagramFate(fault: LinkFault | undefined, random: Random): DatagramFate | undefined {
  if (fault === undefined) return undefined
  const { lossProbability = 0, duplicateProbability = 0, reorderProbability = 0 } = fault
  if (lossProbability === 0 && duplicateProbability === 0 && reorderProbability === 0) return undefined
  if (random.float() < lossProbability) return []
  const copies = random.float() < duplicateProbability ? 2 : 1
  return Array.from({ length: copies }, () =>
    random.float() < reorderProbability ? REORDER_MS_MIN + random.float() * (REORDER_MS_MAX - REORDER_MS_MIN) : 0,
  )
}

/** A token bucket shared by all connections over one directed link. Time is an argument, in monotonic milliseconds. */
export class Throttle {
  #tokens = 0
  #filledMs = Number.NEGATIVE_INFINITY

  /** How many of `wanted` bytes may pass now, 0 to `wanted`. They count as passed. */
  take(nowMs: number, bytesPerSecond: number, wanted: number): number {
    assert(bytesPerSecond >= 1 && wanted > 0, 'a throttled link passes at least a byte per second')
    this.#tokens = Math.min(burst(bytesPerSecond), this.#tokens + (Math.max(0, nowMs - this.#filledMs) * bytesPerSecond) / 1000)
    this.#filledMs = nowMs
    const passed = Math.min(wanted, Math.floor(this.#tokens))
    this.#tokens -= passed
    return passed
  }

  /** How long until a useful piece of `wanted` bytes may pass, in milliseconds, more than 0. */
  waitMs(bytesPerSecond: number, wanted: number): number {
    return Math.max(0.01, ((Math.min(wanted, burst(bytesPerSecond)) - this.#tokens) * 1000) / bytesPerSecond)
  }
}

function burst(bytesPerSecond: number): number {
  return Math.max(1, Math.floor(bytesPerSecond * BURST_SECONDS))
}
