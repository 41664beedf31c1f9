// Seeded randomness: xoshiro128** 1.1 (Blackman and Vigna, 2018), seeded through splitmix32 so that close seeds
// give unrelated streams. For simulation, shuffles and jitter; never for secrets.
import { assert } from './assert.ts'
import type { Random } from './ports/random.ts'

const TWO_32 = 4_294_967_296

function splitmix32(state: number): () => number {
  let s = state >>> 0
  return () => {
    s = (s + 0x9e3779b9) >>> 0
    let z = s
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
}

/** A reproducible source of randomness: the same seed gives the same stream on every platform. */
export function seededRandom(seed: number): SeededRandom {
  const mix = splitmix32(seed)
  return new SeededRandom(mix(), mix(), mix(), mix() | 1)
}

export class SeededRandom implements Random {
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(a: number, b: number, c: number, d: number) {
    this.#a = a >>> 0
    this.#b = b >>> 0
    this.#c = c >>> 0
    this.#d = d >>> 0
  }

  u32(): number {
    const times5 = Math.imul(this.#b, 5)
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9) >>> 0
    const t = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= t
    this.#d = (this.#d << 11) | (this.#d >>> 21)
    return result
  }

  float(): number {
    return this.u32() / TWO_32
  }

  below(bound: number): number {
    assert(Number.isSafeInteger(bound) && bound > 0 && bound <= TWO_32, 'bound of a random integer is 1 to 2^32')
    // Rejection sampling: without it the low values of an awkward bound come up more often.
    const limit = TWO_32 - (TWO_32 % bound)
    for (;;) {
      const value = this.u32()
      if (value < limit) return value % bound
    }
  }

  bytes(length: number): Uint8Array {
    const out = new Uint8Array(length)
    for (let i = 0; i < length; i++) out[i] = this.u32() >>> 24
    return out
  }

  /** An independent stream derived from this one, so that one consumer's draws do not shift another's. */
  fork(): SeededRandom {
    return seededRandom(this.u32())
  }
}

/** Shuffles `items` in place (Fisher-Yates, Durstenfeld's form) and returns it. */
export function shuffle<T>(items: T[], random: Random): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const swap = items[i] as T
    items[i] = items[j] as T
    items[j] = swap
  }
  return items
}
