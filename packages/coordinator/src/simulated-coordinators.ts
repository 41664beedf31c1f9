// Three coordinators on simulated ports and clients that ask them over the wire: what the tests of this package look into.
import { type ClusterId, type Incarnation, type NodeId, nodeId, present, silentLogger } from '@atoll/base'
import {
  HandlerTable,
  type ItemOf,
  kvPut,
  type LeaseId,
  NativeEndpoint,
  type RequestOf,
  type ResponseOf,
  type Rpc,
  type Session,
  type StreamRpc,
} from '@atoll/protocol'
import { parseConfig } from '@atoll/service'
import { createSimHashes, createSimulation, type SimNode, type SimPorts, type Simulation } from '@atoll/sim-ports'
import type { AgreementHooks } from './agreement.ts'
import { type Coordinator, startCoordinator } from './coordinator.ts'

const hashes = await createSimHashes()
const SECRET = new Uint8Array(32).fill(7)
const cluster = 'test' as ClusterId
const CLIENT = nodeId('client')

/** For requests outside of any session. */
export const never = { session: 0 as LeaseId, sequence: 0, answeredBelow: 0 }
export const noLease = 0 as LeaseId
export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
/** A put that asks for nothing back. */
export const put = (key: string, value = '', lease = noLease) => ({ ...never, key, value: bytesOf(value), lease, wantPrevious: false })

export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

export class SimulatedCoordinators {
  readonly simulation: Simulation
  readonly names = ['coordinator-1', 'coordinator-2', 'coordinator-3'].map(nodeId)
  readonly running = new Map<NodeId, Coordinator>()
  readonly #hooks: AgreementHooks
  #endpoint: NativeEndpoint | undefined

  constructor(hooks: AgreementHooks = {}, seed = 1) {
    this.#hooks = hooks
    this.simulation = createSimulation({ seed, hashes })
    for (const name of this.names) this.simulation.addNode(name)
    this.simulation.addNode(CLIENT).start(async ports => {
      const identity = {
        cluster,
        node: CLIENT,
        role: 'client',
        incarnation: () => 0 as Incarnation,
        secret: SECRET,
        frameBytesMax: 1 << 24,
      }
      this.#endpoint = new NativeEndpoint(identity, new HandlerTable(), { ...ports, log: silentLogger })
    })
  }

  /** Started, with a leader that has applied an entry of its own. */
  static async ready(hooks?: AgreementHooks): Promise<SimulatedCoordinators> {
    const scene = new SimulatedCoordinators(hooks)
    for (const name of scene.names) scene.start(name)
    await scene.run(3_000)
    return scene
  }

  machine(name: NodeId): SimNode {
    return present(this.simulation.nodes.get(name), `the machine of ${name}`)
  }

  at(name: NodeId): { readonly host: string; readonly port: number } {
    return { host: '127.0.0.1', port: 7_201 + this.names.indexOf(name) }
  }

  start(name: NodeId): void {
    this.machine(name).start(async (ports: SimPorts) => {
      const identity = { name, role: 'coordinator', clusterId: cluster, secret: SECRET }
      const options = { ...identity, config: parseConfig('{}', 'the test'), native: { ...this.at(name), strict: true } }
      const node = await startCoordinator({ ...ports, links: undefined }, options, this.#hooks)
      ports.process.onStopRequest(why => void node.stop(why).then(() => ports.process.exit(0)))
      this.running.set(name, node)
      node.join(this.names.filter(other => other !== name).map(other => this.at(other)))
    })
  }

  crash(name: NodeId): void {
    this.running.delete(name)
    this.machine(name).crash()
  }

  /** Runs for `ms` of virtual time. */
  async run(ms: number): Promise<void> {
    await this.simulation.run({ untilMs: this.simulation.nowMs + ms })
  }

  /** Runs until `holds`, for a minute of virtual time at most. */
  async until(holds: () => boolean, what: string): Promise<void> {
    await this.simulation.run({ until: holds, untilMs: this.simulation.nowMs + 60_000 })
    if (!holds()) throw new Error(`not within a minute: ${what}`)
  }

  /** Runs until what `act` began has settled. */
  async doing<T>(act: () => Promise<T>): Promise<T> {
    const outcome = this.begin(act)
    await this.until(() => outcome.settled, 'an outcome')
    if (outcome.error !== undefined) throw outcome.error
    return outcome.value as T
  }

  /** Begins something, and goes on. */
  begin<T>(act: () => Promise<T>): { settled: boolean; value?: T; error?: Error } {
    const outcome: { settled: boolean; value?: T; error?: Error } = { settled: false }
    this.simulation.at(this.simulation.nowMs, () => {
      act().then(
        value => Object.assign(outcome, { settled: true, value }),
        (error: unknown) => Object.assign(outcome, { settled: true, error }),
      )
    })
    return outcome
  }

  /** A connection of a client to that coordinator. */
  connect(name: NodeId): Promise<Session> {
    const endpoint = present(this.#endpoint, 'the client')
    return this.doing(() => endpoint.call(this.at(name), name, { timeoutMs: 1_000 }))
  }

  /** Asks once, on a connection of its own. Rejects with what the answer refuses. */
  async ask<M extends Rpc>(name: NodeId, message: M, request: RequestOf<M>, timeoutMs = 2_000): Promise<ResponseOf<M>> {
    const session = await this.connect(name)
    return this.doing(() => session.request(message, request, { timeoutMs }).finally(() => session.end()))
  }

  /** Nothing passes between these coordinators and the others; clients reach all. None: everything passes. */
  cutOff(...cut: readonly NodeId[]): void {
    const others = this.names.filter(name => !cut.includes(name))
    const fault = { cut: true }
    this.simulation.setLinks(
      cut.flatMap(a =>
        others.flatMap(b => [
          { from: a, to: b, fault },
          { from: b, to: a, fault },
        ]),
      ),
    )
  }

  /** Sends a stream's items to a list, for as long as it lasts; the error it ended with comes last. */
  collect<M extends StreamRpc>(session: Session, message: M, request: RequestOf<M>): { readonly items: ItemOf<M>[]; error?: unknown } {
    const collected: { readonly items: ItemOf<M>[]; error?: unknown } = { items: [] }
    this.begin(async () => {
      try {
        for await (const item of session.open(message, request)) collected.items.push(item)
      } catch (error) {
        collected.error = error
      }
    })
    return collected
  }

  /** Puts at the leader, many at a time on one connection. */
  async putAll(requests: readonly RequestOf<typeof kvPut>[]): Promise<void> {
    const session = await this.connect(this.leader())
    const options = { timeoutMs: 30_000 }
    await this.doing(() => Promise.all(requests.map(request => session.request(kvPut, request, options))))
  }

  /** Who leads and has applied an entry of its own term. */
  leader(): NodeId {
    const leads = this.names.filter(name => this.machine(name).state === 'running' && this.running.get(name)?.agreement.driver?.isLeader)
    return present(leads[0], 'a leader')
  }

  follower(): NodeId {
    const leader = this.leader()
    return present(
      this.names.find(name => name !== leader && this.running.has(name)),
      'a follower',
    )
  }
}
