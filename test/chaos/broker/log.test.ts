// The log under faults of processes: what producers were told is kept stays, in order, and committed offsets never go back.
import { expect, it } from 'vitest'
import { BROKERS, LogCluster } from './cluster.ts'
import { LogLoad } from './log-load.ts'

it('[BR1] loses nothing while a broker and the controller are killed, a broker is cut off, and then all is killed', async () => {
  const [first, second] = BROKERS as [string, string]
  await using cluster = await LogCluster.start()
  await using load = await new LogLoad(await cluster.bootstrap()).start()
  const controller = await cluster.controller()
  await cluster.kill(first)
  await load.progress()
  await cluster.kill(controller)
  await load.progress()
  await cluster.restart(first, controller)
  await load.progress()
  await cluster.isolate(second)
  await load.progress()
  await cluster.heal()
  await cluster.killAll()
  await cluster.up()
  await load.progress()
  await load.consumed()
  expect(await load.verdict()).toEqual([])
})
