// One seed of the simulation of the log: whole brokers and coordinators on simulated disks and links, with producers and
// consumers, while processes, machines, disks, links and clocks fail; then all is mended. Nothing acknowledged may be lost,
// doubled, reordered or skipped, everybody is in sync again, all copies are equal, and preferred leaders lead.
import { type NodeId, seededRandom } from '@atoll/base'
import { checkLog, pairRecords } from '@atoll/history'
import type { PartitionRecord } from '@atoll/protocol'
import type { SimHashes } from '@atoll/sim-ports'
import type { PlannedFault } from '../fault-plan.ts'
import { FaultRun } from '../fault-run.ts'
import { failureText, SeedFailure } from '../seed-failure.ts'
import { SimCluster } from '../sim-cluster.ts'
import { planBrokerFaults } from './broker-plan.ts'
import { LogClients } from './log-clients.ts'
import { LogInvariants, type PartitionKey } from './log-invariants.ts'
import { bytesOnDisk } from './segments.ts'

const COORDINATORS = 3
/** The last one joins later. */
const BROKERS = 4
const PARTITIONS = 4
/** How long faults last, in virtual milliseconds. */
const FAULTS_MS = 25_000
const FAULT_EVERY_MS = 1_300
/** A cluster is up within this, in virtual milliseconds. */
const START_MS_MAX = 30_000
/** Once nothing is disturbed everything has to be well within this, in virtual milliseconds. */
const CONVERGENCE_MS_MAX = 60_000
const LOOK_MS = 250
/** Far more than a cluster that works has in that time. */
const EVENTS_PER_LOOK_MAX = 100_000

export interface BrokersRunReport {
  readonly seed: number
  readonly traceHash: string
  readonly events: number
  readonly virtualMs: number
  readonly plan: readonly string[]
  readonly faults: ReadonlyMap<string, number>
  readonly operations: number
  readonly acknowledged: number
  readonly consumed: number
  /** Batches that were committed. */
  readonly committed: number
  /** Epochs in which somebody led a partition. */
  readonly epochs: number
  readonly convergedAfterMs: number
  readonly coverage: ReadonlyMap<string, number>
}

export interface BrokersRunOptions {
  readonly traceLinesMax?: number
  /** How long faults last, in virtual milliseconds. Default 25,000. */
  readonly faultsMs?: number
  /** In the place of what the seed would break. Times are counted from when the cluster is up. */
  readonly plan?: (cluster: SimCluster, committed: () => number) => readonly PlannedFault[]
}

/** Runs one seed. Rejects with a SeedFailure that carries the plan and the newest trace. */
export async function runBrokersSeed(seed: number, hashes: SimHashes, options: BrokersRunOptions = {}): Promise<BrokersRunReport> {
  const run = new BrokersRun(seed, hashes, options)
  try {
    return await run.play()
  } catch (error) {
    throw new SeedFailure(failureText(seed, 'brokers', run.faults, run.cluster, error), { cause: error })
  }
}

class BrokersRun {
  readonly cluster: SimCluster
  faults: FaultRun
  readonly #seed: number
  readonly #options: BrokersRunOptions
  readonly #faultsMs: number
  readonly #invariants: LogInvariants
  readonly #clients: LogClients
  readonly #random

  constructor(seed: number, hashes: SimHashes, options: BrokersRunOptions) {
    const random = seededRandom(seed)
    this.#seed = seed
    this.#options = options
    this.#faultsMs = options.faultsMs ?? FAULTS_MS
    this.#random = random
    this.cluster = new SimCluster({ seed, hashes, nodes: COORDINATORS, brokers: BROKERS, traceLinesMax: options.traceLinesMax ?? 0 })
    this.#invariants = new LogInvariants(this.cluster)
    this.#clients = new LogClients(this.cluster, this.#invariants, random.fork())
    this.faults = new FaultRun(this.cluster, [])
  }

  async play(): Promise<BrokersRunReport> {
    const { simulation } = this.cluster
    await this.#begin()
    await this.#runTo(simulation.nowMs + this.#faultsMs)
    this.faults.end()
    const mendedMs = simulation.nowMs
    this.#clients.stop()
    await this.#until('everybody is in sync again and everything is acknowledged', CONVERGENCE_MS_MAX, () => this.#unwell())
    const convergedAfterMs = simulation.nowMs - mendedMs
    this.#clients.readAll()
    await this.#until('everything is read', CONVERGENCE_MS_MAX, () => (this.#clients.isIdle ? undefined : 'the reader is not done'))
    this.#compareCopies()
    const operations = pairRecords(this.#clients.recorder.records)
    const { violations } = checkLog(operations, { finalPolls: true })
    if (violations.length > 0)
      throw new Error(violations.map(({ rule, partition, message }) => `${rule} in ${partition}: ${message}`).join('\n'))
    return {
      seed: this.#seed,
      traceHash: simulation.traceHash,
      events: simulation.eventCount,
      virtualMs: simulation.nowMs,
      plan: this.faults.lines,
      faults: this.faults.fired,
      operations: operations.length,
      acknowledged: this.#clients.acknowledged,
      consumed: this.#clients.consumed,
      committed: this.#invariants.committed,
      epochs: this.#invariants.epochs,
      convergedAfterMs,
      coverage: this.#coverage(),
    }
  }

  /** A cluster that works, all of its brokers but the one that comes later; then the faults begin. */
  async #begin(): Promise<void> {
    const { cluster } = this
    const spare = cluster.brokers.at(-1) as NodeId
    const add = cluster.holdDown(spare)
    for (const name of cluster.names) if (name !== spare) cluster.start(name)
    const early = cluster.brokers.slice(0, -1)
    const up = () => early.every(name => cluster.broker(name)?.service.metadata.liveBrokers().length === early.length)
    await this.#until('all brokers may be elected', START_MS_MAX, () => (up() ? undefined : this.#states()))
    this.#clients.start(PARTITIONS)
    await this.#until('there is a topic', START_MS_MAX, () => (this.#clients.hasTopic ? undefined : this.#states()))
    const { nowMs } = cluster.simulation
    const times = { fromMs: nowMs + 500, untilMs: nowMs + this.#faultsMs, everyMs: FAULT_EVERY_MS }
    const drawn = planBrokerFaults(this.#random, { coordinators: cluster.coordinators, brokers: early, ...times })
    const joins = { kind: 'broker_added', what: `${spare} joins`, atMs: nowMs + this.#random.below(this.#faultsMs), untilMs: times.untilMs }
    const added = {
      ...joins,
      begin: () => {
        add()
        return () => {}
      },
    }
    const given = this.#options
      .plan?.(cluster, () => this.#invariants.committed)
      .map(fault => ({ ...fault, atMs: nowMs + fault.atMs, untilMs: nowMs + fault.untilMs }))
    this.faults = new FaultRun(cluster, given ?? [...drawn, added].toSorted((a, b) => a.atMs - b.atMs))
  }

  /** Ends at the first step that breaks an invariant. */
  async #runTo(untilMs: number): Promise<void> {
    const { simulation } = this.cluster
    while (simulation.nowMs < untilMs) {
      const nextMs = Math.min(untilMs, simulation.nowMs + LOOK_MS)
      const { reason } = await simulation.run({ untilMs: nextMs, until: this.#invariants.look, eventsMax: EVENTS_PER_LOOK_MAX })
      const wrong = [...this.#invariants.violations, ...this.#clients.violations]
      if (wrong.length > 0) throw new Error(wrong.join('\n'))
      if (reason === 'events') throw new Error(`something goes round in circles: ${EVENTS_PER_LOOK_MAX} events in ${LOOK_MS} ms`)
    }
  }

  async #until(what: string, withinMs: number, missing: () => string | undefined): Promise<void> {
    const { simulation } = this.cluster
    const endMs = simulation.nowMs + withinMs
    for (;;) {
      const why = missing()
      if (why === undefined) return
      if (simulation.nowMs >= endMs) throw new Error(`not within ${withinMs} ms: ${what}: ${why}`)
      await this.#runTo(simulation.nowMs + LOOK_MS)
    }
  }

  /** What is not as it should be once nothing is disturbed; undefined when all is well. */
  #unwell(): string | undefined {
    if (!this.#clients.isIdle) return 'producers wait'
    for (const name of this.cluster.brokers) {
      const metadata = this.cluster.broker(name)?.service.metadata
      if (metadata === undefined) return `${name} is ${this.cluster.stateOf(name)}`
      const partitions = [...metadata.partitions()]
      if (partitions.length < PARTITIONS) return `${name} knows ${partitions.length} partitions`
      for (const [key, record] of partitions) {
        const wrong = this.#unwellIn(key, record)
        if (wrong !== undefined) return `${name}: ${key} (${record.topic}): ${wrong}`
      }
    }
    return undefined
  }

  #unwellIn(key: PartitionKey, { leader, leaderEpoch, replicas, isr }: PartitionRecord): string | undefined {
    if (isr.length < replicas.length) return `in sync ${isr.map(({ node }) => node).join(', ')}, led by ${leader} in epoch ${leaderEpoch}`
    if (leader !== replicas[0]) return `led by ${leader}, not by ${replicas[0]}`
    const ends = replicas.map(name => {
      const status = this.cluster.broker(name)?.service.host.replica(key)?.status
      return status === undefined ? 'none' : `${status.highWatermark} ${status.logEnd} ${status.durableEnd} ${status.leaderEpoch}`
    })
    return ends.every(end => end === ends[0]) ? undefined : `ends differ: ${ends.join(' | ')}`
  }

  /** Every copy of a partition is the same, byte by byte. */
  #compareCopies(): void {
    const [some] = this.cluster.brokers
    const metadata = this.cluster.broker(some as NodeId)?.service.metadata
    for (const [key, { replicas }] of metadata?.partitions() ?? []) {
      const [first, ...others] = replicas.map(name => ({ name, bytes: bytesOnDisk(this.cluster.diskOf(name), key) }))
      for (const other of others)
        if (!areEqual(first?.bytes, other.bytes)) throw new Error(`${first?.name} and ${other.name} hold other bytes of ${key}`)
    }
  }

  #states(): string {
    return this.cluster.names.map(name => `${name} ${this.cluster.stateOf(name)}`).join(', ')
  }

  #coverage(): ReadonlyMap<string, number> {
    const counts = new Map(this.#clients.outcomes)
    const add = (what: string, times = 1): void => void counts.set(what, (counts.get(what) ?? 0) + times)
    for (const name of this.cluster.names) {
      for (const line of this.cluster.logOf(name)) add((JSON.parse(line) as { event: string }).event)
      for (const [fault, times] of Object.entries(this.cluster.diskOf(name).fired)) if (times > 0) add(fault, times)
    }
    return counts
  }
}

function areEqual(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && a.length === b.length && a.every((byte, place) => byte === b[place])
}
