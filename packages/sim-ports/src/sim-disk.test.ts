// What the simulated disk does to what was not synced, and never does to what was.
import { type DiskFile, nodeId } from '@atoll/base'
import { expect, it } from 'vitest'
import { createSimHashes } from './sim-compute.ts'
import type { SimNode, SimPorts } from './sim-node.ts'
import { createSimulation, type Simulation } from './simulation.ts'

const hashes = await createSimHashes()

const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

class Bench {
  readonly simulation: Simulation
  readonly node: SimNode

  constructor(seed: number, disk = {}) {
    this.simulation = createSimulation({ seed, hashes })
    this.node = this.simulation.addNode(nodeId('a'), { disk })
  }

  /** Runs `body` as the node's process until it is done or the process is dead. */
  async run(body: (ports: SimPorts) => Promise<void> | void): Promise<void> {
    let done = false
    this.node.start(async ports => {
      await body(ports)
      done = true
    })
    await this.simulation.run({ until: () => done || this.node.state === 'down' })
    if (this.node.state !== 'down') this.node.crash()
  }
}

const seeds = Array.from({ length: 60 }, (_, index) => index + 1)

it('synced bytes under a synced name survive power loss, whatever the seed; others may not', async () => {
  const fired: Record<string, number> = {}
  for (const seed of seeds) {
    const bench = new Bench(seed)
    await bench.run(async ({ disk }) => {
      const file = disk.open('a', 'create')
      file.write(bytes(10_000, 1), 0)
      await Promise.all([file.sync(), disk.syncDirectory('')])
      file.write(bytes(50_000, 2), 10_000)
      disk.open('b', 'create').write(bytes(10, 3), 0)
      bench.node.losePower()
    })
    const file = bench.node.disk.files().get('a')
    expect(file?.read(0, 10_000)).toEqual(bytes(10_000, 1))
    expect(file?.sizeBytes).toBeLessThanOrEqual(60_000)
    for (const [name, count] of Object.entries(bench.node.disk.fired)) fired[name] = (fired[name] ?? 0) + count
  }
  for (const fault of ['pagesKept', 'pagesDropped', 'pagesTorn', 'pagesGarbled', 'namesLost'])
    expect(fired[fault], fault).toBeGreaterThan(0)
})

it('what a killed process wrote is all there, and a sync it began goes on without it', async () => {
  for (const seed of seeds.slice(0, 10)) {
    const bench = new Bench(seed)
    await bench.run(({ disk }) => {
      const file = disk.open('a', 'create')
      file.write(bytes(9_000, 1), 0)
      void file.sync()
      void disk.syncDirectory('')
      bench.node.crash()
      file.write(bytes(5, 9), 0)
    })
    await bench.simulation.run()
    expect(bench.node.disk.files().get('a')?.read(0, 9_000)).toEqual(bytes(9_000, 1))
    bench.node.losePower('dropped')
    expect(bench.node.disk.files().get('a')?.sizeBytes).toBe(9_000)
  }
})

it('what is written while a sync is under way is not covered by it', async () => {
  const bench = new Bench(1)
  await bench.run(async ({ disk }) => {
    const file = disk.open('a', 'create')
    await disk.syncDirectory('')
    file.write(bytes(4_096, 1), 0)
    const sync = file.sync()
    file.write(bytes(4_096, 2), 0)
    await sync
    bench.node.losePower('dropped')
  })
  expect(bench.node.disk.files().get('a')?.read(0, 4_096)).toEqual(bytes(4_096, 1))
})

it('after a failed sync the next one succeeds and the data is lost all the same', async () => {
  const bench = new Bench(3)
  let code: unknown
  await bench.run(async ({ disk }) => {
    const file = disk.open('a', 'create')
    await disk.syncDirectory('')
    file.write(bytes(8_192, 1), 0)
    bench.node.disk.failNextSyncs(1)
    await file.sync().catch((error: unknown) => {
      code = (error as { code?: string }).code
    })
    await file.sync()
    bench.node.losePower('kept')
  })
  expect(code).toBe('io')
  expect(bench.node.disk.files().get('a')?.read(0, 8_192)).not.toContain(1)
  expect(bench.node.disk.fired).toMatchObject({ syncsFailed: 1, pagesLostBySync: 2, pagesDropped: 2 })
})

it('writing the same bytes again makes them good after a failed sync', async () => {
  const bench = new Bench(3)
  await bench.run(async ({ disk }) => {
    const file = disk.open('a', 'create')
    await disk.syncDirectory('')
    file.write(bytes(8_192, 1), 0)
    bench.node.disk.failNextSyncs(1)
    await file.sync().catch(() => file.write(bytes(8_192, 1), 0))
    await file.sync()
    bench.node.losePower('dropped')
  })
  expect(bench.node.disk.files().get('a')?.read(0, 8_192)).toEqual(bytes(8_192, 1))
})

it('a rename and a removal come undone unless the directory was synced', async () => {
  const bench = new Bench(1)
  await bench.run(async ({ disk }) => {
    for (const name of ['old', 'new']) {
      const file = disk.open(name, 'create')
      file.write(bytes(1, name.length), 0)
      await file.sync()
    }
    await disk.syncDirectory('')
    disk.rename('new', 'old')
    disk.open('third', 'create')
    await disk.remove('old')
    bench.node.losePower('dropped')
  })
  expect([...bench.node.disk.files().keys()]).toEqual(['new', 'old'])
})

it('a disk that fills up takes a part of a write at most, and nothing of it is lost to the bound', async () => {
  let short = 0
  for (const seed of seeds) {
    const bench = new Bench(seed, { capacityBytes: 40_960 })
    await bench.run(({ disk }) => {
      const file: DiskFile = disk.open('a', 'create')
      file.write(bytes(20_000, 1), 0)
      expect(() => file.write(bytes(30_000, 2), 20_000)).toThrow(expect.objectContaining({ code: 'disk_full' }))
      expect(file.size()).toBeLessThanOrEqual(40_960)
      file.truncate(20_000)
      file.write(bytes(20_960, 3), 20_000)
    })
    short += bench.node.disk.fired.shortWrites
  }
  expect(short).toBeGreaterThan(0)
})

it('flips bits, and takes the place of a wiped disk', async () => {
  const bench = new Bench(1)
  await bench.run(async ({ disk }) => {
    const file = disk.open('a', 'create')
    file.write(bytes(5_000, 0), 0)
    await file.sync()
  })
  bench.node.disk.flipBit('a', 4_500)
  expect(bench.node.disk.files().get('a')?.read(4_500, 1)[0]).not.toBe(0)
  bench.node.disk.wipe()
  expect(bench.node.disk.files().size).toBe(0)
  expect(bench.node.disk.fired).toMatchObject({ bitsFlipped: 1, wiped: 1 })
})

it('can end the process after any operation', async () => {
  const survivors = new Set<number>()
  for (let last = 1; last <= 4; last++) {
    const bench = new Bench(last)
    bench.node.disk.onOperation = () => {
      if (bench.node.disk.operations === last) bench.node.crash()
    }
    await bench.run(({ disk }) => {
      const file = disk.open('a', 'create')
      for (let at = 0; at < 3; at++) file.write(bytes(1, 7), at)
    })
    survivors.add(bench.node.disk.files().get('a')?.sizeBytes ?? -1)
  }
  expect([...survivors]).toEqual([0, 1, 2, 3])
})
