// What is measured of a simulated cluster: how fast a death is noticed, how often one is imagined, what it costs.
import type { NodeId } from '@atoll/base'
import type { SwimEvent, SwimSettings } from '@atoll/swim'
import { type ClusterObserver, SimulatedCluster, type SimulatedProcess, type SwimModule } from './cluster.ts'
import { Invariants } from './invariants.ts'
import { messageBytes } from './message-bytes.ts'

export interface Setup {
  readonly module: SwimModule
  readonly size: number
  readonly seed: number
  readonly settings?: Partial<SwimSettings>
  readonly lossRate?: number
}

/** Milliseconds from the fault; undefined if it did not happen in time. */
export interface Detection {
  readonly firstSuspect: number | undefined
  readonly firstDead: number | undefined
  readonly allKnow: number | undefined
}

/** Notes when a death is first suspected, first believed, and believed by all. */
class DeathWatch implements ClusterObserver {
  firstSuspect: number | undefined
  firstDead: number | undefined
  lastDead: number | undefined
  readonly believers = new Set<NodeId>()
  readonly #cluster: SimulatedCluster
  readonly #subject: NodeId
  readonly #faultAt: number

  constructor(cluster: SimulatedCluster, subject: NodeId) {
    this.#cluster = cluster
    this.#subject = subject
    this.#faultAt = cluster.now
  }

  happened(process: SimulatedProcess, event: SwimEvent): void {
    if ((event.kind !== 'member_suspect' && event.kind !== 'member_dead') || event.member.node !== this.#subject) return
    const after = this.#cluster.now - this.#faultAt
    if (event.kind === 'member_suspect') {
      this.firstSuspect ??= after
    } else {
      this.firstDead ??= after
      this.lastDead = after
      this.believers.add(process.name)
    }
  }
}

function formed(setup: Setup): SimulatedCluster {
  const cluster = new SimulatedCluster(setup)
  return setup.size <= 16 ? cluster.start() : cluster.startFormed()
}

/** Kills or pauses members of one cluster, one after another, each time until all know and it is back. */
export function measureDetection(setup: Setup, how: 'kill' | 'pause', rounds: number): Detection[] {
  const cluster = formed(setup)
  cluster.runFor(2_000)
  const detections: Detection[] = []
  for (let round = 0; round < rounds; round++) {
    cluster.runFor(cluster.random.float() * 2_000)
    const subject = cluster.process(cluster.random.below(setup.size))
    const watch = new DeathWatch(cluster, subject.name)
    cluster.observers.push(watch)
    if (how === 'kill') cluster.kill(subject)
    else cluster.pause(subject)
    const known = cluster.runUntil(() => watch.believers.size >= setup.size - 1, 30_000)
    cluster.observers.splice(cluster.observers.indexOf(watch), 1)
    detections.push({ firstSuspect: watch.firstSuspect, firstDead: watch.firstDead, allKnow: known ? watch.lastDead : undefined })
    if (round + 1 === rounds) break
    if (how === 'kill') cluster.restart(subject, cluster.process(subject === cluster.process(0) ? 1 : 0))
    else cluster.resume(subject)
    cluster.runUntil(() => setup.size <= 16 && cluster.agrees(), 15_000)
  }
  return detections
}

export interface FalseAlarms {
  readonly simulatedMs: number
  readonly suspicions: number
  readonly deaths: number
  readonly violations: readonly string[]
}

/** What goes on while nothing dies: nothing at all, pauses of `pauseMs` now and then, or a machine that is always busy. */
export function measureFalseAlarms(setup: Setup, simulatedMs: number, trouble: { pauseMs?: number; busy?: boolean } = {}): FalseAlarms {
  const cluster = formed({ ...setup, lossRate: 0 })
  const invariants = new Invariants(cluster)
  cluster.lose(setup.lossRate ?? 0)
  if (trouble.busy === true) cluster.makeBusy()
  const endsAt = cluster.now + simulatedMs
  while (cluster.now < endsAt) {
    if (trouble.pauseMs !== undefined) cluster.pause(cluster.process(cluster.random.below(setup.size)), trouble.pauseMs)
    cluster.runFor(Math.min(endsAt - cluster.now, 500 + cluster.random.float() * 1_500))
  }
  return { simulatedMs, suspicions: invariants.suspicions, deaths: invariants.falseDeaths, violations: invariants.violations }
}

export interface Traffic {
  /** All per member and second. */
  readonly messages: number
  readonly bytes: number
  readonly ticks: number
}

/** What an idle cluster sends. */
export function measureTraffic(setup: Setup, simulatedMs: number): Traffic {
  const cluster = formed(setup)
  cluster.runFor(setup.size <= 16 ? 20_000 : 2_000)
  let messages = 0
  let bytes = 0
  let ticks = 0
  cluster.observers.push({
    sent: (_process, { message }) => {
      messages++
      bytes += messageBytes(message)
    },
    stepped: (_process, input) => {
      if (input.kind === 'tick') ticks++
    },
  })
  cluster.runFor(simulatedMs)
  const memberSeconds = (simulatedMs / 1_000) * setup.size
  return { messages: messages / memberSeconds, bytes: bytes / memberSeconds, ticks: ticks / memberSeconds }
}
