// Coordinators as processes that lose their disks under load: each comes back under a new identity, votes again, and counts.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ChaosCluster, NAMES } from './cluster.ts'
import { Workload } from './workload.ts'

/** A new disk votes within this, in milliseconds; on a machine that also runs other tests. */
const REPLACED_MS_MAX = 15_000

async function loseDisk(cluster: ChaosCluster, name: string): Promise<void> {
  await cluster.kill(name)
  rmSync(join(cluster.directory.path, 'data', name), { recursive: true })
  await cluster.restart(name)
}

/** Waits until `name` votes on another disk than `before`, as far as everybody knows. */
async function votesAgain(cluster: ChaosCluster, name: string, before: string): Promise<void> {
  const deadlineMs = performance.now() + REPLACED_MS_MAX
  for (;;) {
    const all = await Promise.all(cluster.running.map(other => cluster.statusOf(other)))
    const disks = all.map(({ voters }) => (voters.length === NAMES.length ? voters.find(({ node }) => node === name)?.disk : undefined))
    if (disks.every(disk => disk !== undefined && disk !== before)) return
    if (performance.now() > deadlineMs) throw new Error(`${name} does not vote within ${REPLACED_MS_MAX} ms: ${JSON.stringify(all)}`)
  }
}

it('[CO8] a coordinator whose directory is deleted votes again, and then another one may be gone', async () => {
  await using cluster = await ChaosCluster.start()
  const load = await new Workload(cluster).start()
  for (const name of NAMES) {
    const { disk } = await cluster.statusOf(name)
    await loseDisk(cluster, name)
    await votesAgain(cluster, name, disk)
    // A majority of three is this one and one more.
    const gone = (await cluster.leader(NAMES)) === name ? NAMES.find(other => other !== name) : await cluster.leader(NAMES)
    await cluster.kill(gone as string)
    await load.progress()
    await cluster.restart(gone as string)
    await load.progress()
  }
  expect(await load.verdict()).toEqual([])
})
