// One seed of the simulation of agreement: whole coordinators on simulated disks and links serve clients while they are
// killed, paused, cut off, and lose power, room and their disks' obedience; then all is mended. What was acknowledged must
// be there, what was read must be linearizable, all must hold the same, and work must go on.
import { seededRandom } from '@atoll/base'
import { NODE_PREFIX } from '@atoll/coordinator'
import type { SimHashes } from '@atoll/sim-ports'
import { AgreementInvariants } from './agreement-checks.ts'
import { AgreementClients } from './agreement-clients.ts'
import { clientNames, SdkClients } from './clients/sdk-clients.ts'
import { clientFaultKinds, faultKinds, planFaults } from './fault-plan.ts'
import { FaultRun } from './fault-run.ts'
import { failureText, SeedFailure } from './seed-failure.ts'
import { SimCluster } from './sim-cluster.ts'
import type { Workload } from './workload.ts'

/** How long the faults last, and the clients work, in virtual milliseconds. */
const FAULTS_MS = 60_000
const FAULT_EVERY_MS = 900
/** Once nothing is disturbed every node must hold everything within this, in virtual milliseconds. */
const CONVERGENCE_MS_MAX = 20_000
/** How long what clients began may still take, in virtual milliseconds. */
const CLIENTS_MS_MAX = 20_000
const LOOK_MS = 250
/** Far more than a cluster that works has in that time. */
const EVENTS_PER_LOOK_MAX = 50_000

/** `agreement`: clients hand their commands to the driver. `clients`: they speak through the SDK, over the network. */
export type AgreementKind = 'agreement' | 'clients'

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

export interface AgreementRunOptions {
  readonly kind?: AgreementKind
  /** Lines of trace in a failure. */
  readonly traceLinesMax?: number
}

/** Runs one seed. Rejects with a SeedFailure that carries the plan and the newest trace. */
export async function runAgreementSeed(
  seed: number,
  hashes: SimHashes,
  { kind = 'agreement', traceLinesMax = 0 }: AgreementRunOptions = {},
): Promise<AgreementRunReport> {
  const random = seededRandom(seed)
  const invariants = new AgreementInvariants()
  const nodes = random.below(3) === 0 ? 5 : 3
  const cluster = new SimCluster({ seed, hashes, nodes, traceLinesMax, hooksOf: name => invariants.hooksOf(name) })
  cluster.onWipe = name => invariants.raft.wiped(name)
  const times = { durationMs: FAULTS_MS, everyMs: FAULT_EVERY_MS }
  const through = kind === 'agreement' ? { kinds: faultKinds } : { kinds: [...faultKinds, ...clientFaultKinds], clients: clientNames }
  const plan = planFaults(cluster.names, random, { ...through, ...times })
  const faults = new FaultRun(cluster, plan)
  const clients = new (kind === 'agreement' ? AgreementClients : SdkClients)(cluster, invariants, random.fork())
  try {
    return await new AgreementRun(seed, cluster, faults, invariants, clients).play()
  } catch (error) {
    throw new SeedFailure(failureText(seed, kind, faults, cluster, error), { cause: error, history: clients.failed })
  }
}

class AgreementRun {
  readonly #seed: number
  readonly #cluster: SimCluster
  readonly #faults: FaultRun
  readonly #invariants: AgreementInvariants
  readonly #clients: Workload

  constructor(seed: number, cluster: SimCluster, faults: FaultRun, invariants: AgreementInvariants, clients: Workload) {
    this.#seed = seed
    this.#cluster = cluster
    this.#faults = faults
    this.#invariants = invariants
    this.#clients = clients
  }

  async play(): Promise<AgreementRunReport> {
    const { simulation } = this.#cluster
    this.#cluster.startAll()
    this.#clients.start()
    await this.#runTo(FAULTS_MS)
    this.#faults.end()
    const mendedMs = simulation.nowMs
    const before = this.#clients.progress
    await this.#until('something is acknowledged', CONVERGENCE_MS_MAX, () => this.#clients.progress > before)
    this.#clients.stop()
    await this.#until('what the clients began is over', CLIENTS_MS_MAX, () => this.#clients.isIdle)
    await this.#until('all are registered voters', mendedMs + CONVERGENCE_MS_MAX + CLIENTS_MS_MAX - simulation.nowMs, () => this.#isWhole())
    await this.#until('all hold everything', mendedMs + CONVERGENCE_MS_MAX + CLIENTS_MS_MAX - simulation.nowMs, () => this.#converged())
    const convergedAfterMs = simulation.nowMs - mendedMs
    // What was told on the way is told by now.
    await this.#runTo(simulation.nowMs + LOOK_MS)
    const wrong = [...this.#clients.check(), ...this.#clients.violations]
    if (wrong.length > 0) throw new Error(wrong.join('\n'))
    return {
      seed: this.#seed,
      traceHash: simulation.traceHash,
      events: simulation.eventCount,
      virtualMs: simulation.nowMs,
      plan: this.#faults.lines,
      faults: this.#faults.fired,
      operations: this.#clients.operations,
      acknowledged: this.#clients.progress,
      entries: this.#invariants.highest,
      terms: this.#invariants.terms,
      convergedAfterMs,
      coverage: this.#coverage(),
    }
  }

  /** Ends at the first step that breaks an invariant. */
  async #runTo(untilMs: number): Promise<void> {
    const { simulation } = this.#cluster
    const { violations } = this.#invariants
    while (simulation.nowMs < untilMs) {
      const nextMs = Math.min(untilMs, simulation.nowMs + LOOK_MS)
      const { reason } = await simulation.run({ untilMs: nextMs, until: () => violations.length > 0, eventsMax: EVENTS_PER_LOOK_MAX })
      if (violations.length > 0) throw new Error(violations.join('\n'))
      if (this.#clients.violations.length > 0) throw new Error(this.#clients.violations.join('\n'))
      if (reason === 'events') throw new Error(`something goes round in circles: ${EVENTS_PER_LOOK_MAX} events in ${LOOK_MS} ms`)
    }
  }

  async #until(what: string, withinMs: number, holds: () => boolean): Promise<void> {
    const { simulation } = this.#cluster
    const untilMs = simulation.nowMs + withinMs
    while (!holds()) {
      if (simulation.nowMs > untilMs) throw new Error(`not within ${withinMs} ms of health: ${what}: ${this.#states()}`)
      await this.#runTo(simulation.nowMs + LOOK_MS)
    }
  }

  /** All have applied the same, up to the end, and it made the same of them. */
  #converged(): boolean {
    const { names } = this.#cluster
    const held = names.map(name => this.#cluster.coordinator(name)?.agreement)
    if (!held.every(agreement => agreement?.driver?.applied === this.#invariants.highest)) return false
    const digests = new Set(held.map(agreement => agreement?.machine.state.digest.text))
    if (digests.size > 1) throw new Error(`states differ at ${this.#invariants.highest}: ${[...digests].join(', ')}`)
    return true
  }

  /** Who lost its disk is in again under its new identity, and everybody's registration stands. */
  #isWhole(): boolean {
    const { names } = this.#cluster
    const leader = this.#cluster.leader()
    const agreement = leader && this.#cluster.coordinator(leader)?.agreement
    if (agreement?.driver === undefined) return false
    const { voters } = agreement.driver.status.configuration
    const { store, registrations } = agreement.machine.state
    return names.every(name => {
      const voter = voters.find(({ node }) => node === name)
      const version = store.get(NODE_PREFIX + name)
      const registered = version && registrations.read(version)
      const disk = this.#cluster.coordinator(name)?.agreement.self.disk
      return disk !== undefined && voter?.disk === disk && registered?.disk === disk && registered.state === 'active'
    })
  }

  #states(): string {
    const { names } = this.#cluster
    const states = names.map(name => {
      const status = this.#cluster.coordinator(name)?.agreement.driver?.status
      const said = status === undefined ? 'without a cluster' : `${status.role} ${status.term} ${status.applied}/${status.lastIndex}`
      return `${name} ${this.#cluster.stateOf(name)} ${said}`
    })
    return states.join(', ')
  }

  #coverage(): Map<string, number> {
    const counts = new Map(this.#clients.outcomes)
    const add = (what: string, times = 1): void => void counts.set(what, (counts.get(what) ?? 0) + times)
    for (const name of this.#cluster.names) {
      for (const line of this.#cluster.logOf(name)) add((JSON.parse(line) as { event: string }).event)
      for (const [fault, times] of Object.entries(this.#cluster.diskOf(name).fired)) if (times > 0) add(fault, times)
    }
    return counts
  }
}
