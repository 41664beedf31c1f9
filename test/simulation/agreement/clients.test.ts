// Applications use whole coordinators through the SDK while everything around those breaks: keys, transactions, watches,
// locks, elections and leases. Every checker of `history` judges what they were told.
import { clientFaultKinds, runAgreementSeed } from '@atoll/sim'
import { createSimHashes } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { Coverage } from './coverage.ts'

const SEEDS = 15
const hashes = await createSimHashes()

describe('clients of whole coordinators under faults', () => {
  const coverage = new Coverage()

  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))('[CO4] seed %i tells its clients nothing that is not so', async seed => {
    const report = await runAgreementSeed(seed, hashes, { kind: 'clients' })
    coverage.add(report)
    expect(report).toSatisfy(coverage.isThick)
    if (seed === SEEDS) expect((await runAgreementSeed(seed, hashes, { kind: 'clients' })).traceHash).toBe(report.traceHash)
  })

  it('[CO4] went through what clients do, and what goes wrong for them', () => {
    const done = [
      'get',
      'put',
      'delete',
      'cas',
      'range',
      'compact',
      'increment',
      'acquire',
      'release',
      'proclaim',
      'lease',
      'revoke',
      'use',
      'holder',
    ]
    for (const what of done) expect(coverage.events.get(`${what} ok`) ?? 0, what).toBeGreaterThan(50)
    for (const error of ['put no_leader', 'get not_connected', 'acquire lease_not_found', 'increment request_timed_out'])
      expect(coverage.events.get(error) ?? 0, error).toBeGreaterThan(0)
    for (const event of ['leases_taken_over', 'leases_expired', 'fenced', 'registered'])
      expect(coverage.events.get(event) ?? 0, event).toBeGreaterThan(10)
    for (const kind of clientFaultKinds) expect(coverage.faults.get(kind) ?? 0, kind).toBeGreaterThan(5)
    for (const what of ['history', 'locks']) expect(coverage.events.get(`${what} linearizable`)).toBe(SEEDS)
  })
})
