// `npm run simulate -- [--seeds N] [--from SEED] [--seed SEED]`: runs seeds of the gossip simulation, each 20th twice, and
// prints what they went through. A failure prints the seed, the faults and the newest trace, and ends with exit code 1.
import { parseArgs } from 'node:util'
import { type GossipRunReport, runGossipSeed } from '../packages/sim/src/index.ts'
import { createSimHashes } from '../packages/sim-ports/src/index.ts'

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '200' }, from: { type: 'string', default: '1' }, seed: { type: 'string' } },
})
const first = Number(values.seed ?? values.from)
const count = values.seed === undefined ? Number(values.seeds) : 1
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || count < 1)
  throw new RangeError('--seeds, --from and --seed take whole numbers')

const hashes = await createSimHashes()
const coverage = new Map<string, number>()
const reports: GossipRunReport[] = []
const startedMs = performance.now()
for (let seed = first; seed < first + count; seed++) {
  try {
    const report = await runGossipSeed(seed, hashes, values.seed === undefined ? 200 : 5_000)
    if (seed % 20 === 0 && (await runGossipSeed(seed, hashes)).traceHash !== report.traceHash)
      throw new Error(`seed ${seed}: two runs differ`)
    for (const [event, times] of report.coverage) coverage.set(event, (coverage.get(event) ?? 0) + times)
    reports.push(report)
  } catch (error) {
    console.log(error instanceof Error ? error.message : error)
    process.exit(1)
  }
}
const seconds = (performance.now() - startedMs) / 1_000
const virtualSeconds = reports.reduce((sum, { virtualMs }) => sum + virtualMs / 1_000, 0)
const slowest = reports.reduce((most, { convergedAfterMs }) => Math.max(most, convergedAfterMs), 0)
console.log(`${reports.length} seeds from ${first}: all agreed, at most ${slowest} ms after the last fault`)
console.log(
  `${virtualSeconds.toFixed(0)} simulated seconds in ${seconds.toFixed(1)} s (${(virtualSeconds / seconds).toFixed(0)} to 1), ${reports.reduce((sum, { events }) => sum + events, 0)} events, ${reports.reduce((sum, { plan }) => sum + plan.length, 0)} acts of fault and repair`,
)
console.log(
  `seen: ${Array.from(coverage, ([event, times]) => `${event} ${times}`)
    .toSorted()
    .join(', ')}`,
)
