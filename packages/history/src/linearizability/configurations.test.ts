// Rule LI12: which configurations are the same.
import { seededRandom } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { Configurations } from './configurations.ts'
import { EntryList } from './entry-list.ts'
import { LinearizedSet } from './linearized-set.ts'

/** Operations that all overlap, so that any set of them can be linearized. */
function overlapping(required: number, optional: number, hash: 'true' | 'useless') {
  const list = new EntryList(
    Array.from({ length: required + optional }, (_, at) => ({ t0: at, t1: 1_000 + at })),
    required,
  )
  const set = new LinearizedSet(required, optional)
  const members = {
    words: set.words,
    optionalStart: set.optionalStart,
    get hash() {
      return hash === 'true' ? set.hash : 0
    },
  }
  const tried = new Configurations(list, members, 1 << 24)
  /** Adds the configuration with exactly these members. */
  const add = (chosen: readonly number[], state: number): boolean => {
    for (const operation of chosen) {
      set.flip(operation)
      if (operation < required) list.lift(operation)
    }
    const added = tried.add(state)
    for (const operation of chosen.toReversed()) {
      set.flip(operation)
      if (operation < required) list.unlift(operation)
    }
    return added
  }
  return { add, tried }
}

describe('configurations', () => {
  it.each(['true', 'useless'] as const)('[LI12] are told apart by members and state, with a hash that is %s', hash => {
    const { add, tried } = overlapping(70, 0, hash)
    const random = seededRandom(5)
    const seen = new Set<string>()
    for (let round = 0; round < 1_500; round++) {
      const chosen = Array.from({ length: 70 }, (_, operation) => operation).filter(operation =>
        operation < 60 ? random.below(50) > 0 : random.below(2) === 0,
      )
      const state = random.below(2)
      const name = `${state}:${chosen.join()}`
      expect(add(chosen, state), name).toBe(!seen.has(name))
      expect(add(chosen, state), name).toBe(false)
      seen.add(name)
    }
    expect(tried.count).toBe(seen.size)
  })

  it('[LI12] answer for every other that used more of what perhaps never happened', () => {
    const { add } = overlapping(3, 40, 'true')
    expect(add([0, 10, 40], 7)).toBe(true)
    expect(add([0, 10, 11, 40], 7)).toBe(false)
    expect(add([0, 10], 7)).toBe(true)
    expect(add([0, 10, 42], 7)).toBe(false)
    expect(add([0, 11], 7)).toBe(true)
    expect(add([0, 1, 10, 40], 7)).toBe(true)
    expect(add([0, 10, 40], 8)).toBe(true)
  })
})
