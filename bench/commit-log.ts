// The log engine beside the bare calls it makes: appending with and without waiting for the disk, reading from memory and
// from disk, opening a log after a kill. Both in the same run, taking turns; the median of three, with the range.
// Run: node --conditions=source bench/commit-log.ts [directory [megabytes of the recovered log]]
import { closeSync, fdatasync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type CommitLog, type LogStore, openLogStore } from '@atoll/commit-log'
import { createClock, createCompute, createDisk } from '@atoll/node-ports'
import { encodeBatch, leaderEpoch, offset } from '@atoll/records'
import { machineLine } from './machine.ts'

const ROUNDS = 3
const [parent = tmpdir(), recoveredMegabytes = '1000'] = process.argv.slice(2)
const home = mkdtempSync(join(parent, 'atoll-commit-log-'))
const compute = await createCompute()
const clock = createClock()
const EPOCH = leaderEpoch(1)
let directories = 0

interface Case {
  readonly name: string
  readonly recordBytes: number
  /** Records of one batch, which is what one append takes. */
  readonly records: number
}
const cases: readonly Case[] = [
  { name: '100 B, one per append', recordBytes: 100, records: 1 },
  { name: '100 B, 100 per append', recordBytes: 100, records: 100 },
  { name: '1 KB, one per append', recordBytes: 1_024, records: 1 },
  { name: '1 KB, 16 per append', recordBytes: 1_024, records: 16 },
  { name: '64 KB, one per append', recordBytes: 65_536, records: 1 },
]

/** What varies between runs: appends per second, microseconds, or the like. */
type Measure = () => Promise<number>

function batchOf({ recordBytes, records }: Case): Uint8Array {
  const value = new Uint8Array(recordBytes).fill(7)
  return encodeBatch(
    Array.from({ length: records }, () => ({ timestampMs: 1_700_000_000_000, value })),
    { crc32c: bytes => compute.crc32c(bytes) },
  )
}

async function openLog(
  segmentBytes = 67_108_864,
): Promise<{ readonly store: LogStore; readonly log: CommitLog; readonly directory: string }> {
  const directory = join(home, String(++directories))
  const { disk } = createDisk({ directory, faults: false, clock })
  const store = await openLogStore({ disk, clock, compute, directory: 'logs' })
  return { store, log: await store.openLog('bench-0', { segmentBytes }), directory }
}

/** Appends per second, without waiting for the disk; the event loop has a turn after each MiB. */
async function appending(each: Case, append: (batch: Uint8Array) => void): Promise<number> {
  const batch = batchOf(each)
  const count = Math.min(100_000, Math.floor(1.2e8 / batch.length))
  const perTurn = Math.max(1, Math.floor(1_048_576 / batch.length))
  // The log takes its batches over: each is a new one, for the bare call as well.
  const batches = Array.from({ length: perTurn }, () => batch.slice())
  let spentMs = 0
  for (let done = 0; done < count; done += perTurn) {
    const fresh = batches.map(bytes => bytes.slice())
    const startMs = performance.now()
    for (const bytes of fresh) append(bytes)
    spentMs += performance.now() - startMs
    await new Promise<void>(resolve => setImmediate(resolve))
  }
  return (count / spentMs) * 1_000
}

const written =
  (each: Case): Measure =>
  async () => {
    const { store, log, directory } = await openLog()
    const rate = await appending(each, batch => void log.append(batch, EPOCH))
    await store.close()
    rmSync(directory, { recursive: true })
    return rate
  }

const bareWritten =
  (each: Case): Measure =>
  async () => {
    const path = join(home, 'bare')
    const file = openSync(path, 'w')
    let position = 0
    const rate = await appending(each, batch => {
      position += writeSync(file, batch, 0, batch.length, position)
    })
    closeSync(file)
    rmSync(path)
    return rate
  }

const SYNCED = 300

/** The median of microseconds from the append to its durability, one at a time. */
const synced =
  (each: Case): Measure =>
  async () => {
    const { store, log, directory } = await openLog()
    const micros: number[] = []
    for (let done = 0; done < SYNCED; done++) {
      const batch = batchOf(each)
      const startMs = performance.now()
      log.append(batch, EPOCH)
      await log.durable(log.logEnd)
      micros.push((performance.now() - startMs) * 1_000)
    }
    await store.close()
    rmSync(directory, { recursive: true })
    return median(micros)
  }

const bareSynced =
  (each: Case): Measure =>
  async () => {
    const path = join(home, 'bare')
    const file = openSync(path, 'w')
    const micros: number[] = []
    let position = 0
    for (let done = 0; done < SYNCED; done++) {
      const batch = batchOf(each)
      const startMs = performance.now()
      position += writeSync(file, batch, 0, batch.length, position)
      await new Promise<void>((resolve, reject) => fdatasync(file, error => (error === null ? resolve() : reject(error))))
      micros.push((performance.now() - startMs) * 1_000)
    }
    closeSync(file)
    rmSync(path)
    return median(micros)
  }

/** Appends per second with `inFlight` of them waiting to become durable at any time: how far one sync serves many. */
const grouped =
  (each: Case, inFlight: number): Measure =>
  async () => {
    const { store, log, directory } = await openLog()
    let left = 20_000
    const startMs = performance.now()
    const worker = async (): Promise<void> => {
      while (left-- > 0) {
        const { lastOffset } = log.append(batchOf(each), EPOCH)
        await log.durable(offset(lastOffset + 1))
      }
    }
    await Promise.all(Array.from({ length: inFlight }, worker))
    const rate = 20_000 / ((performance.now() - startMs) / 1_000)
    await store.close()
    rmSync(directory, { recursive: true })
    return rate
  }

/** The same with bare calls: one fdatasync at a time, each for all that was written before it began. */
const bareGrouped =
  (each: Case, inFlight: number): Measure =>
  async () => {
    const path = join(home, 'bare')
    const file = openSync(path, 'w')
    const sync = (): Promise<void> =>
      new Promise((resolve, reject) => fdatasync(file, error => (error === null ? resolve() : reject(error))))
    let under: Promise<void> | undefined
    let next: Promise<void> | undefined
    const durable = (): Promise<void> => {
      next ??= (under ?? Promise.resolve()).then(() => {
        next = undefined
        under = sync()
        return under
      })
      return next
    }
    let left = 20_000
    let position = 0
    const startMs = performance.now()
    const worker = async (): Promise<void> => {
      while (left-- > 0) {
        const batch = batchOf(each)
        position += writeSync(file, batch, 0, batch.length, position)
        await durable()
      }
    }
    await Promise.all(Array.from({ length: inFlight }, worker))
    const rate = 20_000 / ((performance.now() - startMs) / 1_000)
    closeSync(file)
    rmSync(path)
    return rate
  }

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number
}

function shown(values: readonly number[]): string {
  const text = (value: number): string => (value >= 1_000 ? Math.round(value).toLocaleString('en') : value.toFixed(value >= 100 ? 0 : 1))
  return `${text(median(values))} (${text(Math.min(...values))}-${text(Math.max(...values))})`
}

/** What so many appends a second carry. */
function volumeOf({ records, recordBytes }: Case, appends: number): string {
  const perSecond = appends * records
  return `${Math.round(perSecond).toLocaleString('en')} records/s, ${((perSecond * recordBytes) / 1e6).toFixed(0)} MB/s`
}

/** Runs the measures in turns and prints their medians with the ratio of the first to the second. */
async function compare(name: string, measures: readonly Measure[], each?: Case): Promise<void> {
  const results: number[][] = measures.map(() => [])
  for (let round = 0; round < ROUNDS; round++) for (const [index, measure] of measures.entries()) results[index]?.push(await measure())
  const [ours, bare] = results
  const ratio = ours !== undefined && bare !== undefined ? `${((median(ours) / median(bare)) * 100).toFixed(0)} %` : ''
  const volume = ours === undefined || each === undefined ? '' : `  ${volumeOf(each, median(ours))}`
  console.log(`${name.padEnd(46)}${results.map(values => shown(values).padStart(30)).join('')}${ratio.padStart(8)}${volume}`)
}

async function reads(): Promise<void> {
  const { store, log, directory } = await openLog()
  const each: Case = { name: '', recordBytes: 1_024, records: 16 }
  for (let done = 0; done < 12_000; done++) {
    log.append(batchOf(each), EPOCH)
    if (done % 60 === 59) await new Promise<void>(resolve => setImmediate(resolve))
  }
  await log.flush()
  const hot = offset(log.logEnd - 3_000 * 16)
  const rate = async (from: number, count: number): Promise<number> => {
    const startMs = performance.now()
    let bytes = 0
    for (let at = from; at < from + count * 16; ) {
      const found = await log.read(offset(at), { bytesMax: 1_048_576 })
      const size = found.reduce((sum, part) => sum + part.length, 0)
      bytes += size
      at += Math.round(size / batchOf(each).length) * 16
    }
    return bytes / 1e3 / (performance.now() - startMs)
  }
  await compare('read 1 MiB at a time, from memory, MB/s', [() => rate(hot, 2_900)])
  await compare('read 1 MiB at a time, from disk, MB/s', [() => rate(0, 2_900)])
  await store.close()
  rmSync(directory, { recursive: true })
}

async function recovery(): Promise<void> {
  const megabytes = Number(recoveredMegabytes)
  for (const each of [cases[4] as Case, cases[1] as Case]) {
    const { store, log, directory } = await openLog()
    const batch = batchOf(each)
    for (let bytes = 0; bytes < megabytes * 1e6; bytes += batch.length) {
      log.append(batch.slice(), EPOCH)
      if (bytes % 2 ** 22 < batch.length) await new Promise<void>(resolve => setImmediate(resolve))
    }
    await store.close()
    for (const verify of ['all', 'tail'] as const) {
      const { disk } = createDisk({ directory, faults: false, clock })
      const again = await openLogStore({ disk, clock, compute, directory: 'logs' })
      const delay = monitorEventLoopDelay({ resolution: 1 })
      delay.enable()
      const startMs = performance.now()
      await again.openLog('bench-0', { verify })
      const spentMs = performance.now() - startMs
      delay.disable()
      console.log(
        `open ${megabytes} MB of ${each.name} batches, ${verify}: ${spentMs.toFixed(0)} ms, ${(megabytes / spentMs).toFixed(1)} GB/s, longest turn ${(delay.max / 1e6).toFixed(1)} ms`,
      )
      await again.close()
    }
    rmSync(directory, { recursive: true })
  }
}

try {
  console.log(machineLine())
  console.log(`${''.padEnd(46)}${['commit-log', 'bare'].map(name => name.padStart(30)).join('')}`)
  for (const each of cases) await compare(`append ${each.name}, appends/s`, [written(each), bareWritten(each)], each)
  for (const each of cases) await compare(`append and sync ${each.name}, p50 us`, [synced(each), bareSynced(each)])
  for (const inFlight of [10, 100, 1_000])
    await compare(`append and sync 100 B, ${inFlight} in flight, appends/s`, [
      grouped(cases[0] as Case, inFlight),
      bareGrouped(cases[0] as Case, inFlight),
    ])
  await reads()
  await recovery()
} finally {
  rmSync(home, { recursive: true, force: true })
}
