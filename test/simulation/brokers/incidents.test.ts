// Single incidents that whole brokers have to go through, each with producers and consumers at work, and judged like every
// seed: nothing acknowledged is lost, all copies are equal in the end, and preferred leaders lead.
import { type NodeId, present } from '@atoll/base'
import { runBrokersSeed, type SimCluster } from '@atoll/sim'
import { createSimHashes } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'

const hashes = await createSimHashes()
const victim = 'broker-1' as NodeId

/** How many partitions `name` leads that are written to, as the others know it. */
function ledBy(cluster: SimCluster, name: NodeId): number {
  const other = present(
    cluster.brokers.find(one => one !== name && cluster.broker(one) !== undefined),
    'another broker',
  )
  const metadata = present(cluster.broker(other), 'a broker that runs').service.metadata
  return [...metadata.partitions()].filter(([, { leader, topic }]) => leader === name && topic === 't').length
}

/** One incident, with its times from when the cluster is up. */
const incident = (atMs: number, untilMs: number, begin: (cluster: SimCluster) => () => void) => ({
  kind: 'incident',
  what: 'an incident',
  atMs,
  untilMs,
  begin,
})

function endAll(ends: readonly (() => void)[]): void {
  for (const end of ends) end()
}

const down = (cluster: SimCluster, names: readonly NodeId[], how: (name: NodeId) => void) => {
  const releases = names.map(name => cluster.holdDown(name))
  for (const name of names) how(name)
  return () => endAll(releases)
}

describe('whole brokers', () => {
  it('[BS5] lose nothing when all power fails and nothing that was not synced is left, twice', async () => {
    const slowSyncs = (cluster: SimCluster) => {
      const heals = cluster.names.map(name => cluster.breakDisk(name, { syncDelayMs: 50 }))
      return () => endAll(heals)
    }
    const blackout = (cluster: SimCluster) => down(cluster, cluster.names, name => cluster.losePower(name, 'dropped'))
    // Writes are under way when the power goes.
    const plan = [3_000, 8_000].flatMap(atMs => [incident(atMs - 1_000, atMs + 1, slowSyncs), incident(atMs, atMs + 1_000, blackout)])
    const report = await runBrokersSeed(1, hashes, { faultsMs: 12_000, plan: () => plan })
    expect(report.coverage.get('pagesDropped') ?? 0).toBeGreaterThan(0)
    expect(report.acknowledged).toBeGreaterThan(100)
  })

  it('[BS6] fill a segment that bits were flipped in from the others', async () => {
    const flips = (cluster: SimCluster) =>
      down(cluster, [victim], name => {
        cluster.crash(name)
        const disk = cluster.diskOf(name)
        for (const [path, { sizeBytes }] of disk.files())
          if (path.startsWith('log/') && path.endsWith('.log') && sizeBytes > 0) disk.flipBit(path, Math.floor(sizeBytes / 2))
      })
    const report = await runBrokersSeed(2, hashes, { faultsMs: 8_000, plan: () => [incident(5_000, 6_000, flips)] })
    expect(report.coverage.get('partition_damaged') ?? 0).toBeGreaterThan(0)
  })

  // Followers whose disks are full are waited for as long as any that fall behind: ten seconds, partition by partition.
  it('[BS7] move leadership away from a full disk, write on, and give it back when there is room', async () => {
    const seen: unknown[] = []
    const report = await runBrokersSeed(3, hashes, {
      plan: (_cluster, committed) => [
        incident(2_000, 22_000, cluster => {
          const led = ledBy(cluster, victim)
          const heal = cluster.breakDisk(victim, { full: true })
          let before = 0
          cluster.simulation.at(cluster.simulation.nowMs + 16_000, () => void (before = committed()))
          return () => {
            seen.push(led > 0, ledBy(cluster, victim), committed() > before + 20)
            heal()
          }
        }),
      ],
    })
    expect(seen).toEqual([true, 0, true])
    expect(report.acknowledged).toBeGreaterThan(200)
  })

  it('[BS8] take a broker in again that lost its disk', async () => {
    const wipe = (cluster: SimCluster) =>
      down(cluster, [victim], name => {
        cluster.crash(name)
        cluster.wipe(name)
      })
    const report = await runBrokersSeed(4, hashes, { faultsMs: 8_000, plan: () => [incident(3_000, 3_500, wipe)] })
    expect(report.coverage.get('disk_replaced')).toBe(1)
  })

  it('[BS9] are led by preferred leaders again after each was restarted in order', async () => {
    const stop = (name: NodeId) => (cluster: SimCluster) => down(cluster, [name], () => cluster.stop(name))
    const names = ['broker-1', 'broker-2', 'broker-3'] as NodeId[]
    const plan = names.map((name, place) => incident(1_000 + place * 3_000, 2_500 + place * 3_000, stop(name)))
    const report = await runBrokersSeed(5, hashes, { faultsMs: 10_000, plan: () => plan })
    expect(report.convergedAfterMs).toBeLessThan(15_000)
  })

  it('[BS10] open a log again that its disk failed, once another leads', async () => {
    const plan = [incident(2_000, 2_300, cluster => cluster.breakDisk(victim, { writeFails: true }))]
    const report = await runBrokersSeed(6, hashes, { faultsMs: 6_000, plan: () => plan })
    expect(report.coverage.get('partition_failed') ?? 0).toBeGreaterThan(0)
  })
})
