// One seed of the simulation of agreement: whole coordinators on simulated disks and links serve clients while they are
// killed, paused, cut off, and lose power, room and their disks' obedience; then all is mended. What was acknowledged must
// be there, what was read must be linearizable, all must hold the same, and work must go on.
import { seededRandom } from '@atoll/base'
import { checkLinearizable, pairRecords, register } from '@atoll/history'
import type { SimHashes } from '@atoll/sim-ports'
import { AgreementInvariants } from './agreement-checks.ts'
import { AgreementClients } from './agreement-clients.ts'
import { faultKinds, planFaults } from './fault-plan.ts'
import { FaultRun } from './fault-run.ts'
import { failureText, SeedFailure } from './seed-failure.ts'
import { SimCluster } from './sim-cluster.ts'

/** How long the faults last, and the clients work, in virtual milliseconds. */
const FAULTS_MS = 60_000
const FAULT_EVERY_MS = 900
/** Once nothing is disturbed every node must hold everything within this, in virtual milliseconds. */
const CONVERGENCE_MS_MAX = 20_000
const LOOK_MS = 250
/** Far more than a cluster that works has in that time. */
const EVENTS_PER_LOOK_MAX = 50_000
const CLIENTS = 4

export interface AgreementRunReport {
  readonly seed: number
  readonly traceHash: string
  readonly events: number
  readonly virtualMs: number
  readonly plan: readonly string[]
  /** How many of each kind of fault really began. */
  readonly faults: ReadonlyMap<string, number>
  readonly operations: number
  readonly acknowledged: number
  readonly entries: number
  readonly terms: number
  readonly convergedAfterMs: number
  /** How the operations ended, and how often each kind of log event occurred. */
  readonly coverage: ReadonlyMap<string, number>
}

/** Runs one seed. Rejects with a SeedFailure that carries the plan and the newest trace. */
export async function runAgreementSeed(seed: number, hashes: SimHashes, traceLinesMax = 0): Promise<AgreementRunReport> {
  const random = seededRandom(seed)
  const invariants = new AgreementInvariants()
  const nodes = random.below(3) === 0 ? 5 : 3
  const cluster = new SimCluster({ seed, hashes, nodes, traceLinesMax, hooksOf: name => invariants.hooksOf(name) })
  const plan = planFaults(cluster.names, random, { kinds: faultKinds, durationMs: FAULTS_MS, everyMs: FAULT_EVERY_MS })
  const faults = new FaultRun(cluster, plan)
  const clients = new AgreementClients(cluster, random.fork())
  try {
    return await play(seed, cluster, faults, invariants, clients)
  } catch (error) {
    throw new SeedFailure(failureText(seed, 'agreement', faults, cluster, error), { cause: error })
  }
}

async function play(
  seed: number,
  cluster: SimCluster,
  faults: FaultRun,
  invariants: AgreementInvariants,
  clients: AgreementClients,
): Promise<AgreementRunReport> {
  const { simulation } = cluster
  cluster.startAll()
  clients.start(CLIENTS, 1_000)
  await runUntil(cluster, invariants, FAULTS_MS + 1)
  faults.end()
  const mendedMs = simulation.nowMs
  const before = clients.acknowledged.length
  while (!converged(cluster, invariants) || clients.acknowledged.length === before) {
    if (simulation.nowMs - mendedMs > CONVERGENCE_MS_MAX)
      throw new Error(
        `${CONVERGENCE_MS_MAX} ms after the last fault not all hold everything, or nothing is acknowledged: ${states(cluster)}`,
      )
    if (simulation.nowMs - mendedMs > CONVERGENCE_MS_MAX / 2) clients.stop()
    await runUntil(cluster, invariants, simulation.nowMs + LOOK_MS)
  }
  clients.stop()
  const lost = clients.lost(invariants)
  if (lost.length > 0) throw new Error(lost.join('\n'))
  const operations = pairRecords(clients.recorder.records)
  const { verdict, partitions } = checkLinearizable(register, operations)
  if (verdict === 'not linearizable') throw new Error(`not linearizable: ${partitions[0]?.stuck?.text ?? partitions[0]?.partition}`)
  return {
    seed,
    traceHash: simulation.traceHash,
    events: simulation.eventCount,
    virtualMs: simulation.nowMs,
    plan: faults.lines,
    faults: faults.fired,
    operations: operations.length,
    acknowledged: clients.acknowledged.length,
    entries: invariants.highest,
    terms: invariants.terms,
    convergedAfterMs: simulation.nowMs - mendedMs,
    coverage: coverageOf(cluster, clients, verdict),
  }
}

/** Ends at the first step that breaks an invariant. */
async function runUntil({ simulation }: SimCluster, { violations }: AgreementInvariants, untilMs: number): Promise<void> {
  while (simulation.nowMs < untilMs) {
    const nextMs = Math.min(untilMs, simulation.nowMs + LOOK_MS)
    const { reason } = await simulation.run({ untilMs: nextMs, until: () => violations.length > 0, eventsMax: EVENTS_PER_LOOK_MAX })
    if (violations.length > 0) throw new Error(violations.join('\n'))
    if (reason === 'events') throw new Error(`something goes round in circles: ${EVENTS_PER_LOOK_MAX} events in ${LOOK_MS} ms`)
  }
}

/** All have applied the same, up to the end, and it made the same of them. */
function converged(cluster: SimCluster, invariants: AgreementInvariants): boolean {
  const held = cluster.names.map(name => {
    const agreement = cluster.coordinator(name)?.agreement
    return agreement?.driver === undefined ? undefined : `${agreement.driver.applied} ${agreement.machine.state.digest.lanes.join(' ')}`
  })
  const [first] = held
  const sameIndex = cluster.names.every(name => cluster.coordinator(name)?.agreement.driver?.applied === invariants.highest)
  if (first !== undefined && sameIndex && held.some(one => one !== first)) throw new Error(`states differ: ${held.join(' | ')}`)
  return first !== undefined && held.every(one => one === first)
}

function states(cluster: SimCluster): string {
  return cluster.names
    .map(name => {
      const status = cluster.coordinator(name)?.agreement.driver?.status
      return `${name} ${cluster.stateOf(name)} ${status === undefined ? 'without a cluster' : `${status.role} ${status.term} ${status.applied}/${status.lastIndex}`}`
    })
    .join(', ')
}

function coverageOf(cluster: SimCluster, clients: AgreementClients, verdict: string): Map<string, number> {
  const counts = new Map(clients.outcomes)
  const add = (what: string, times = 1): void => void counts.set(what, (counts.get(what) ?? 0) + times)
  add(`history ${verdict}`)
  for (const name of cluster.names) {
    for (const line of cluster.logOf(name)) add((JSON.parse(line) as { event: string }).event)
    for (const [fault, times] of Object.entries(cluster.diskOf(name).fired)) if (times > 0) add(fault, times)
  }
  return counts
}
