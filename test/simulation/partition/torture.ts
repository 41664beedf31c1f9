// One seed: twelve seconds of producers, consumers and faults, checked at every step, and then the liveness phase: once
// everything is well all that was sent is acknowledged, everybody is in sync, and all copies are equal.
import { type PartitionModule, SimulatedCluster } from './cluster.ts'
import type { ControllerBugs } from './controller.ts'
import { faults } from './faults.ts'
import { goodLinks } from './network.ts'

export interface Result {
  readonly violations: readonly string[]
  readonly virtualMs: number
  readonly acknowledged: number
  readonly consumed: number
  readonly faultsFired: number
  readonly leaders: number
  readonly coverage: ReadonlyMap<string, number>
  readonly trace: readonly string[]
}

const SAFETY_MS = 12_000
/** From the end of all faults until everything is in sync again. */
const RECOVERY_MS = 8_000

export function torture(
  module: PartitionModule,
  seed: number,
  options: { readonly tracing?: boolean; readonly bugs?: ControllerBugs } = {},
): Result {
  const brokers = seed % 7 === 0 ? 2 : seed % 5 === 0 ? 4 : 3
  const cluster = new SimulatedCluster({
    module,
    seed,
    brokers,
    minInSyncReplicas: seed % 11 === 0 ? 1 : Math.floor(brokers / 2) + 1,
    // Processes die, the power stays: the page cache is enough.
    trustsPageCache: seed % 6 === 0,
    bugs: options.bugs ?? {},
  })
  cluster.tracing = options.tracing ?? false
  const run = new Run(cluster)
  run.safety()
  if (cluster.violations.length === 0) run.liveness()
  return {
    violations: cluster.violations,
    virtualMs: cluster.now,
    acknowledged: cluster.checker.acknowledged,
    consumed: cluster.checker.consumed,
    faultsFired: run.faultsFired,
    leaders: cluster.checker.leadersSeen,
    coverage: cluster.coverage,
    trace: cluster.trace,
  }
}

class Run {
  faultsFired = 0
  readonly #cluster: SimulatedCluster
  #underWay: (() => void)[] = []
  #isOver = false
  /** A wiped disk is made up for before anything else is broken. */
  #wipedUntilMs = 0

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster
  }

  safety(): void {
    this.#cluster.later(500, () => this.#break())
    this.#cluster.runFor(SAFETY_MS)
  }

  liveness(): void {
    const cluster = this.#cluster
    this.#isOver = true
    for (const end of this.#underWay.splice(0)) end()
    cluster.network.heal()
    cluster.network.quality = goodLinks
    for (const broker of cluster.brokers) {
      broker.resume()
      cluster.restart(broker)
    }
    for (const producer of cluster.producers) producer.isStopped = true
    if (cluster.runUntil(() => cluster.isSettled(), RECOVERY_MS) || cluster.violations.length > 0) return
    const behind = cluster.controller.keys.map(key => {
      const { leader, isr } = cluster.controller.partition(key)
      return `${key} led by ${leader}, isr ${isr.join(' ')}, ${cluster.brokers.map(broker => JSON.stringify(broker.replica(key)?.status)).join(' ')}`
    })
    const waiting = cluster.producers.filter(({ isDone }) => !isDone).map(({ name, key }) => `${name} of ${key}`)
    cluster.checker.violated(
      'the cluster',
      `is not in sync after ${RECOVERY_MS} ms of health: ${behind.join('; ')}; waiting: ${waiting.join(', ')}`,
    )
  }

  /** A fault every so often, each ending by itself; some overlap. */
  #break(): void {
    if (this.#isOver) return
    const cluster = this.#cluster
    const { random } = cluster
    cluster.later(150 + random.float() * 700, () => this.#break())
    if (cluster.now < this.#wipedUntilMs || cluster.brokers.some(({ isWiped }) => isWiped)) return
    const names = Object.keys(faults)
    const name = names[random.below(names.length)] ?? ''
    if (name === 'wipe' && this.#underWay.length > 0) return
    const end = faults[name]?.(cluster)
    if (end === undefined) return
    if (name === 'wipe') this.#wipedUntilMs = cluster.now + 1_200
    this.faultsFired++
    cluster.count(`fault: ${name}`)
    if (cluster.tracing) cluster.trace.push(`${cluster.now.toFixed(1)} fault ${name}`)
    this.#underWay.push(end)
    cluster.later((name === 'wipe' ? 100 : 200) + random.float() ** 2 * (name === 'wipe' ? 700 : 2_000), () => {
      const place = this.#underWay.indexOf(end)
      if (place === -1) return
      this.#underWay.splice(place, 1)
      end()
    })
  }
}
