// Whole coordinators in a story with a known end: a client writes at whoever leads and reads at everybody, and what it was
// told is compared with what they hold. What goes wrong is gathered, so that a story can be told on and judged at its end.
import { assert, type NodeId, present } from '@atoll/base'
import type { Command, CommandOf } from '@atoll/coordinator'
import { ProtocolError } from '@atoll/protocol'
import { AgreementInvariants, SimCluster } from '@atoll/sim'
import type { SimHashes } from '@atoll/sim-ports'

/** From any trouble to the next acknowledged write, in virtual milliseconds. */
const FAILOVER_MS = 5_000
/** From the end of all trouble until all hold the same, in virtual milliseconds. */
const CONVERGENCE_MS = 20_000
const CALL_TIMEOUT_MS = 1_000
const STEP_MS = 10

const noSession = { session: 0, sequence: 0, answeredBelow: 0 } as unknown as Pick<
  CommandOf<'put'>,
  'session' | 'sequence' | 'answeredBelow'
>
const noLease = 0 as CommandOf<'put'>['lease']

export class Scene {
  readonly cluster: SimCluster
  readonly invariants = new AgreementInvariants()
  /** Revision of each acknowledged write, by its key: every key is written once. */
  readonly acknowledged = new Map<string, number>()
  readonly #wrong: string[] = []
  #writes = 0
  #reads = 0
  #highestRevision = 0

  constructor(hashes: SimHashes, nodes: number, seed = 7) {
    this.cluster = new SimCluster({ seed, hashes, nodes, hooksOf: name => this.invariants.hooksOf(name) })
  }

  /** Three or more that have agreed on something already. */
  static async established(hashes: SimHashes, nodes = 3, seed = 7): Promise<Scene> {
    const scene = new Scene(hashes, nodes, seed)
    scene.cluster.startAll()
    await scene.until('it has a leader', () => scene.leader !== undefined)
    await scene.busy(300)
    return scene
  }

  get names(): readonly NodeId[] {
    return this.cluster.names
  }

  /** Whoever leads the latest term, among those that run. */
  get leader(): NodeId | undefined {
    const leading = this.names.filter(name => this.status(name)?.role === 'leader')
    return leading.toSorted((a, b) => (this.status(b)?.term ?? 0) - (this.status(a)?.term ?? 0))[0]
  }

  async theLeader(): Promise<NodeId> {
    await this.until('somebody leads', () => this.leader !== undefined)
    return this.leader as NodeId
  }

  async aFollower(): Promise<NodeId> {
    const leader = await this.theLeader()
    return present(
      this.names.find(name => name !== leader && this.cluster.coordinator(name) !== undefined),
      'a follower',
    )
  }

  status(name: NodeId) {
    return this.cluster.coordinator(name)?.agreement.driver?.status
  }

  runFor(ms: number): Promise<unknown> {
    return this.cluster.simulation.run({ untilMs: this.cluster.simulation.nowMs + ms })
  }

  async until(what: string, holds: () => boolean, withinMs = FAILOVER_MS): Promise<void> {
    const untilMs = this.cluster.simulation.nowMs + withinMs
    while (!holds()) {
      if (this.cluster.simulation.nowMs > untilMs) throw new Error([`not within ${withinMs} ms: ${what}`, ...this.wrong].join('\n'))
      await this.runFor(STEP_MS)
    }
  }

  /** Writes at everybody who believes to lead, and reads at everybody in turn, for a while. */
  async busy(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      for (const name of this.names) if (this.status(name)?.role === 'leader') this.write(name)
      this.read(this.names[this.#reads++ % this.names.length] as NodeId)
      await this.runFor(STEP_MS)
    }
  }

  /** Goes on until a write is acknowledged that began after this. */
  async mustAcknowledge(why: string, withinMs = FAILOVER_MS): Promise<void> {
    const first = this.#writes
    const isNew = (): boolean => [...this.acknowledged.keys()].some(key => Number(key.slice(1)) >= first)
    const untilMs = this.cluster.simulation.nowMs + withinMs
    while (!isNew()) {
      if (this.cluster.simulation.nowMs > untilMs) throw new Error([`nothing is acknowledged ${why}`, ...this.wrong].join('\n'))
      await this.busy(STEP_MS)
    }
  }

  /** All of `names` have applied everything, and it made the same of them; what was acknowledged is there. */
  async converge(names: readonly NodeId[] = this.names): Promise<void> {
    const held = (name: NodeId): string => {
      const agreement = this.cluster.coordinator(name)?.agreement
      return `${agreement?.driver?.applied} ${agreement?.machine.state.digest.lanes.join(' ')}`
    }
    const same = (): boolean =>
      names.every(name => this.cluster.coordinator(name)?.agreement.driver?.applied === this.invariants.highest) &&
      new Set(names.map(held)).size === 1
    await this.until('all hold the same', same, CONVERGENCE_MS)
    for (const name of names) this.#wrong.push(...this.#missingAt(name))
  }

  /** What has gone wrong so far. */
  get wrong(): readonly string[] {
    return [...this.#wrong, ...this.invariants.violations]
  }

  write(name: NodeId): void {
    const key = `k${this.#writes++}`
    this.propose(name, { kind: 'put', ...noSession, key, value: valueOf(key), lease: noLease, wantPrevious: false }, answer => {
      const { revision } = answer as { readonly revision: number }
      this.acknowledged.set(key, revision)
      this.#highestRevision = Math.max(this.#highestRevision, revision)
    })
  }

  /** Forgets what was superseded up to now. */
  compact(name: NodeId): void {
    const revision = present(this.cluster.coordinator(name), 'one that runs').agreement.machine.state.store.revision
    this.propose(name, { kind: 'compact', ...noSession, revision } as Command, () => {})
  }

  propose(name: NodeId, command: Command, acknowledged: (answer: unknown) => void): void {
    const { simulation } = this.cluster
    simulation.at(simulation.nowMs, () => {
      const agreement = this.cluster.coordinator(name)?.agreement
      if (agreement?.driver === undefined) return
      agreement.driver.propose(agreement.machine.codec.encode(command), CALL_TIMEOUT_MS).then(
        ({ answer }) => acknowledged(answer.ok ? answer.value : undefined),
        (error: unknown) => assert(error instanceof ProtocolError, `an error of the table, not ${String(error)}`),
      )
    })
  }

  /** Reads at a node: what it answers may not lie before what was acknowledged when it was asked. */
  read(name: NodeId): void {
    const { simulation } = this.cluster
    simulation.at(simulation.nowMs, () => {
      const agreement = this.cluster.coordinator(name)?.agreement
      if (agreement?.driver === undefined) return
      const atLeast = this.#highestRevision
      agreement.driver.read(CALL_TIMEOUT_MS).then(
        () => {
          const { revision } = agreement.machine.state.store
          if (revision < atLeast) this.#wrong.push(`${name} reads at ${revision}, ${atLeast} was acknowledged before`)
        },
        (error: unknown) => assert(error instanceof ProtocolError, `an error of the table, not ${String(error)}`),
      )
    })
  }

  #missingAt(name: NodeId): string[] {
    const { store } = present(this.cluster.coordinator(name), 'one that runs').agreement.machine.state
    return [...this.acknowledged].flatMap(([key, revision]) =>
      store.get(key)?.modRevision === revision ? [] : [`${name} does not hold ${key} of revision ${revision}`],
    )
  }
}

function valueOf(key: string): Uint8Array {
  return new TextEncoder().encode(`value of ${key}`)
}
