// A scripted life of a log, ended after every single operation on the disk in every way a process can end. What was
// reported durable is there afterwards, nothing is invented, and the log goes on.

import type { SimPorts } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { at, batch, type Crash, contents, type Engine, epoch, LogBench, LogModel, openStore } from './bench.ts'

const crashes: readonly Crash[] = ['kill', 'dropped', 'kept', 'drawn', 'drawn', 'drawn']

/** Segments of three small batches, so that a short script fills several. */
const SEGMENT_BYTES = 300

/** Appends, waits, appends without waiting, changes epochs, cuts, drops a beginning, closes and opens again. */
export async function script(ports: SimPorts, model: LogModel, engine?: Engine): Promise<void> {
  const store = await openStore(ports, engine)
  const open = () => store.openLog('orders-0', { segmentBytes: SEGMENT_BYTES, onDurable: end => model.durable(end) })
  let log = await open()
  let term = 1
  let count = 0
  const append = (records: number): void => {
    const values = Array.from({ length: records }, () => `v${++count}`)
    // The model hears of it first: a crash inside of the call may leave it there.
    model.appended(log.logEnd, values, term)
    log.append(batch(...values), epoch(term))
  }
  append(1)
  await log.durable(log.logEnd)
  append(2)
  append(1)
  append(3)
  await log.durable(log.logEnd)
  term = 3
  append(1)
  append(1)
  await log.flush()
  const cut = at(log.logEnd - 1)
  model.truncating(cut)
  expect(await log.truncate(cut)).toBe(cut)
  model.truncated(cut)
  term = 4
  append(2)
  log.assignEpoch(epoch(5))
  term = 5
  append(1)
  await log.flush()
  model.deleting(4)
  await log.deleteBefore(at(4))
  model.deleted(4)
  append(4)
  await log.close()
  log = await open()
  append(1)
  append(1)
  await log.durable(log.logEnd)
  await store.close()
}

/** Opens the log, holds it to the model, goes on for a while. */
export async function goOn(ports: SimPorts, model: LogModel, engine?: Engine): Promise<void> {
  const store = await openStore(ports, engine)
  const log = await store.openLog('orders-0', { segmentBytes: SEGMENT_BYTES, onDurable: end => model.durable(end) })
  model.check(log, await contents(log))
  expect(log.durableEnd).toBe(log.logEnd)
  for (const value of ['more', 'and more']) {
    model.appended(log.logEnd, [value], 9)
    log.append(batch(value), epoch(9))
    await log.durable(log.logEnd)
  }
}

/** One life that ends after `operations`, a second that goes on, a third that looks. */
export async function crashAt(seed: number, operations: number, crash: Crash, engine?: Engine): Promise<void> {
  const bench = new LogBench(seed)
  const model = new LogModel()
  bench.endAfter(operations, crash)
  await bench.run(ports => script(ports, model, engine))
  if (bench.node.state !== 'down') bench.end(crash)
  bench.disk.onOperation = undefined
  // And once more in the middle of recovery.
  bench.endAfter(1 + (operations % 7), crash)
  await bench.run(ports => goOn(ports, model, engine))
  if (bench.node.state !== 'down') bench.end('drawn')
  bench.disk.onOperation = undefined
  await bench.run(ports => goOn(ports, model, engine))
  bench.end('drawn')
  await bench.run(ports => goOn(ports, model, engine))
  bench.end('kill')
}

describe('a log', async () => {
  const operations = await new LogBench(1).operationsOf(ports => script(ports, new LogModel()))

  it.each(crashes.map((crash, index) => [crash, index] as const))('survives an end after each operation: %s, %i', async (crash, index) => {
    for (let count = 1; count <= operations; count++) {
      try {
        await crashAt(1_000 * index + count, count, crash)
      } catch (error) {
        throw new Error(`operation ${count} of ${operations}, ${crash}, seed ${1_000 * index + count}`, { cause: error })
      }
    }
  })
})
