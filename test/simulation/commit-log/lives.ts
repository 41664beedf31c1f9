// Lives of a log that end badly: a scripted one that can be ended after any operation, and random ones with faults.
import { type Random, seededRandom } from '@atoll/base'
import type { CommitLog } from '@atoll/commit-log'
import type { SimPorts } from '@atoll/sim-ports'
import { expect } from 'vitest'
import { at, batch, type Crash, contents, type Engine, epoch, LogBench, LogModel, openStore } from './bench.ts'

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
async function goOn(ports: SimPorts, model: LogModel, engine?: Engine): Promise<void> {
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

/** Six processes one after another on one disk: they append, wait, cut, drop and meet faults, until they are ended. */
export async function randomLives(seed: number, engine?: Engine): Promise<LogBench> {
  const bench = new LogBench(seed)
  const random = seededRandom(seed)
  const model = new LogModel()
  for (let life = 0; life < 6; life++) {
    bench.disk.replace({})
    bench.disk.failNextSyncs(0)
    const crash = drawCrash(random)
    if (random.below(3) === 0) bench.endAfter(1 + random.below(120), crash)
    await bench.run(ports => randomLife(ports, random, model, bench, engine))
    bench.disk.onOperation = undefined
    if (bench.node.state !== 'down') bench.end(crash)
  }
  return bench
}

function drawCrash(random: Random): Crash {
  return (['kill', 'dropped', 'drawn', 'drawn'] as const)[random.below(4)] ?? 'drawn'
}

async function randomLife(ports: SimPorts, random: Random, model: LogModel, bench: LogBench, engine?: Engine): Promise<void> {
  const store = await openStore(ports, engine)
  const open = async (): Promise<CommitLog> => {
    let looked = false
    const log = await store.openLog('orders-0', {
      segmentBytes: 400,
      verify: random.below(2) === 0 ? 'all' : 'tail',
      // Until the model has looked it does not know which of several things the log holds.
      onDurable: end => void (looked && model.durable(end)),
    })
    model.check(log, await contents(log))
    looked = true
    return log
  }
  let log = await open()
  let term = log.epochs.last?.epoch ?? 0
  // A dead process runs on to its next wait, without any effect.
  for (let step = 0; step < 40 && bench.node.state !== 'down'; step++) {
    try {
      await randomStep()
    } catch (error) {
      const { code } = error as { code?: string }
      if (code === 'failed') {
        // The process may notice and start over, or be ended.
        if (random.below(2) === 0) return
        bench.disk.failNextSyncs(0)
        bench.disk.replace({})
        try {
          log = await open()
        } catch (again) {
          // The record of durable ends has failed: only a new process helps.
          if ((again as { code?: string }).code === 'failed') return
          throw again
        }
      } else if (code !== 'disk_full') throw error
    }
  }

  async function randomStep(): Promise<void> {
    const draw = random.below(20)
    if (draw < 10) {
      if (random.below(8) === 0) term++
      const values = Array.from({ length: 1 + random.below(3) }, () => `${random.u32()}`.padEnd(random.below(90), '.'))
      model.appended(log.logEnd, values, term)
      log.append(batch(...values), epoch(Math.max(term, 0)))
    } else if (draw < 14) await log.durable(log.logEnd)
    else if (draw === 14) await cut()
    else if (draw === 15) {
      const start = log.logStart + random.below(log.durableEnd - log.logStart + 1)
      model.deleting(start)
      await log.deleteBefore(at(start))
      model.deleted(log.logStart)
    } else if (draw === 16) bench.disk.replace(random.below(2) === 0 ? { full: true } : {})
    else if (draw === 17 && random.below(3) === 0) bench.disk.failNextSyncs(1)
    else await new Promise<void>(resolve => ports.clock.after(random.below(20), resolve))
  }

  async function cut(): Promise<void> {
    bench.disk.replace({})
    await log.flush()
    // Where a batch begins, at most a few records from the end.
    const wanted = Math.max(log.logStart, log.logEnd - random.below(6))
    const [held] = await log.read(at(wanted), { bytesMax: 1 })
    if (held === undefined) return
    const end = Number(new DataView(held.buffer, held.byteOffset).getBigInt64(0))
    if (end < log.logStart) return
    model.truncating(end)
    await log.truncate(at(end))
    model.truncated(end)
  }
}
