// Whole coordinators in the simulator: killed, paused, cut off and slowed from a seed, then mended. All views must be right
// within ten seconds of virtual time, and the same seed must give the same run.
import { runGossipSeed } from '@atoll/sim'
import { createSimHashes } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'

const SEEDS = 60
const hashes = await createSimHashes()

describe('gossip of whole coordinators under faults', () => {
  const coverage = new Map<string, number>()

  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))('seed %i agrees on the truth after the last fault', async seed => {
    const report = await runGossipSeed(seed, hashes)
    for (const [event, count] of report.coverage) coverage.set(event, (coverage.get(event) ?? 0) + count)
    if (seed % 20 === 0) {
      const again = await runGossipSeed(seed, hashes)
      expect(again.traceHash).toBe(report.traceHash)
      expect(again.events).toBe(report.events)
    }
  })

  it('went through every change a member can go through', () => {
    for (const event of ['member_alive', 'member_suspect', 'member_dead', 'refuted_self', 'own_stall', 'joined'])
      expect(coverage.get(event), event).toBeGreaterThan(10)
  })
})
