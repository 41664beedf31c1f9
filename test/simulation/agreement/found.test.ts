// What seeds of the simulation found, each told as the shortest story that shows it.
import { createSimHashes } from '@atoll/sim-ports'
import { expect, it } from 'vitest'
import { Scene } from './scene.ts'

const hashes = await createSimHashes()

it('[CO12] seeds 1007 and 1008: a disk that fills up under the snapshot that a leader sends is used again once it has room', async () => {
  const scene = await Scene.established(hashes, 3)
  const { cluster } = scene
  const away = await scene.aFollower()
  cluster.crash(away)
  await scene.busy(3_000)
  const heals: (() => void)[] = []
  cluster.diskOf(away).onOperation = ({ kind, path }) => {
    if (kind === 'create' && path.endsWith('.part') && heals.length === 0) heals.push(cluster.breakDisk(away, { full: true }))
  }
  cluster.start(away)
  await scene.until('its disk is full', () => cluster.logOf(away).some(line => line.includes('"disk_full"')))
  await scene.busy(1_000)
  for (const heal of heals) heal()
  await scene.until('it says so', () => cluster.logOf(away).some(line => line.includes('"disk_has_room"')))
  await scene.converge()
  const events = cluster.logOf(away).map(line => (JSON.parse(line) as { event: string }).event)
  expect(events).toContain('snapshot_installed')
  expect(events).not.toContain('disk_failed')
  expect(scene.wrong).toEqual([])
})

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

it('[CO7] seed 3000: a term that was garbled on its way to the disk, outside the checksum of its batch, is cut with what was torn', async () => {
  const scene = await Scene.established(hashes, 3)
  const { cluster } = scene
  const away = await scene.aFollower()
  const disk = cluster.diskOf(away)
  let torn: string | undefined
  disk.onOperation = ({ kind, path }) => {
    if (torn !== undefined || kind !== 'write' || !/^raft\/raft\/\d+\.log$/.test(path)) return
    torn = path
    cluster.crash(away)
  }
  await scene.busy(1_000)
  expect(torn).toBeDefined()
  disk.flipBit(torn as string, startOfLastBatch(disk.files().get(torn as string)) + 14)
  cluster.start(away)
  await scene.converge()
  expect(scene.wrong).toEqual([])
})

/** As Kafka lays batches out: the offset, the bytes that follow, the epoch. */
function startOfLastBatch(file: { readonly sizeBytes: number; read(position: number, length: number): Uint8Array } | undefined): number {
  const bytes = file?.read(0, file.sizeBytes) ?? new Uint8Array(0)
  const fields = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let [start, next] = [0, 0]
  while (next + 12 <= bytes.length) [start, next] = [next, next + 12 + fields.getUint32(next + 8)]
  return start
}
