// Clients of coordinators in the simulator: each does one thing after the other on a few keys, at whichever node it likes,
// and all that they ask and are told goes into one history. A node that dies answers nobody; then its client gives up.
import { assert, type MonotonicMs, type NodeId, type SeededRandom } from '@atoll/base'
import { type Command, type CommandOf, oneKey } from '@atoll/coordinator'
import { checkLinearizable, type PartitionResult, pairRecords, RecordedClient, Recorder, register } from '@atoll/history'
import { ProtocolError } from '@atoll/protocol'
import type { AgreementInvariants } from './agreement-checks.ts'
import { notDurable } from './durability.ts'
import type { SimCluster } from './sim-cluster.ts'
import type { Workload } from './workload.ts'

const CLIENTS = 4
/** Of so many acknowledged writes one is looked for on the disks. */
const LOOK_AT_EVERY = 4
const START_MS = 1_000
const KEYS = ['a', 'b', 'c']
/** A node is asked to answer within this, in virtual milliseconds. */
const TIMEOUT_MS = 1_000
/** After which a client gives up on a node that does not even say that it is late. */
const GIVE_UP_MS = 1_500
const PAUSE_MS_MAX = 60

const never = { session: 0, sequence: 0, answeredBelow: 0 } as unknown as Pick<CommandOf<'put'>, 'session' | 'sequence' | 'answeredBelow'>
const noLease = 0 as CommandOf<'put'>['lease']
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

interface Act {
  readonly f: 'read' | 'write' | 'cas'
  readonly key: string
  readonly value: unknown
  readonly perform: (cluster: SimCluster, node: NodeId) => Promise<unknown>
}

export class AgreementClients implements Workload {
  readonly violations: string[] = []
  readonly recorder: Recorder
  /** Writes that were acknowledged: the index they were applied at, and their command. */
  readonly acknowledged: { readonly index: number; readonly text: string }[] = []
  /** Answers by how they ended. */
  readonly outcomes = new Map<string, number>()
  readonly #cluster: SimCluster
  readonly #invariants: AgreementInvariants
  readonly #random: SeededRandom
  #nextValue = 1
  #stopped = false
  #open = 0
  #failed: PartitionResult | undefined

  constructor(cluster: SimCluster, invariants: AgreementInvariants, random: SeededRandom) {
    this.#cluster = cluster
    this.#invariants = invariants
    this.#random = random
    this.recorder = new Recorder({ now: () => cluster.simulation.nowMs as MonotonicMs })
  }

  start(): void {
    for (let i = 0; i < CLIENTS; i++) {
      const client = new RecordedClient(this.recorder, null)
      this.#cluster.simulation.at(START_MS + i, () => this.#next(client))
    }
  }

  get progress(): number {
    return this.acknowledged.length
  }

  get operations(): number {
    return this.recorder.records.length / 2
  }

  get isIdle(): boolean {
    return this.#open === 0
  }

  get failed(): PartitionResult | undefined {
    return this.#failed
  }

  /** No client begins anything any more. */
  stop(): void {
    this.#stopped = true
  }

  /** Every acknowledged write is where it was acknowledged to be, and all that was told has an order. */
  check(): string[] {
    const lost = this.acknowledged.flatMap(({ index, text }) =>
      this.#invariants.textAt(index) === text ? [] : [`the write at ${index} is lost`],
    )
    const { verdict, partitions } = checkLinearizable(register, pairRecords(this.recorder.records))
    this.outcomes.set(`history ${verdict}`, 1)
    if (verdict !== 'not linearizable') return lost
    this.#failed = partitions.find(partition => partition.verdict === verdict)
    return [...lost, `not linearizable: ${this.#failed?.stuck?.text ?? this.#failed?.partition}`]
  }

  #next(client: RecordedClient): void {
    const { simulation, names } = this.#cluster
    const again = (): void => simulation.at(simulation.nowMs + this.#random.below(PAUSE_MS_MAX), () => this.#next(client))
    if (this.#stopped) return
    const name = names[this.#random.below(names.length)] as NodeId
    if (this.#cluster.coordinator(name)?.agreement.driver === undefined) return again()
    const act = this.#draw()
    client.invoke(act.f, act.key, act.value)
    let open = true
    this.#open++
    const settle = (how: string, end: () => void): void => {
      if (!open) return
      open = false
      this.#open--
      this.outcomes.set(how, (this.outcomes.get(how) ?? 0) + 1)
      end()
      again()
    }
    act.perform(this.#cluster, name).then(
      value => settle(`${act.f} ok`, () => client.ok(value)),
      (error: unknown) => {
        assert(error instanceof ProtocolError, `an error of the table, not ${String(error)}`)
        const definite = act.f === 'read' || error.outcome === 'definite'
        settle(error.code, () => (definite ? client.fail(error.code) : client.info(error.code)))
      },
    )
    simulation.at(simulation.nowMs + GIVE_UP_MS, () => settle('no answer', () => client.info('no answer')))
  }

  #draw(): Act {
    const key = KEYS[this.#random.below(KEYS.length)] as string
    const kind = this.#random.below(4)
    if (kind === 0) return { f: 'read', key, value: null, perform: (cluster, node) => read(cluster, node, key) }
    const value = this.#nextValue++
    if (kind < 3)
      return { f: 'write', key, value, perform: (cluster, node) => this.#write(cluster, node, putOf(key, value)).then(() => null) }
    const from = Math.max(1, value - 1 - this.#random.below(4))
    return {
      f: 'cas',
      key,
      value: { from, to: value },
      perform: (cluster, node) =>
        this.#write(cluster, node, casOf(key, from, value)).then(answer => (answer as { succeeded: boolean }).succeeded),
    }
  }

  async #write(cluster: SimCluster, node: NodeId, command: Command): Promise<unknown> {
    const agreement = cluster.coordinator(node)?.agreement
    assert(agreement?.driver !== undefined, 'it was there when it was asked')
    const bytes = agreement.machine.codec.encode(command)
    const { index, answer } = await agreement.driver.propose(bytes, TIMEOUT_MS)
    this.acknowledged.push({ index, text: bytes.toString() })
    if (this.acknowledged.length % LOOK_AT_EVERY === 0) {
      const wrong = notDurable(cluster, bytes, index, name => this.#invariants.raft.snapshotOf(name))
      if (wrong !== undefined) this.violations.push(wrong)
    }
    if (!answer.ok) throw new ProtocolError(answer.code, answer.message)
    return answer.value
  }
}

async function read(cluster: SimCluster, node: NodeId, key: string): Promise<number | null> {
  const agreement = cluster.coordinator(node)?.agreement
  assert(agreement?.driver !== undefined, 'it was there when it was asked')
  await agreement.driver.read(TIMEOUT_MS)
  const version = agreement.machine.state.store.get(key)
  return version === undefined ? null : Number(new TextDecoder().decode(version.value))
}

function putOf(key: string, value: number): Command {
  return { kind: 'put', ...never, key, value: bytesOf(String(value)), lease: noLease, wantPrevious: false }
}

function casOf(key: string, from: number, to: number): Command {
  const put = { selection: oneKey(key), value: bytesOf(String(to)), lease: noLease, wantPrevious: false, limit: 0, keysOnly: false }
  return {
    kind: 'transaction',
    ...never,
    compares: [{ key, target: 'value', is: 'equal', number: 0, value: bytesOf(String(from)) }],
    success: [{ kind: 'put', ...put }],
    failure: [],
  }
}
