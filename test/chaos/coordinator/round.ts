// One round of faults at coordinators, drawn from a seed.
import type { SeededRandom } from '@atoll/base'
import { ChaosCluster, NAMES } from './cluster.ts'
import { Workload } from './workload.ts'

/** Acts of one round: more would give the checkers of one history too much to do. */
const ACTS = 6

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

export async function coordinatorRound(random: SeededRandom, roundSeed: number, count: (what: string) => void): Promise<readonly string[]> {
  await using cluster = await ChaosCluster.start()
  const load = await new Workload(cluster, roundSeed).start()
  for (let act = 0; act < ACTS; act++) {
    const fault = faults[random.below(faults.length)] as Fault
    // Every other time whoever leads.
    const victim = random.below(2) === 0 ? await cluster.leader() : (NAMES[random.below(NAMES.length)] as string)
    const others = NAMES.filter(name => name !== victim)
    count(fault.what)
    const undo = await fault.begin(cluster, victim, others)
    await load.progress()
    await undo()
    await load.progress()
  }
  return await load.verdict()
}
