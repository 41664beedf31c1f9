// One round of faults at brokers and their controller, drawn from a seed.
import type { SeededRandom } from '@atoll/base'
import { BROKERS, COORDINATORS, LogCluster } from './cluster.ts'
import { LogLoad } from './log-load.ts'

/** Faults of one round: a cluster is started for each. */
const ACTS = 6

interface Fault {
  readonly what: string
  /** Answers what undoes it. */
  readonly begin: (cluster: LogCluster, victim: string, others: readonly string[]) => Promise<() => Promise<void>>
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
    what: 'kill with the controller',
    async begin(cluster, victim) {
      const controller = await cluster.controller()
      await cluster.kill(victim, controller)
      return () => cluster.restart(victim, controller)
    },
  },
  {
    what: 'kill all brokers',
    async begin(cluster) {
      await cluster.kill(...BROKERS)
      return () => cluster.restart(...BROKERS)
    },
  },
  {
    what: 'kill all',
    async begin(cluster) {
      await cluster.killAll()
      return () => cluster.up()
    },
  },
  {
    what: 'restart',
    async begin(cluster, victim) {
      await cluster.restart(victim)
      return () => Promise.resolve()
    },
  },
  {
    what: 'stop',
    async begin(cluster, victim) {
      await cluster.pause(victim)
      return () => cluster.resume(victim)
    },
  },
  {
    what: 'stop the controller',
    async begin(cluster) {
      const controller = await cluster.controller()
      await cluster.pause(controller)
      return () => cluster.resume(controller)
    },
  },
  {
    what: 'cut off',
    async begin(cluster, victim) {
      await cluster.isolate(victim)
      return () => cluster.heal()
    },
  },
  {
    what: 'cut off from brokers',
    async begin(cluster, victim, others) {
      await cluster.part([victim], others)
      return () => cluster.heal()
    },
  },
  {
    what: 'cut off from coordinators',
    async begin(cluster, victim) {
      await cluster.part([victim], COORDINATORS)
      return () => cluster.heal()
    },
  },
]
/** Until they are undone, nothing goes on: as in Kafka, a leader that only its followers cannot reach stays the leader. */
const stopping = new Set(['kill all brokers', 'kill all', 'cut off from brokers'])

export async function logRound(random: SeededRandom, seed: number, count: (what: string) => void): Promise<readonly string[]> {
  await using cluster = await LogCluster.start()
  await using load = await new LogLoad(await cluster.bootstrap()).start()
  const done: string[] = []
  try {
    for (let act = 0; act < ACTS; act++)
      await disturb(cluster, load, random, what => {
        count(what)
        done.push(what)
      })
    await cluster.ready()
    await load.consumed()
  } catch (error) {
    return [`after ${done.join(', ')}: ${(error as Error).message}; what the nodes wrote is in ${await cluster.keepLogs(`log-${seed}`)}`]
  }
  const wrong = await load.verdict()
  return wrong.length === 0 ? wrong : [...wrong, `what the nodes wrote is in ${await cluster.keepLogs(`log-${seed}`)}`]
}

async function disturb(cluster: LogCluster, load: LogLoad, random: SeededRandom, note: (what: string) => void): Promise<void> {
  const fault = faults[random.below(faults.length)] as Fault
  const victim = BROKERS[random.below(BROKERS.length)] as string
  const others = BROKERS.filter(name => name !== victim)
  await load.inSync()
  note(fault.what)
  const undo = await fault.begin(cluster, victim, others)
  if (!stopping.has(fault.what)) await load.progress()
  await undo()
  await load.progress()
}
