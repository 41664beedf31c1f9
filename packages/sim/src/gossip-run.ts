// One seed of the gossip simulation: start a cluster, break it for a while, mend it, and see that everybody agrees on
// the truth within a bound. Safety is checked all the way, liveness at the end.
import { seededRandom } from '@atoll/base'
import type { SimHashes } from '@atoll/sim-ports'
import { gossipFaultKinds, planFaults } from './fault-plan.ts'
import { FaultRun } from './fault-run.ts'
import { disagreements, ViewInvariants } from './membership-checks.ts'
import { failureText, SeedFailure } from './seed-failure.ts'
import { SimCluster } from './sim-cluster.ts'

/** How long the faults last, in virtual milliseconds. */
const FAULTS_MS = 20_000
const FAULT_EVERY_MS = 900
/** Once nothing is disturbed, all views must be right within this, in virtual milliseconds. */
const CONVERGENCE_MS_MAX = 10_000
/** How often the views are looked at, in virtual milliseconds. */
const LOOK_MS = 100

export interface GossipRunReport {
  readonly seed: number
  readonly traceHash: string
  readonly events: number
  readonly virtualMs: number
  /** The faults that were planned, in order. */
  readonly plan: readonly string[]
  /** How many of each kind really began. */
  readonly faults: ReadonlyMap<string, number>
  /** Virtual milliseconds from the last mending until every view was right. */
  readonly convergedAfterMs: number
  /** How often each kind of log event occurred on any node: what the run has been through. */
  readonly coverage: ReadonlyMap<string, number>
}

/** Runs one seed. Rejects with a SeedFailure that carries the plan and the newest trace. */
export async function runGossipSeed(seed: number, hashes: SimHashes, traceLinesMax = 0): Promise<GossipRunReport> {
  const random = seededRandom(seed)
  const cluster = new SimCluster({ seed, hashes, nodes: 3 + random.below(5), traceLinesMax })
  const plan = planFaults(cluster.names, random, { kinds: gossipFaultKinds, durationMs: FAULTS_MS, everyMs: FAULT_EVERY_MS })
  const faults = new FaultRun(cluster, plan)
  try {
    return await play(seed, cluster, faults)
  } catch (error) {
    throw new SeedFailure(failureText(seed, 'gossip', faults, cluster, error), { cause: error })
  }
}

async function play(seed: number, cluster: SimCluster, faults: FaultRun): Promise<GossipRunReport> {
  const { simulation } = cluster
  const invariants = new ViewInvariants(cluster)
  cluster.onStart = name => invariants.restarted(name)
  cluster.startAll()
  await lookUntil(cluster, invariants, FAULTS_MS + 1)
  faults.end()
  await lookUntil(cluster, invariants, FAULTS_MS + LOOK_MS)
  const mendedMs = simulation.nowMs
  while (disagreements(cluster).length > 0) {
    const wrong = disagreements(cluster)
    if (simulation.nowMs - mendedMs > CONVERGENCE_MS_MAX)
      throw new Error(`views still wrong ${CONVERGENCE_MS_MAX} ms after the last fault:\n${wrong.join('\n')}`)
    await lookUntil(cluster, invariants, simulation.nowMs + LOOK_MS)
  }
  return {
    seed,
    traceHash: simulation.traceHash,
    events: simulation.eventCount,
    virtualMs: simulation.nowMs,
    plan: faults.lines,
    faults: faults.fired,
    convergedAfterMs: simulation.nowMs - mendedMs,
    coverage: countEvents(cluster),
  }
}

async function lookUntil(cluster: SimCluster, invariants: ViewInvariants, untilMs: number): Promise<void> {
  const { simulation } = cluster
  while (simulation.nowMs < untilMs) {
    await simulation.run({ untilMs: Math.min(untilMs, simulation.nowMs + LOOK_MS) })
    invariants.look()
  }
}

function countEvents(cluster: SimCluster): Map<string, number> {
  const counts = new Map<string, number>()
  for (const name of cluster.names) {
    for (const line of cluster.logOf(name)) {
      const { event } = JSON.parse(line) as { event: string }
      counts.set(event, (counts.get(event) ?? 0) + 1)
    }
  }
  return counts
}
