// `npm run chaos -- --minutes 10 [--seed N] [--of log]`: processes under the load of clients, rounds of faults that are drawn
// from a seed, and after each round the verdict on all that was answered. `--of coordinators`: keys and rights; `--of log`:
// brokers, through Kafka's protocol. What the machine does meanwhile is not drawn: the same seed gives the same faults, not
// the same run. Ends with exit code 1 at the first finding.
import { parseArgs } from 'node:util'
import { type SeededRandom, seededRandom } from '@atoll/base'
import { logRound } from '../test/chaos/broker/round.ts'
import { coordinatorRound } from '../test/chaos/coordinator/round.ts'

/** One round: what was wrong. Counts what it does by its name. */
type Round = (random: SeededRandom, seed: number, count: (what: string) => void) => Promise<readonly string[]>
const rounds: Readonly<Record<string, Round>> = { coordinators: coordinatorRound, log: logRound }

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string' }, of: { type: 'string', default: 'coordinators' } },
})
const minutes = Number(values.minutes)
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed)
const round = rounds[values.of]
if (!(minutes > 0) || !Number.isSafeInteger(seed) || round === undefined) {
  console.error(`usage: npm run chaos -- [--minutes N] [--seed N] [--of ${Object.keys(rounds).join('|')}]`)
  process.exit(2)
}

const counts = new Map<string, number>()
const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1)

console.log(`seed ${seed}, ${minutes} minutes`)
const random = seededRandom(seed)
const endMs = performance.now() + minutes * 60_000
for (let n = 1; performance.now() < endMs; n++) {
  const wrong = await round(random, seed + n, count)
  const told = [...counts].map(([what, times]) => `${times} ${what}`).join(', ')
  console.log(`round ${n}: ${wrong.length === 0 ? 'nothing lost, stale or twice' : wrong.join('\n')}; so far ${told}`)
  if (wrong.length > 0) process.exit(1)
}
process.exit(0)
