// Groups at random: members come, go and lose answers, and the coordinator moves.
import { describe, expect, it } from 'vitest'
import { SimulatedMembers } from './simulated-members.ts'

describe('a group to which anything happens', () => {
  it('[GS1] has one assignment for each round, loses no committed offset, and settles once it is left alone', () => {
    let [rounds, committed] = [0, 0]
    for (let seed = 1; seed <= 100; seed++) {
      const simulated = new SimulatedMembers(seed, 2 + (seed % 5))
      for (let n = 0; n < 800; n++) simulated.step(false)
      rounds += simulated.rounds
      committed += simulated.acknowledged
      let calm = 0
      while (!simulated.settled && calm < 3_000) {
        simulated.step(true)
        calm++
      }
      expect(`seed ${seed}: settled ${simulated.settled}`).toBe(`seed ${seed}: settled true`)
    }
    // It was not for lack of anything happening.
    expect([rounds > 500, committed > 1_000]).toEqual([true, true])
  })
})
