// The coordinator beside etcd on the same disk, each three servers with fsync before an acknowledgement, in turns in one run:
// latency and rate of puts and linearizable gets, how long writes stop when the leader is killed, how long a first start takes.
// Run: npm run bench -- coordinator [--etcd PROGRAM] [--rounds 5] [--kills 30] [--only start,serial,flight,kill]
// etcd is taken from the PATH when it is there; without it only our own figures come.
import { parseArgs } from 'node:util'
import { Atoll } from './coordinator/atoll.ts'
import { Etcd, etcdVersion } from './coordinator/etcd.ts'
import { concurrent, fill, keyOf, serial, VALUE } from './coordinator/load.ts'
import type { Subject } from './coordinator/subject.ts'
import { median, spread, table } from './figures.ts'
import { machineLine } from './machine.ts'

const { values } = parseArgs({
  options: {
    etcd: { type: 'string', default: 'etcd' },
    rounds: { type: 'string', default: '5' },
    kills: { type: 'string', default: '30' },
    only: { type: 'string', default: 'start,serial,flight,kill' },
  },
})
const rounds = Number(values.rounds)
const kills = Number(values.kills)
const parts = new Set(values.only.split(','))
const SERIAL = 1_000
const CONCURRENT = 10_000
const IN_FLIGHT = 100

const version = etcdVersion(values.etcd)
const subjectsOf: (() => Subject)[] = [() => new Atoll()]
if (version !== undefined) subjectsOf.push(() => new Etcd(values.etcd, version))

/** Rows of figures, one list for each subject. */
const figures = new Map<string, number[][]>()

function note(what: string, place: number, value: number): void {
  const lists = figures.get(what) ?? subjectsOf.map(() => [])
  figures.set(what, lists)
  lists[place]?.push(value)
}

async function starts(): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const [place, make] of subjectsOf.entries()) {
      const subject = make()
      const startMs = performance.now()
      await subject.start()
      note('three started, until the first put, ms', place, performance.now() - startMs)
      await subject.close()
    }
  }
}

async function oneByOne(subject: Subject, place: number): Promise<void> {
  const puts = await serial(SERIAL, index => subject.put(keyOf(index), VALUE))
  note('serial put, p50 ms', place, puts.p50Ms)
  note('serial put, p99 ms', place, puts.p99Ms)
  const gets = await serial(SERIAL, index => subject.get(keyOf(index)))
  note('serial linearizable get, p50 ms', place, gets.p50Ms)
  note('serial linearizable get, p99 ms', place, gets.p99Ms)
}

async function inFlight(subject: Subject, place: number): Promise<void> {
  note(`puts/s, ${IN_FLIGHT} in flight`, place, await concurrent(CONCURRENT, IN_FLIGHT, index => subject.put(keyOf(index), VALUE)))
  note(`linearizable gets/s, ${IN_FLIGHT} in flight`, place, await concurrent(CONCURRENT, IN_FLIGHT, index => subject.get(keyOf(index))))
}

console.log(machineLine())
console.log(
  version === undefined ? 'no etcd here: our own figures alone' : `etcd ${version}, its defaults; values of ${VALUE.length} bytes`,
)
if (parts.has('start')) await starts()
const subjects = subjectsOf.map(make => make())
try {
  for (const subject of subjects) {
    await subject.start()
    await fill(subject)
  }
  for (let round = 0; round < rounds; round++) {
    for (const [place, subject] of subjects.entries()) {
      if (parts.has('serial')) await oneByOne(subject, place)
      if (parts.has('flight')) await inFlight(subject, place)
    }
  }
  for (let kill = 0; kill < kills && parts.has('kill'); kill++) {
    for (const [place, subject] of subjects.entries()) {
      note(`leader killed until the next put, ms (of ${kills})`, place, await subject.killLeader())
      await subject.mend()
    }
  }
} finally {
  for (const subject of subjects) await subject.close()
}
const rows = [...figures].map(([what, lists]) => {
  const digits = median(lists[0] ?? []) < 100 ? 2 : 0
  const [ours = Number.NaN, peer] = lists.map(median)
  return [what, ...lists.map(list => spread(list, digits)), peer === undefined ? '' : `${(ours / peer).toFixed(2)} x`]
})
console.log(table(['median (least-most)', ...subjects.map(({ name }) => name), 'ratio'], rows))
process.exit(0)
