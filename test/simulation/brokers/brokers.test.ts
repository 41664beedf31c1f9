// Whole brokers and coordinators with producers and consumers while everything around them breaks.
import { runBrokersSeed } from '@atoll/sim'
import { createSimHashes } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'

const SEEDS = 3
const hashes = await createSimHashes()

describe('the log of whole brokers under faults', () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))('[BS1] [BS2] seed %i loses, doubles and reorders nothing', async seed => {
    const report = await runBrokersSeed(seed, hashes)
    expect(report.acknowledged).toBeGreaterThan(200)
    expect(report.consumed).toBeGreaterThan(report.acknowledged)
    expect(report.epochs).toBeGreaterThan(8)
  })

  it('[BS3] the same seed gives the same run', async () => {
    const [one, other] = [await runBrokersSeed(SEEDS, hashes), await runBrokersSeed(SEEDS, hashes)]
    expect(other.traceHash).toBe(one.traceHash)
  })
})
