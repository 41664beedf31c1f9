// A byte of a real coordinator's log that changed while it was down: found, told, mended from the others, and nothing that
// was acknowledged is lost by it.
import { closeSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { logged } from '../../hostile/coordinators.ts'
import { ChaosCluster, NAMES } from './cluster.ts'
import { Workload } from './workload.ts'

it('[CO4] B7: one changed byte in a log is mended from the others, and they need not wait for it', async () => {
  await using cluster = await ChaosCluster.start()
  const load = await new Workload(cluster).start()
  const leader = await cluster.leader()
  const [victim, other] = NAMES.filter(name => name !== leader) as [string, string]
  await load.progress()
  await cluster.kill(victim)
  changeByte(join(cluster.directory.path, 'data', victim))
  await load.progress()
  await cluster.restart(victim)
  await cluster.node(victim).openAdmin()
  await logged(cluster.node(victim), 0, ({ event }) => event === 'repaired')
  // It counts again: with it alone the rest is a majority.
  await cluster.kill(other)
  await load.progress()
  await cluster.restart(other)
  expect(await load.verdict()).toEqual([])
})

/** Changes one byte a quarter into the oldest segment: far below what was recorded as durable. */
function changeByte(data: string): void {
  const segment = readdirSync(data, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.log'))
    .toSorted()[0]
  if (segment === undefined) throw new Error(`no segment in ${data}`)
  const path = join(data, segment)
  const position = statSync(path).size >> 2
  const file = openSync(path, 'r+')
  try {
    const byte = new Uint8Array(1)
    readSync(file, byte, 0, 1, position)
    writeSync(file, new Uint8Array([(byte[0] ?? 0) ^ 0x10]), 0, 1, position)
  } finally {
    closeSync(file)
  }
}
