// One seed: a minute of clients, faults and changes of membership, checked at every step, and then the liveness phase:
// once a majority is healthy and linked it must elect a leader, commit, and bring everybody along.

import { type RaftModule, SimulatedCluster } from './cluster.ts'
import { faults } from './faults.ts'
import { Operator } from './operator.ts'

export interface Result {
  readonly violations: readonly string[]
  readonly virtualMs: number
  readonly operations: number
  readonly acknowledged: number
  readonly served: number
  readonly faultsFired: number
  readonly leaders: number
  readonly coverage: ReadonlyMap<string, number>
  readonly trace: readonly string[]
}

const SAFETY_MS = 60_000
/** From the end of all faults until a write is acknowledged. */
const RECOVERY_MS = 5_000
/** And until every member has applied it, rebuilt servers included. */
const CATCH_UP_MS = 20_000
const OPERATION_EVERY_MS = 40

export function torture(module: RaftModule, seed: number, tracing = false): Result {
  const voters = [3, 3, 5, 3, 4, 1][seed % 6] ?? 3
  const settings = {
    snapshotChunkBytes: 16 << (seed % 3),
    snapshotChunksInflightMax: 1 + (seed % 3),
    inflightMessagesMax: seed % 4 === 0 ? 1 : 8,
    appendBytesMax: seed % 2 === 0 ? 200 : 1 << 20,
    heartbeatMs: seed % 2 === 0 ? 100 : 50,
  }
  const cluster = new SimulatedCluster({ module, seed, voters, spares: 2, settings })
  cluster.tracing = tracing
  const operator = new Operator(cluster, Math.max(voters, 3))
  const run = new Run(cluster, operator)
  run.safety()
  if (cluster.violations.length === 0) run.liveness()
  return {
    violations: cluster.violations,
    virtualMs: cluster.now,
    operations: cluster.proposed + cluster.readsAsked,
    acknowledged: cluster.acknowledged,
    served: cluster.served,
    faultsFired: run.faultsFired,
    leaders: cluster.checker.leadersElected,
    coverage: cluster.coverage,
    trace: cluster.trace,
  }
}

class Run {
  faultsFired = 0
  readonly #cluster: SimulatedCluster
  readonly #operator: Operator
  #underWay: (() => void)[] = []
  #isOver = false

  constructor(cluster: SimulatedCluster, operator: Operator) {
    this.#cluster = cluster
    this.#operator = operator
  }

  safety(): void {
    const { random } = this.#cluster
    for (const server of this.#cluster.all) {
      server.snapshotEvery = 20 + random.below(100)
      server.keepBehind = random.below(20)
    }
    this.#cluster.onEvent = (server, event) => {
      if (event.kind === 'repaired') this.#operator.impaired.delete(server.name)
    }
    this.#cluster.startAll()
    this.#operate()
    this.#look()
    this.#break()
    this.#cluster.runFor(SAFETY_MS)
  }

  liveness(): void {
    const cluster = this.#cluster
    this.#isOver = true
    for (const end of this.#underWay.splice(0)) end()
    cluster.network.heal()
    for (const server of cluster.all) {
      server.resume()
      cluster.restart(server)
    }
    const before = cluster.acknowledged
    if (!cluster.runUntil(() => cluster.acknowledged > before + 2, RECOVERY_MS)) {
      cluster.checker.violated('the cluster', `acknowledges nothing within ${RECOVERY_MS} ms of health`)
      return
    }
    const goal = cluster.checker.committed.index
    if (cluster.runUntil(() => this.#everybodyHas(goal), CATCH_UP_MS)) return
    const behind = cluster.all.map(({ name, raft, machine }) => `${name} ${raft?.status.role} ${machine.index}`)
    cluster.checker.violated('the cluster', `has members behind ${goal} after ${CATCH_UP_MS} ms of health: ${behind.join(', ')}`)
  }

  #everybodyHas(goal: number): boolean {
    const cluster = this.#cluster
    const members = cluster.leader?.raft?.status.configuration
    if (members === undefined || !this.#operator.settled()) return false
    return [...members.voters, ...members.learners].every(({ node }) => cluster.server(node).machine.index >= goal)
  }

  /** A client's operation every so often, for as long as the run lasts. */
  #operate(): void {
    const cluster = this.#cluster
    const { random } = cluster
    cluster.later(OPERATION_EVERY_MS * (0.5 + random.float()), () => this.#operate())
    const anyone = cluster.all[random.below(cluster.all.length)]
    if (random.float() < 0.4) cluster.read(random.float() < 0.5 ? cluster.leader : anyone)
    else cluster.write(random.float() < 0.9 ? (cluster.leader ?? anyone) : anyone, 1 + random.below(3))
  }

  #look(): void {
    this.#cluster.later(120, () => this.#look())
    this.#operator.work()
    for (const name of this.#operator.impaired) if (this.#isReplaced(name)) this.#operator.impaired.delete(name)
  }

  /** A wiped server is made up for once its old identity is out of a committed configuration. A damaged one says so itself. */
  #isReplaced(name: string): boolean {
    const server = this.#cluster.server(name)
    const isWiped = server.disk.hardState.term === 0 || server.raft?.status.damaged === false
    return isWiped && this.#operator.settled()
  }

  /** A fault every so often, each ending by itself; some overlap. */
  #break(): void {
    if (this.#isOver) return
    const cluster = this.#cluster
    const { random } = cluster
    cluster.later(300 + random.float() * 2_200, () => this.#break())
    const names = Object.keys(faults)
    const name = names[random.below(names.length)] ?? ''
    const end = faults[name]?.({ cluster, operator: this.#operator })
    if (end === undefined) return
    this.faultsFired++
    cluster.count(`fault: ${name}`)
    if (cluster.tracing) cluster.trace.push(`${cluster.now.toFixed(1)} fault ${name}`)
    this.#underWay.push(end)
    cluster.later(200 + random.float() ** 2 * 4_000, () => {
      const place = this.#underWay.indexOf(end)
      if (place === -1) return
      this.#underWay.splice(place, 1)
      end()
    })
  }
}
