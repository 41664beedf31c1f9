// Whole coordinators agree while everything around them breaks: what was acknowledged survives, reads are linearizable, all
// end up with the same state, work goes on once nothing is disturbed, and the same seed gives the same run.
import { runAgreementSeed } from '@atoll/sim'
import { createSimHashes } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'

const SEEDS = 15
const hashes = await createSimHashes()

describe('agreement of whole coordinators under faults', () => {
  const coverage = new Map<string, number>()

  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))('[CO4] seed %i loses nothing, and is linearizable', async seed => {
    const report = await runAgreementSeed(seed, hashes)
    for (const [event, count] of report.coverage) coverage.set(event, (coverage.get(event) ?? 0) + count)
    expect(report.operations).toBeGreaterThan(1_000)
    expect(report.acknowledged).toBeGreaterThan(100)
    if (seed % 10 === 0) expect((await runAgreementSeed(seed, hashes)).traceHash).toBe(report.traceHash)
  })

  it('[CO4] went through elections, snapshots, and disks that were full, slow, stuck, failed and without power', () => {
    const seen = ['became_leader', 'stepped_down', 'snapshot_taken', 'snapshot_installed', 'disk_full', 'disk_has_room', 'disk_failed']
    for (const event of [...seen, 'syncsDelayed', 'syncsStuck', 'syncsFailed', 'pagesDropped', 'leadership_lost'])
      expect(coverage.get(event) ?? 0, event).toBeGreaterThan(2)
    expect(coverage.get('history linearizable')).toBe(SEEDS)
  })
})
