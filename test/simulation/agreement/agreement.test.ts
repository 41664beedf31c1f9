// Whole coordinators agree while everything around them breaks: what was acknowledged survives, reads are linearizable, all
// end up with the same state, work goes on once nothing is disturbed, and the same seed gives the same run. The commands are
// handed to the drivers; in clients.test.ts they come over the network.
import { faultKinds, runAgreementSeed } from '@atoll/sim'
import { createSimHashes } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { Coverage } from './coverage.ts'

const SEEDS = 45
const hashes = await createSimHashes()

describe('agreement of whole coordinators under faults', () => {
  const coverage = new Coverage()

  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))('[CO4] seed %i loses nothing, and is linearizable', async seed => {
    const report = await runAgreementSeed(seed, hashes)
    coverage.add(report)
    expect(report).toSatisfy(coverage.isThick)
    if (seed % 20 === 0) expect((await runAgreementSeed(seed, hashes)).traceHash).toBe(report.traceHash)
  })

  it('[CO4] went through every kind of fault, elections, snapshots, repairs, and disks in every trouble', () => {
    for (const kind of faultKinds) expect(coverage.faults.get(kind) ?? 0, kind).toBeGreaterThan(5)
    const seen = ['became_leader', 'stepped_down', 'snapshot_taken', 'snapshot_installed', 'disk_full', 'disk_has_room', 'disk_failed']
    for (const event of [
      ...seen,
      'repaired',
      'became_voter',
      'disk_retired',
      'syncsDelayed',
      'syncsStuck',
      'syncsFailed',
      'pagesDropped',
      'pagesTorn',
      'leadership_lost',
    ])
      expect(coverage.events.get(event) ?? 0, event).toBeGreaterThan(2)
    expect(coverage.events.get('history linearizable')).toBe(SEEDS)
    expect(coverage.traces.size).toBe(SEEDS)
  })
})
