// What seeds of the simulation found, each told as the shortest story that shows it.
import { createSimHashes } from '@atoll/sim-ports'
import { expect, it } from 'vitest'
import { Scene } from './scene.ts'

const hashes = await createSimHashes()

it('[CO4] seed 1017: a leader that cannot read the snapshot that a peer needs ends, rather than begin again without end', async () => {
  const scene = await Scene.established(hashes, 3)
  const { cluster } = scene
  const away = await scene.aFollower()
  cluster.crash(away)
  await scene.busy(3_000)
  const leader = await scene.theLeader()
  const heal = cluster.breakDisk(leader, { readFails: true })
  cluster.start(away)
  const { reason } = await cluster.simulation.run({ untilMs: cluster.simulation.nowMs + 2_000, eventsMax: 100_000 })
  expect(reason).toBe('time')
  expect(cluster.stateOf(leader)).toBe('down')
  heal()
  cluster.start(leader)
  await scene.mustAcknowledge('once the disk works again')
  await scene.converge()
  expect(scene.wrong).toEqual([])
})
