// Figures of failure detection, simulated: how fast a death is known, how often one is imagined, and what it costs, at
// 5 to 1,000 members. Seeded, so the same figures come out on every machine.
// Run: node --conditions=source bench/swim-simulation.ts [size,size...] [seeds]
import * as swim from '@atoll/swim'
import { type Detection, measureDetection, measureFalseAlarms, measureTraffic, type Setup } from '../test/simulation/swim/scenarios.ts'

const sizes = (process.argv[2] ?? '5,12,30,100,1000').split(',').map(Number)
const seeds = Number(process.argv[3] ?? 10)
const HOUR_MS = 3_600_000

/** Less of everything for clusters that take long to simulate. */
function effort(size: number) {
  if (size <= 12) return { rounds: 30, seeds, idleMs: HOUR_MS, troubledMs: 600_000 }
  if (size <= 30) return { rounds: 10, seeds, idleMs: HOUR_MS / 4, troubledMs: 180_000 }
  if (size <= 100) return { rounds: 5, seeds: Math.min(seeds, 4), idleMs: 300_000, troubledMs: 60_000 }
  return { rounds: 2, seeds: 1, idleMs: 20_000, troubledMs: 10_000 }
}

function quantile(values: readonly (number | undefined)[], q: number): string {
  const sorted = values.map(value => value ?? Number.POSITIVE_INFINITY).toSorted((a, b) => a - b)
  const value = sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]
  return value === undefined ? '-' : Number.isFinite(value) ? String(Math.round(value)) : 'never'
}

function row(detections: readonly Detection[], of: keyof Detection): string {
  const values = detections.map(detection => detection[of])
  return [0.5, 0.99, 1].map(q => quantile(values, q)).join('/')
}

function print(...cells: readonly (string | number)[]): void {
  console.log(cells.map((cell, index) => String(cell).padEnd(index === 0 ? 7 : 18)).join(' '))
}

console.log('Death known, in ms after the fault: p50/p99/worst')
print('members', 'fault', 'n', 'first suspect', 'first dead', 'all know')
for (const size of sizes) {
  const { rounds, seeds: runs } = effort(size)
  for (const how of ['kill', 'pause'] as const) {
    const detections = Array.from({ length: runs }, (_, seed) => measureDetection({ module: swim, size, seed }, how, rounds)).flat()
    print(size, how, detections.length, row(detections, 'firstSuspect'), row(detections, 'firstDead'), row(detections, 'allKnow'))
  }
}

console.log('\nNothing died: suspicions and deaths in so many simulated seconds')
print('members', 'trouble', 'seconds', 'suspicions', 'deaths', 'other violations')
for (const size of sizes) {
  const { idleMs, troubledMs } = effort(size)
  const cases: readonly [string, number, Partial<Setup>, { pauseMs?: number; busy?: boolean }][] = [
    ['idle', idleMs, {}, {}],
    ['pauses of 600 ms', troubledMs, {}, { pauseMs: 600 }],
    ['busy machine', troubledMs, {}, { busy: true }],
    ['5 % loss', troubledMs, { lossRate: 0.05 }, {}],
    ['20 % loss', troubledMs, { lossRate: 0.2 }, {}],
  ]
  for (const [name, ms, more, trouble] of cases) {
    const { suspicions, deaths, violations } = measureFalseAlarms({ module: swim, size, seed: 1, ...more }, ms, trouble)
    print(size, name, ms / 1_000, suspicions, deaths, violations.length - deaths)
  }
}

console.log('\nIdle, per member and second')
print('members', 'messages', 'bytes', 'timer wake-ups')
for (const size of sizes) {
  const { messages, bytes, ticks } = measureTraffic({ module: swim, size, seed: 1 }, size > 100 ? 30_000 : 300_000)
  print(size, messages.toFixed(1), Math.round(bytes), ticks.toFixed(1))
}
