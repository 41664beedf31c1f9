// Majorities, against their definition; and that one change at a time keeps any two of them in touch.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Configuration, changed, majority, majorityIndex } from './configuration.ts'
import { member } from './scripted-server.ts'
import { logIndex } from './terms.ts'

const configurations = fc.record({ voters: fc.integer({ min: 1, max: 6 }), learners: fc.integer({ min: 0, max: 3 }) }).map(
  ({ voters, learners }): Configuration => ({
    voters: Array.from({ length: voters }, (_, place) => member(place + 1)),
    learners: Array.from({ length: learners }, (_, place) => member(place + 11)),
  }),
)
const seed = { seed: 1, numRuns: 300 }

describe('majorities', () => {
  it('[RA20] the committed index is the highest that more than half of the voters hold', () => {
    fc.assert(
      fc.property(configurations, fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 20, maxLength: 20 }), (configuration, held) => {
        const holdsUpTo = (node: string) => logIndex(held[Number(node.slice(1))] ?? 0)
        const index = majorityIndex(configuration, holdsUpTo)
        expect(majority(configuration, node => holdsUpTo(node) >= index)).toBe(true)
        expect(majority(configuration, node => holdsUpTo(node) > index)).toBe(false)
      }),
      seed,
    )
  })

  it('[RA40] any majority before a change and any after it have a server in common', () => {
    fc.assert(
      fc.property(configurations, fc.constantFrom('promote', 'remove'), fc.integer({ min: 1, max: 13 }), (before, kind, place) => {
        const after = changed(before, { kind, node: member(place).node })
        if (typeof after === 'string') return
        const all = new Set([...before.voters, ...after.voters].map(({ node }) => node))
        const least = (voters: number) => Math.floor(voters / 2) + 1
        expect(least(before.voters.length) + least(after.voters.length)).toBeGreaterThan(all.size)
      }),
      seed,
    )
  })

  it('[RA40] the last voter stays, a name is not given twice, and only learners are promoted', () => {
    const alone: Configuration = { voters: [member(1)], learners: [] }
    expect(changed(alone, { kind: 'remove', node: member(1).node })).toBe('last_voter')
    expect(changed(alone, { kind: 'add_learner', member: member(1) })).toBe('already_a_member')
    expect(changed(alone, { kind: 'promote', node: member(1).node })).toBe('not_a_learner')
    expect(changed(alone, { kind: 'remove', node: member(2).node })).toBe('not_a_member')
  })
})
