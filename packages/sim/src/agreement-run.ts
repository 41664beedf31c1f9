// One seed of the simulation of agreement: whole coordinators on simulated disks and links serve clients while they are
// killed, paused, cut off, and lose power, room and their disks' obedience; then all is mended. What was acknowledged must
// be there, what was read must be linearizable, all must hold the same, and work must go on.
import { type NodeId, type SeededRandom, seededRandom } from '@atoll/base'
import { checkLinearizable, pairRecords, register } from '@atoll/history'
import type { SimHashes } from '@atoll/sim-ports'
import { AgreementInvariants } from './agreement-checks.ts'
import { AgreementClients } from './agreement-clients.ts'
import { type FaultAct, planFaults } from './fault-plan.ts'
import { SeedFailure } from './gossip-run.ts'
import { SimCluster } from './sim-cluster.ts'

/** How long the faults last, and the clients work, in virtual milliseconds. */
const FAULTS_MS = 60_000
/** Once nothing is disturbed every node must hold everything within this, in virtual milliseconds. */
const CONVERGENCE_MS_MAX = 20_000
const LOOK_MS = 250
const CLIENTS = 4

export interface AgreementRunReport {
  readonly seed: number
  readonly traceHash: string
  readonly events: number
  readonly virtualMs: number
  readonly plan: readonly string[]
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
  const plan = [...planFaults(cluster.names, random, FAULTS_MS), ...planDiskFaults(cluster.names, random, FAULTS_MS)].toSorted(
    (a, b) => a.atMs - b.atMs,
  )
  const clients = new AgreementClients(cluster, random.fork())
  try {
    return await play(seed, cluster, plan, invariants, clients)
  } catch (error) {
    throw new SeedFailure(failureText(seed, plan, cluster, error), { cause: error })
  }
}

async function play(
  seed: number,
  cluster: SimCluster,
  plan: readonly FaultAct[],
  invariants: AgreementInvariants,
  clients: AgreementClients,
): Promise<AgreementRunReport> {
  const { simulation } = cluster
  cluster.startAll()
  for (const act of plan)
    simulation.at(act.atMs, () => {
      act.run(cluster)
    })
  clients.start(CLIENTS, 1_000)
  simulation.at(FAULTS_MS + 1, () => mend(cluster))
  while (simulation.nowMs < FAULTS_MS + LOOK_MS) {
    await simulation.run({ untilMs: simulation.nowMs + LOOK_MS })
    look(invariants)
  }
  const mendedMs = simulation.nowMs
  const before = clients.acknowledged.length
  while (!converged(cluster, invariants) || clients.acknowledged.length === before) {
    // One whose disk failed just now has ended itself.
    mend(cluster)
    if (simulation.nowMs - mendedMs > CONVERGENCE_MS_MAX)
      throw new Error(
        `${CONVERGENCE_MS_MAX} ms after the last fault not all hold everything, or nothing is acknowledged: ${states(cluster)}`,
      )
    if (simulation.nowMs - mendedMs > CONVERGENCE_MS_MAX / 2) clients.stop()
    await simulation.run({ untilMs: simulation.nowMs + LOOK_MS })
    look(invariants)
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
    plan: describe(plan),
    operations: operations.length,
    acknowledged: clients.acknowledged.length,
    entries: invariants.highest,
    terms: invariants.terms,
    convergedAfterMs: simulation.nowMs - mendedMs,
    coverage: coverageOf(cluster, clients, verdict),
  }
}

/** Every second or so something happens to a disk, or to all of a machine. */
function planDiskFaults(names: readonly NodeId[], random: SeededRandom, durationMs: number): FaultAct[] {
  const acts: FaultAct[] = []
  for (let atMs = 3_000; atMs < durationMs; atMs += 500 + random.below(3_000)) {
    const victim = names[random.below(names.length)] as NodeId
    const untilMs = Math.min(durationMs, atMs + 100 + random.below(3_000))
    const start: FaultAct = { atMs: untilMs, what: `start ${victim}`, run: cluster => startAgain(cluster, victim) }
    const heal: FaultAct = { atMs: untilMs, what: `heal the disk of ${victim}`, run: cluster => cluster.diskOf(victim).replace({}) }
    const fault = (what: string, run: FaultAct['run']): FaultAct => ({ atMs, what: `${what} ${victim}`, run })
    switch (random.below(7)) {
      case 0:
        acts.push(
          fault('power loss of', cluster => cluster.losePower(victim)),
          start,
        )
        break
      case 1:
        acts.push(
          fault('full disk of', cluster => cluster.diskOf(victim).replace({ full: true })),
          heal,
        )
        break
      case 2:
        acts.push(
          fault('stuck disk of', cluster => cluster.diskOf(victim).replace({ syncStuck: true })),
          heal,
        )
        break
      case 3:
        acts.push(
          fault('slow disk of', cluster => cluster.diskOf(victim).replace({ syncDelayMs: 200 })),
          heal,
        )
        break
      case 4:
        acts.push(
          fault('failed sync of', cluster => cluster.diskOf(victim).failNextSyncs(1)),
          start,
        )
        break
      case 5:
        acts.push(
          fault('stop', cluster => cluster.stop(victim)),
          start,
        )
        break
      default:
        acts.push({
          atMs,
          what: 'power loss of all',
          run(cluster) {
            for (const name of names) cluster.losePower(name)
          },
        })
        for (const name of names) acts.push({ atMs: untilMs, what: `start ${name}`, run: cluster => startAgain(cluster, name) })
    }
  }
  return acts
}

/** On a disk that works: whether one that does not lets a node start is another question. */
function startAgain(cluster: SimCluster, name: NodeId): void {
  if (cluster.stateOf(name) !== 'down') return
  cluster.diskOf(name).replace({})
  cluster.diskOf(name).failNextSyncs(0)
  cluster.start(name)
}

function mend(cluster: SimCluster): void {
  cluster.healAllLinks()
  for (const name of cluster.names) {
    if (cluster.stateOf(name) === 'paused') cluster.resume(name)
    cluster.diskOf(name).replace({})
    cluster.diskOf(name).failNextSyncs(0)
    startAgain(cluster, name)
  }
}

function look({ violations }: AgreementInvariants): void {
  if (violations.length > 0) throw new Error(violations.join('\n'))
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

function describe(plan: readonly FaultAct[]): string[] {
  return plan.map(({ atMs, what }) => `${(atMs / 1_000).toFixed(3)} s  ${what}`)
}

function failureText(seed: number, plan: readonly FaultAct[], cluster: SimCluster, error: unknown): string {
  const lines = [`seed ${seed}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`, 'faults:', ...describe(plan)]
  if (cluster.simulation.trace.length > 0) lines.push('trace:', ...cluster.simulation.trace)
  return lines.join('\n')
}
