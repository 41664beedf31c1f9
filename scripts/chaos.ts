// `npm run chaos -- --minutes 10 [--seed N]`: coordinators as processes under the load of clients, rounds of faults that are
// drawn from a seed, and after each round the verdict on all that was answered. What the machine does meanwhile is not drawn:
// the same seed gives the same faults, not the same run. Ends with exit code 1 at the first finding.
import { parseArgs } from 'node:util'
import { type SeededRandom, seededRandom } from '@atoll/base'
import { ChaosCluster, NAMES } from '../test/chaos/coordinator/cluster.ts'
import { Workload } from '../test/chaos/coordinator/workload.ts'

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string' } } })
const minutes = Number(values.minutes)
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed)
if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
  console.error('usage: npm run chaos -- [--minutes N] [--seed N]')
  process.exit(2)
}

/** Acts of one round: more would give the checkers of one history too much to do. */
const ACTS = 6
const counts = new Map<string, number>()

interface Fault {
  readonly what: string
  /** Answers what undoes it. */
  readonly begin: (cluster: ChaosCluster, victim: string, others: readonly string[]) => Promise<() => Promise<void> | void>
}

const faults: readonly Fault[] = [
  {
    what: 'kill',
    async begin(cluster, victim) {
      await cluster.kill(victim)
      return () => cluster.restart(victim)
    },
  },
  {
    what: 'kill two',
    async begin(cluster, victim, [other = '']) {
      await cluster.kill(victim, other)
      await cluster.restart(other)
      return () => cluster.restart(victim)
    },
  },
  {
    what: 'kill all',
    async begin(cluster) {
      await cluster.kill(...NAMES)
      await cluster.restart(...NAMES)
      return () => {}
    },
  },
  {
    what: 'stop',
    async begin(cluster, victim) {
      cluster.pause(victim)
      return () => cluster.resume(victim)
    },
  },
  {
    what: 'cut off',
    async begin(cluster, victim, others) {
      await cluster.cut(...others.flatMap(other => [[victim, other] as const, [other, victim] as const]))
      return () => cluster.cut()
    },
  },
  {
    what: 'deafen',
    async begin(cluster, victim, others) {
      await cluster.cut(...others.map(other => [other, victim] as const))
      return () => cluster.cut()
    },
  },
  {
    what: 'silence',
    async begin(cluster, victim, others) {
      await cluster.cut(...others.map(other => [victim, other] as const))
      return () => cluster.cut()
    },
  },
  {
    what: 'cut one link',
    async begin(cluster, victim, [other = '']) {
      await cluster.cut([victim, other], [other, victim])
      return () => cluster.cut()
    },
  },
]

async function round(random: SeededRandom, roundSeed: number): Promise<readonly string[]> {
  await using cluster = await ChaosCluster.start()
  const load = await new Workload(cluster, roundSeed).start()
  for (let act = 0; act < ACTS; act++) {
    const fault = faults[random.below(faults.length)] as Fault
    // Every other time whoever leads.
    const victim = random.below(2) === 0 ? await cluster.leader() : (NAMES[random.below(NAMES.length)] as string)
    const others = NAMES.filter(name => name !== victim)
    counts.set(fault.what, (counts.get(fault.what) ?? 0) + 1)
    const undo = await fault.begin(cluster, victim, others)
    await load.progress()
    await undo()
    await load.progress()
  }
  return await load.verdict()
}

console.log(`seed ${seed}, ${minutes} minutes`)
const random = seededRandom(seed)
const endMs = performance.now() + minutes * 60_000
for (let rounds = 1; performance.now() < endMs; rounds++) {
  const wrong = await round(random, seed + rounds)
  const told = [...counts].map(([what, times]) => `${times} ${what}`).join(', ')
  console.log(`round ${rounds}: ${wrong.length === 0 ? 'nothing lost, stale or twice' : wrong.join('\n')}; so far ${told}`)
  if (wrong.length > 0) process.exit(1)
}
process.exit(0)
