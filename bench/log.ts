// The replicated log: three brokers and three coordinators, each with a disk of its own, and a native client, beside a ceiling
// of the same shape in the same run (bench/log/bare-node.ts). Rates and latencies of acknowledged records, consumers, what
// a broker's processor time goes to, how long nothing is acknowledged when a leader is killed, and what idle brokers cost.
//   npm run bench -- log [--seconds 3] [--rounds 3] [--kills 30] [--idle-seconds 20] [--partitions 1,12,100]
//                        [--only serial,flight,bulk,read,kill,idle]
import { parseArgs } from 'node:util'
import { createCompute } from '@atoll/node-ports'
import { batchSizeAt, encodeBatch, readBatchHeader } from '@atoll/records'
import { median, spread, table } from './figures.ts'
import { Bare } from './log/bare.ts'
import { Brokers, type Flush, type Topic } from './log/brokers.ts'
import { load, type Rate } from './log/load.ts'
import { machineLine } from './machine.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    kills: { type: 'string', default: '30' },
    'idle-seconds': { type: 'string', default: '20' },
    partitions: { type: 'string', default: '1,12,100' },
    flush: { type: 'string', default: 'disk,os' },
    only: { type: 'string', default: 'serial,flight,bulk,read,kill,idle' },
  },
})
const measureMs = Number(values.seconds) * 1_000
const rounds = Number(values.rounds)
const parts = new Set(values.only.split(','))
const partitionCounts = values.partitions.split(',').map(Number)
const flushes = values.flush.split(',') as Flush[]
const RECORD_BYTES = 100
const BULK_BYTES = 65_536

const compute = await createCompute()
/** One batch of `count` records, anew each time: it belongs to whoever takes it. */
function batchMaker(count: number, valueBytes: number): () => Uint8Array {
  const value = new Uint8Array(valueBytes).fill(0x78)
  const record = { timestampMs: Date.now(), key: null, value, headers: [] }
  const batch = encodeBatch(
    Array.from({ length: count }, () => record),
    { crc32c: (bytes, before) => compute.crc32c(bytes, before) },
  )
  return () => batch.slice()
}

interface Case {
  readonly part: string
  readonly name: string
  readonly inFlight: number
  readonly records: number
  readonly valueBytes: number
}
const cases: readonly Case[] = [
  { part: 'serial', name: '1 in flight', inFlight: 1, records: 1, valueBytes: RECORD_BYTES },
  { part: 'flight', name: '256 in flight, one by one', inFlight: 256, records: 1, valueBytes: RECORD_BYTES },
  { part: 'flight', name: '256 in flight, in batches of 64', inFlight: 4, records: 64, valueBytes: RECORD_BYTES },
  { part: 'flight', name: '25,600 in flight, in batches of 100', inFlight: 256, records: 100, valueBytes: RECORD_BYTES },
  { part: 'bulk', name: '64 KB batches, 64 in flight', inFlight: 64, records: 1, valueBytes: BULK_BYTES },
]

const shown = (rates: readonly Rate[], records: number): string[] => [
  spread(rates.map(({ perSecond }) => perSecond * records)),
  `${median(rates.map(({ p50Ms }) => p50Ms)).toFixed(2)} / ${median(rates.map(({ p99Ms }) => p99Ms)).toFixed(2)}`,
]

/** Processor time of the three brokers together, for each record. */
async function withCosts(brokers: Brokers, records: number, run: () => Promise<Rate>): Promise<{ rate: Rate; microseconds: number }> {
  const sum = (): number => brokers.costs().reduce((all, { cpuMs }) => all + cpuMs, 0)
  const before = sum()
  const startMs = performance.now()
  const rate = await run()
  const seconds = (performance.now() - startMs) / 1_000
  return { rate, microseconds: ((sum() - before) * 1_000) / (rate.perSecond * records * seconds) }
}

async function produce(brokers: Brokers): Promise<void> {
  for (const flush of flushes) {
    const topics = new Map<number, Topic>()
    for (const count of partitionCounts) topics.set(count, await brokers.createTopic(count, flush))
    const bare = new Bare()
    await bare.start(flush === 'disk')
    const rows: string[][] = []
    for (const { part, name, inFlight, records, valueBytes } of cases) {
      if (!parts.has(part)) continue
      const make = batchMaker(records, valueBytes)
      const ours = new Map<number, { rate: Rate; microseconds: number }[]>(partitionCounts.map(count => [count, []]))
      const ceiling: Rate[] = []
      const record = new Uint8Array(valueBytes).fill(0x78)
      for (let round = 0; round < rounds; round++) {
        for (const [count, topic] of topics) {
          const run = () => load(n => brokers.produce(topic, n % count, make()), inFlight, measureMs)
          ours.get(count)?.push(await withCosts(brokers, records, run))
        }
        ceiling.push(await load(() => bare.produce(record), inFlight * records, measureMs))
      }
      for (const [count, measured] of ours) {
        const rates = measured.map(({ rate }) => rate)
        const cpu = median(measured.map(({ microseconds }) => microseconds))
        rows.push([name, String(count), ...shown(rates, records), cpu.toFixed(1), ...bulkOf(valueBytes, rates, records)])
      }
      rows.push([name, 'bare', ...shown(ceiling, 1), '', ...bulkOf(valueBytes, ceiling, 1)])
    }
    bare.close()
    if (rows.length === 0) continue
    console.log(`\nacks=all, flush: ${flush}, records of ${RECORD_BYTES} bytes`)
    console.log(table(['', 'partitions', 'records/s', 'p50 / p99 ms', 'µs of brokers per record', 'MB/s'], rows))
  }
}

const bulkOf = (valueBytes: number, rates: readonly Rate[], records: number): string[] => [
  ((median(rates.map(({ perSecond }) => perSecond)) * records * valueBytes) / 1e6).toFixed(1),
]

/** Reads a partition from an offset to an end; answers how many bytes. */
async function readThrough(brokers: Brokers, topic: Topic, from: number, end: number): Promise<number> {
  let bytes = 0
  for (let offset = from; offset < end; ) {
    const batches = await brokers.fetch(topic, 0, offset)
    bytes += batches.length
    for (let start = 0; start < batches.length; start += batchSizeAt(batches, start) ?? batches.length)
      offset = readBatchHeader(batches, start).lastOffset + 1
  }
  return bytes
}

async function consume(brokers: Brokers): Promise<void> {
  const rows: string[][] = []
  const topic = await brokers.createTopic(1, 'os')
  const RECORDS = 100
  const BATCHES = 12_000
  const make = batchMaker(RECORDS, RECORD_BYTES)
  let made = 0
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (made++ < BATCHES) await brokers.produce(topic, 0, make())
    }),
  )
  const end = BATCHES * RECORDS
  const tail = end - 20_000
  const rates = { start: [] as number[], tail: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    for (const [where, from] of [
      ['start', 0],
      ['tail', tail],
    ] as const) {
      const startMs = performance.now()
      const bytes = await readThrough(brokers, topic, from, end)
      rates[where].push(bytes / 1e3 / (performance.now() - startMs))
    }
  }
  rows.push(['from the start (130 MB, half of it no longer in memory), MB/s', spread(rates.start)])
  rows.push(['the last 20,000 records, MB/s', spread(rates.tail)])
  // From the acknowledgement's other side: a record is sent, and somebody waits for it.
  const single = batchMaker(1, RECORD_BYTES)
  const waits: number[] = []
  for (let n = 0; n < 300; n++) {
    const arrived = brokers.fetch(topic, 0, end + n)
    const sentMs = performance.now()
    const sent = brokers.produce(topic, 0, single())
    await arrived
    waits.push(performance.now() - sentMs)
    await sent
  }
  waits.sort((a, b) => a - b)
  rows.push(['sent until a waiting consumer has it, p50 / p99 ms', `${waits[150]?.toFixed(2)} / ${waits[297]?.toFixed(2)}`])
  console.log(`\n${table(['one consumer', ''], rows)}`)
}

async function kill(brokers: Brokers): Promise<void> {
  const topic = await brokers.createTopic(12, 'disk')
  const make = batchMaker(1, RECORD_BYTES)
  const rows: string[][] = []
  for (const told of [true, false]) {
    const times: number[] = []
    for (let n = 0; n < Number(values.kills); n++) {
      const { ms, killed } = await brokers.killLeader(topic, 0, make, told)
      times.push(ms)
      await brokers.mend(killed, topic)
    }
    rows.push([told ? 'a supervisor says that it is gone' : 'nobody says so', spread(times), Math.max(...times).toFixed(0)])
  }
  console.log(`\n${table(['leader killed until the next acknowledgement, ms', 'median (least-most)', `worst of ${values.kills}`], rows)}`)
}

async function idle(brokers: Brokers): Promise<void> {
  await brokers.createTopic(22, 'disk')
  // What was done last, syncs and snapshots among it, is over by then.
  await new Promise(resolve => setTimeout(resolve, 3_000))
  const seconds = Number(values['idle-seconds'])
  const before = brokers.costs()
  await new Promise(resolve => setTimeout(resolve, seconds * 1_000))
  const after = brokers.costs()
  const percent = after.map(({ cpuMs }, n) => (cpuMs - (before[n]?.cpuMs ?? 0)) / (seconds * 10))
  const rows = [
    ['processor, % of one core each', spread(percent, 2)],
    ['resident, MiB each', spread(after.map(({ residentMiB }) => residentMiB))],
  ]
  console.log(`\n${table(['idle brokers', ''], rows)}`)
}

console.log(machineLine())
const brokers = new Brokers()
try {
  await brokers.start()
  if (parts.has('idle')) await idle(brokers)
  await produce(brokers)
  if (parts.has('read')) await consume(brokers)
  if (parts.has('kill')) await kill(brokers)
} finally {
  await brokers.close()
}
process.exit(0)
