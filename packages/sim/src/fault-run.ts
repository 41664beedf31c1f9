// Carries a plan of faults out: each begins at its time if there is something to break, is counted, and ends by itself or
// with all others.
import type { PlannedFault } from './fault-plan.ts'
import type { EndFault } from './faults/fault.ts'
import type { SimCluster } from './sim-cluster.ts'

/** What died by itself is started again so often, in virtual milliseconds. */
const REVIVE_MS = 400

export class FaultRun {
  /** How often each kind began. */
  readonly fired = new Map<string, number>()
  readonly #cluster: SimCluster
  readonly #plan: readonly PlannedFault[]
  readonly #happened = new Set<PlannedFault>()
  readonly #underWay = new Set<EndFault>()
  #over = false

  constructor(cluster: SimCluster, plan: readonly PlannedFault[]) {
    this.#cluster = cluster
    this.#plan = plan
    for (const fault of plan) cluster.simulation.at(fault.atMs, () => this.#begin(fault))
    cluster.simulation.at(REVIVE_MS, () => this.#revive())
  }

  get count(): number {
    return this.#happened.size
  }

  /** Every fault with its times; those that found nothing to break are marked. */
  get lines(): readonly string[] {
    const seconds = (ms: number): string => (ms / 1_000).toFixed(3).padStart(7)
    return this.#plan.map(fault => {
      const { kind, atMs, untilMs, what } = fault
      return `${seconds(atMs)} s to ${seconds(untilMs)} s  ${kind}: ${what}${this.#happened.has(fault) ? '' : ' (nothing to break)'}`
    })
  }

  /** Nothing is broken any more, and whoever is down is started. */
  end(): void {
    this.#over = true
    for (const end of this.#underWay) end()
    this.#underWay.clear()
    this.#cluster.mend()
  }

  #begin(fault: PlannedFault): void {
    if (this.#over) return
    const end = fault.begin(this.#cluster)
    if (end === undefined) return
    this.#happened.add(fault)
    this.fired.set(fault.kind, (this.fired.get(fault.kind) ?? 0) + 1)
    this.#underWay.add(end)
    this.#cluster.simulation.at(fault.untilMs, () => {
      if (this.#underWay.delete(end)) end()
    })
  }

  /** As somebody in charge would do: what ended itself, for want of a disk that works, is started again. */
  #revive(): void {
    const { simulation, names } = this.#cluster
    for (const name of names) this.#cluster.startUnlessHeld(name)
    simulation.at(simulation.nowMs + REVIVE_MS, () => this.#revive())
  }
}
