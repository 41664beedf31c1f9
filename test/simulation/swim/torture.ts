// One seed of everything that can happen to a small cluster, one trouble after another. After each the cluster is made
// whole, and all must agree again in time. Returns what went wrong.
import type { Random } from '@atoll/base'
import { SimulatedCluster, type SimulatedProcess, type SwimModule } from './cluster.ts'
import { Invariants, SURVIVED_PAUSE_MS } from './invariants.ts'
import { ProbeOrders } from './probe-orders.ts'

/** From the end of a trouble until all agree, in milliseconds. */
const AGREEMENT_MS = 10_000
/** From a kill until all know, messages being lost or not, in milliseconds. */
const DEATH_KNOWN_MS = 2_000
const TROUBLES_PER_SEED = 8

/** What it did wrong itself, if anything. */
type Trouble = (cluster: SimulatedCluster, random: Random) => string | undefined

const pick = (cluster: SimulatedCluster, random: Random, but: readonly SimulatedProcess[] = []): SimulatedProcess => {
  const candidates = cluster.running.filter(process => !but.includes(process))
  return candidates[random.below(candidates.length)] as SimulatedProcess
}

const troubles: Readonly<Record<string, Trouble>> = {
  /** Pauses that must be survived; meanwhile another process is paused for so long that it misses the refutation. */
  pauses(cluster, random) {
    for (let times = 0; times < 4; times++) {
      const subject = pick(cluster, random)
      cluster.pause(subject, 400 + random.float() * (SURVIVED_PAUSE_MS - 400))
      cluster.runFor(250 + random.float() * 100)
      cluster.pause(pick(cluster, random, [subject]), 1_500)
      cluster.runFor(4_000)
    }
    return undefined
  },
  long_pause(cluster, random) {
    const subject = pick(cluster, random)
    cluster.pause(subject)
    cluster.runFor(2_000 + random.float() * 6_000)
    cluster.resume(subject)
    return undefined
  },
  kill(cluster, random) {
    const subject = pick(cluster, random)
    cluster.kill(subject)
    const restartsSoon = random.float() < 0.5
    if (restartsSoon) cluster.runFor(random.float() * 300)
    const known = restartsSoon || cluster.runUntil(() => cluster.agrees(), DEATH_KNOWN_MS)
    cluster.restart(subject, pick(cluster, random), random.float() < 0.5)
    return known ? undefined : `a death is not known by all after ${DEATH_KNOWN_MS} ms`
  },
  farewell(cluster, random) {
    const subject = pick(cluster, random)
    cluster.leave(subject)
    cluster.runFor(3_000)
    cluster.restart(subject, pick(cluster, random))
    return undefined
  },
  partition(cluster, random) {
    const side = new Set(cluster.running.filter(() => random.float() < 0.5).map(process => process.name))
    cluster.cut((from, to) => side.has(from) !== side.has(to))
    cluster.runFor(1_000 + random.float() * 14_000)
    cluster.heal()
    return undefined
  },
  one_way_cut(cluster, random) {
    const subject = pick(cluster, random)
    const inward = random.float() < 0.5
    cluster.cut((from, to) => (inward ? to : from) === subject.name)
    cluster.runFor(1_000 + random.float() * 8_000)
    cluster.heal()
    return undefined
  },
  loss(cluster, random) {
    cluster.lose(random.float() * 0.2)
    cluster.runFor(5_000)
    const wrong = random.float() < 0.5 ? troubles['kill']?.(cluster, random) : undefined
    cluster.runFor(2_000)
    cluster.lose(0)
    return wrong
  },
}

export function torture(module: SwimModule, seed: number): string[] {
  const cluster = new SimulatedCluster({ module, size: 3 + (seed % 6), seed }).start()
  const invariants = new Invariants(cluster)
  const random = cluster.random.fork()
  const names = Object.keys(troubles)
  for (let round = 0; round < TROUBLES_PER_SEED && invariants.violations.length === 0; round++) {
    const name = names[(seed + round) % names.length] as string
    const wrong = troubles[name]?.(cluster, random)
    if (wrong !== undefined) invariants.violations.push(`${cluster.now.toFixed(0)} ms: ${wrong}`)
    if (!cluster.runUntil(() => cluster.agrees(), AGREEMENT_MS)) {
      invariants.violations.push(`${cluster.now.toFixed(0)} ms: no agreement within ${AGREEMENT_MS} ms after ${name}`)
    }
    // Out of the time in which a late consequence would be excused.
    cluster.runFor(6_000)
  }
  return invariants.violations
}

/** A quiet cluster of 40: everyone is probed within two passes, in a new order each pass. */
export function probingIsFair(module: SwimModule, seed: number): string[] {
  const size = 40
  const cluster = new SimulatedCluster({ module, size, seed }).startFormed()
  const invariants = new Invariants(cluster)
  const orders = new ProbeOrders(cluster)
  const startedAt = cluster.now
  const passMs = (size - 1) * module.defaultSettings.probeIntervalMs
  cluster.runFor(5 * passMs)
  const gapMs = orders.longestGapMs(startedAt)
  const likeness = orders.likeness()
  if (gapMs > 2.1 * passMs) invariants.violations.push(`a member was not probed for ${Math.round(gapMs)} ms, two passes are ${2 * passMs}`)
  if (likeness > 0.2) invariants.violations.push(`passes in a row are alike by ${likeness.toFixed(2)}`)
  return invariants.violations
}

/**
 * One process accuses a member that cannot refute, again and again, while everybody else gets its answers: one accuser
 * alone must be met with patience.
 */
export function oneAccuserNeedsPatience(module: SwimModule, mute: SwimModule, seed: number): string[] {
  const cluster = new SimulatedCluster({ module, size: 6, seed, others: new Map([[1, mute]]) }).start()
  cluster.runFor(1_000)
  const [accuser, subject] = [cluster.process(0), cluster.process(1)]
  const { incarnation } = subject.swim.self
  const accusation = { node: subject.name, state: 'suspect', incarnation, by: accuser.name, refused: false, meta: undefined } as const
  for (let times = 0; times < 10; times++) {
    for (const process of cluster.running) {
      if (process === accuser || process === subject) continue
      cluster.input(process, nowMs => ({ kind: 'message', from: accuser.name, message: { kind: 'gossip', updates: [accusation] }, nowMs }))
    }
    cluster.runFor(200)
  }
  const dead = cluster.running.filter(process => process.swim.member(subject.name)?.state === 'dead')
  return dead.map(process => `${process.name} declares ${subject.name} dead on the word of ${accuser.name} alone`)
}
