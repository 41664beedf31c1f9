// Coordinator processes and their registrations: what a kill, an ordered stop and a long pause make of them.
import { memberList, nodeStatus } from '@atoll/protocol'
import { expect, it } from 'vitest'
import { ChaosCluster, NAMES } from './cluster.ts'

/** A node is registered again within this, in milliseconds: its lease of 3 s, and a machine that also runs other tests. */
const REGISTERED_MS_MAX = 15_000

async function statusOf(cluster: ChaosCluster, name: string) {
  const session = await cluster.node(name).call('observer')
  try {
    return await session.request(nodeStatus, {}, { timeoutMs: 2_000 })
  } finally {
    session.end()
  }
}

/** The epoch of `name`, once that is above `before`. */
async function epochAfter(cluster: ChaosCluster, name: string, before = 0): Promise<number> {
  const deadlineMs = performance.now() + REGISTERED_MS_MAX
  for (;;) {
    const { epoch, unregistered } = await statusOf(cluster, name)
    if (epoch > before) return epoch
    if (performance.now() > deadlineMs)
      throw new Error(`${name} is not registered after epoch ${before}: ${unregistered ?? 'it does not say why'}`)
  }
}

async function member(cluster: ChaosCluster, name: string) {
  const client = await cluster.client(`asking-${name}`)
  const { members } = await client.request(memberList, { consistency: 'linearizable' })
  await client.close()
  return members.find(row => row.name === name)
}

/** Waits until the coordinators say that of `name`. */
async function until(cluster: ChaosCluster, name: string, state: string): Promise<void> {
  await expect.poll(async () => (await member(cluster, name))?.state, { timeout: REGISTERED_MS_MAX, interval: 100 }).toBe(state)
}

it('[RE2] a killed process comes back in a higher epoch as unclean, one that stopped in order as clean', async () => {
  await using cluster = await ChaosCluster.start()
  const [name] = NAMES as [string]
  const first = await epochAfter(cluster, name)
  expect(await member(cluster, name)).toMatchObject({ state: 'active', start: 'first' })
  await cluster.kill(name)
  await until(cluster, name, 'fenced')
  await cluster.restart(name)
  const second = await epochAfter(cluster, name, first)
  expect(await member(cluster, name)).toMatchObject({ state: 'active', start: 'unclean', epoch: second })
  cluster.node(name).child.kill('SIGTERM')
  expect(await cluster.node(name).ended).toEqual({ code: 0, signal: null })
  await cluster.kill(name)
  expect((await member(cluster, name))?.state).toBe('stopped')
  await cluster.restart(name)
  const third = await epochAfter(cluster, name, second)
  expect(await member(cluster, name)).toMatchObject({ state: 'active', start: 'clean', epoch: third })
})

it('[RE3] a process stopped for longer than its lease is fenced, and registers anew', async () => {
  await using cluster = await ChaosCluster.start()
  const [name] = NAMES as [string]
  const before = await epochAfter(cluster, name)
  cluster.pause(name)
  await until(cluster, name, 'fenced')
  cluster.resume(name)
  const after = await epochAfter(cluster, name, before)
  expect(await member(cluster, name)).toMatchObject({ state: 'active', epoch: after })
})
