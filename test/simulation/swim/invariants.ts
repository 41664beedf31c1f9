// What must hold after every step of every process, whatever happens to the cluster; checked as the simulation runs.
import type { NodeId } from '@atoll/base'
import { type Effects, type Input, MEMBERS_MAX, type SwimEvent, UPDATE_BYTES_MAX, UPDATES_MAX } from '@atoll/swim'
import type { ClusterObserver, SimulatedCluster, SimulatedProcess } from './cluster.ts'
import { messageBytes } from './message-bytes.ts'

/** A pause up to this long is survived without being declared dead, in milliseconds. */
export const SURVIVED_PAUSE_MS = 600
/** For this long after a pause that is longer, a kill, or links made whole, a death is no fault. */
const EXCUSED_MS = 5_000

export class Invariants implements ClusterObserver {
  readonly violations: string[] = []
  /** Deaths of running processes that nothing excuses. */
  falseDeaths = 0
  suspicions = 0
  readonly #cluster: SimulatedCluster
  /** What each process, by name and address, knew of each member's incarnation. */
  readonly #known = new WeakMap<SimulatedProcess, Map<NodeId, number>>()
  /** The highest incarnation that any life of a name gave itself. */
  readonly #own = new Map<NodeId, number>()
  readonly #excusedUntil = new Map<NodeId, number>()
  #allExcusedUntil = 0
  readonly #everyStep: boolean
  #steps = 0

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster
    // In a large cluster a look at everything known takes longer than the step itself.
    this.#everyStep = cluster.processes.size <= 16
    cluster.observers.push(this)
  }

  stepped(process: SimulatedProcess, input: Input, effects: Effects): void {
    const { swim, name } = process
    this.#excusePause(process)
    this.#own.set(name, Math.max(this.#own.get(name) ?? 0, swim.self.incarnation))
    if (this.#everyStep || this.#steps++ % 200 === 0) this.#checkIncarnations(process)
    this.#checkLengths(process)
    if (effects.wakeAtMs !== undefined && effects.wakeAtMs < input.nowMs - 1) this.#violated(process, 'asks to be woken in the past')
    for (const { message } of effects.sends) {
      if (message.kind === 'sync' || message.kind === 'nack') continue
      // The claim about the recipient and the answer to a false claim may come on top.
      const bound = UPDATE_BYTES_MAX + 400
      if (message.updates.length > UPDATES_MAX || messageBytes(message) > bound) this.#violated(process, 'sends an oversized message')
    }
  }

  happened(process: SimulatedProcess, event: SwimEvent): void {
    if (event.kind === 'member_suspect') this.suspicions++
    if (event.kind === 'member_forgotten') this.#known.get(process)?.delete(event.node)
    if (event.kind !== 'member_dead') return
    const subject = this.#cluster.processes.get(event.member.node)
    if (subject === undefined) this.#violated(process, `declares ${event.member.node} dead, which never was`)
    else if (subject.departed) this.#violated(process, `takes the farewell of ${subject.name} for a death`)
    else if (subject.running && !this.#isExcused(subject)) {
      this.falseDeaths++
      this.#violated(process, `declares ${subject.name} dead, which runs`)
    }
  }

  killed(process: SimulatedProcess): void {
    this.#known.delete(process)
    // News of this life's death may be late, and find the next life running.
    this.#excusedUntil.set(process.name, this.#cluster.now + EXCUSED_MS)
  }

  linksChanged(whole: boolean): void {
    this.#allExcusedUntil = whole ? this.#cluster.now + EXCUSED_MS : Number.POSITIVE_INFINITY
  }

  /** A death is excused while its subject is in, or just out of, a pause that is too long to survive. */
  #isExcused(subject: SimulatedProcess): boolean {
    const { now } = this.#cluster
    if (now < this.#allExcusedUntil) return true
    if (subject.frozenUntil > now && subject.frozenUntil - subject.frozenSince > SURVIVED_PAUSE_MS) return true
    return now < (this.#excusedUntil.get(subject.name) ?? 0)
  }

  #excusePause(process: SimulatedProcess): void {
    if (process.frozenUntil - process.frozenSince <= SURVIVED_PAUSE_MS) return
    this.#excusedUntil.set(process.name, process.frozenUntil + EXCUSED_MS)
  }

  #checkIncarnations(process: SimulatedProcess): void {
    let known = this.#known.get(process)
    if (known === undefined) {
      known = new Map()
      this.#known.set(process, known)
    }
    for (const { node, incarnation } of process.swim.members()) {
      const before = known.get(node) ?? 0
      if (incarnation < before) this.#violated(process, `goes back from incarnation ${before} to ${incarnation} of ${node}`)
      if (incarnation > (this.#own.get(node) ?? 0))
        this.#violated(process, `knows incarnation ${incarnation} of ${node}, which it never had`)
      known.set(node, incarnation)
    }
  }

  #checkLengths(process: SimulatedProcess): void {
    const { members, rumours, probes, relays, urgentProbes, schedule } = process.swim.lengths
    if (members > MEMBERS_MAX || rumours > members + 1) this.#violated(process, 'knows or tells of too many members')
    if (probes > 64 || relays > 256 || urgentProbes > 256) this.#violated(process, 'has too many probes under way')
    if (schedule > 2 * MEMBERS_MAX) this.#violated(process, 'would probe more members than there are')
  }

  #violated(process: SimulatedProcess, what: string): void {
    this.violations.push(`${this.#cluster.now.toFixed(1)} ms: ${process.name} ${what}`)
  }
}
