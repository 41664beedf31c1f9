// `npm run simulate -- [--kind gossip|agreement|clients|brokers|all] [--seeds N] [--from SEED] [--minutes M] [--seed SEED]`:
// runs seeds of whole nodes in the simulator, each 20th twice, and prints what they went through. A failure prints the seed, how
// to run it again, the faults, the newest logs and trace, draws the history that cannot be, and ends with exit code 1.
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { timelinePage } from '../packages/history/src/index.ts'
import { runAgreementSeed, runBrokersSeed, runGossipSeed, SeedFailure } from '../packages/sim/src/index.ts'
import { createSimHashes } from '../packages/sim-ports/src/index.ts'

const KINDS = ['gossip', 'agreement', 'clients', 'brokers'] as const
type Kind = (typeof KINDS)[number]

interface Report {
  readonly traceHash: string
  readonly events: number
  readonly virtualMs: number
  readonly convergedAfterMs: number
  readonly faults?: ReadonlyMap<string, number>
  readonly coverage: ReadonlyMap<string, number>
  readonly operations?: number
}

/** Lines of trace in a failure: of one seed alone more are wanted. */
const TRACE_LINES = 200
const TRACE_LINES_ALONE = 5_000

const { values } = parseArgs({
  options: {
    kind: { type: 'string', default: 'all' },
    seeds: { type: 'string', default: '60' },
    from: { type: 'string', default: '1' },
    minutes: { type: 'string', default: 'Infinity' },
    seed: { type: 'string' },
  },
})
const kinds = values.kind === 'all' ? KINDS : KINDS.filter(kind => kind === values.kind)
const first = Number(values.seed ?? values.from)
const count = values.seed === undefined ? Number(values.seeds) : 1
const minutes = Number(values.minutes)
if (kinds.length === 0) throw new RangeError(`--kind is one of ${KINDS.join(', ')} or all`)
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || count < 1 || !(minutes > 0))
  throw new RangeError('--seeds, --from and --seed take whole numbers, --minutes a number')

const hashes = await createSimHashes()

function run(kind: Kind, seed: number, traceLinesMax: number): Promise<Report> {
  if (kind === 'brokers') return runBrokersSeed(seed, hashes, { traceLinesMax })
  return kind === 'gossip' ? runGossipSeed(seed, hashes, traceLinesMax) : runAgreementSeed(seed, hashes, { kind, traceLinesMax })
}

function fail(kind: Kind, seed: number, error: unknown): never {
  console.log(error instanceof Error ? error.message : error)
  if (error instanceof SeedFailure && error.history !== undefined) {
    const page = resolve(`simulate-${kind}-${seed}.html`)
    writeFileSync(page, timelinePage(`${kind}, seed ${seed}`, error.history))
    console.log(`the history that cannot be: ${page}`)
  }
  process.exit(1)
}

function add(sum: Map<string, number>, counts: ReadonlyMap<string, number>): void {
  for (const [what, times] of counts) sum.set(what, (sum.get(what) ?? 0) + times)
}

const list = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .toSorted(byName)
    .map(([what, times]) => `${what} ${times}`)
    .join(', ')

function byName([a]: readonly [string, number], [b]: readonly [string, number]): number {
  return a < b ? -1 : 1
}

async function runKind(kind: Kind, untilMs: number): Promise<void> {
  const startedMs = performance.now()
  const [coverage, faults, traces] = [new Map<string, number>(), new Map<string, number>(), new Set<string>()]
  let [seeds, virtualMs, events, operations, slowestMs] = [0, 0, 0, 0, 0]
  for (let seed = first; seed < first + count && performance.now() < untilMs; seed++) {
    try {
      const report = await run(kind, seed, values.seed === undefined ? TRACE_LINES : TRACE_LINES_ALONE)
      if (seed % 20 === 0 && (await run(kind, seed, 0)).traceHash !== report.traceHash) throw new Error(`seed ${seed}: two runs differ`)
      add(coverage, report.coverage)
      add(faults, report.faults ?? new Map())
      traces.add(report.traceHash)
      seeds++
      virtualMs += report.virtualMs
      events += report.events
      operations += report.operations ?? 0
      slowestMs = Math.max(slowestMs, report.convergedAfterMs)
    } catch (error) {
      fail(kind, seed, error)
    }
  }
  const seconds = (performance.now() - startedMs) / 1_000
  const fired = [...faults.values()].reduce((sum, times) => sum + times, 0)
  console.log(
    `${kind}: ${seeds} seeds from ${first}, ${traces.size} interleavings: all well, at most ${slowestMs.toFixed(0)} ms after the last fault`,
  )
  console.log(
    `  ${(virtualMs / 1_000).toFixed(0)} simulated seconds in ${seconds.toFixed(1)} s (${(virtualMs / 1_000 / seconds).toFixed(0)} to 1), ${events} events, ${operations} operations, ${fired} faults`,
  )
  console.log(`  faults: ${list(faults)}`)
  console.log(`  seen: ${list(coverage)}`)
}

for (const [place, kind] of kinds.entries()) await runKind(kind, performance.now() + (minutes * 60_000) / (kinds.length - place))
