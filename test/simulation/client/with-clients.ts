// Clients of whole coordinators in the simulator: each on a machine of its own, which can be paused, beside a cluster whose
// nodes can be killed.
import { type Clock, type ClusterId, type NodeId, nodeId, present } from '@atoll/base'
import { type Client, type ClientOptions, createClient } from '@atoll/client/core'
import { SimCluster } from '@atoll/sim'
import { createSimHashes, type SimNode } from '@atoll/sim-ports'

const hashes = await createSimHashes()

interface Options extends Partial<ClientOptions> {
  /** Which coordinators it knows, by index. Default: all. */
  readonly seeds?: readonly number[]
}

export class Clients {
  readonly cluster: SimCluster
  readonly #failures: unknown[] = []
  #started = 0
  #open = 0

  private constructor(seed: number) {
    this.cluster = new SimCluster({ seed, hashes, nodes: 3 })
  }

  /** A cluster with a leader. */
  static async ready(seed = 1): Promise<Clients> {
    const clients = new Clients(seed)
    clients.cluster.startAll()
    await clients.until(() => clients.leader() !== undefined)
    return clients
  }

  /** Who leads, among those that run. */
  leader(): NodeId | undefined {
    const { cluster } = this
    return cluster.names.find(name => cluster.coordinator(name)?.agreement.driver?.isLeader === true)
  }

  get nowMs(): number {
    return this.cluster.simulation.nowMs
  }

  /** Starts a client that does `act`; it runs from the next event on. What it throws fails the run. */
  start(act: (client: Client, clock: Clock) => Promise<void>, options: Options = {}): SimNode {
    const name = nodeId(`client-${++this.#started}`)
    const { seeds: known, ...rest } = options
    const names = this.cluster.names.filter((_, index) => known?.includes(index) ?? true)
    const seeds = names.map(node => ({ host: '127.0.0.1', port: this.cluster.portOf(node) }))
    const where = { clusterId: 'simulated' as ClusterId, secret: new Uint8Array(32).fill(7), seeds }
    const machine = this.cluster.simulation.addNode(name)
    this.#open++
    machine.start(async ports => {
      try {
        await act(createClient(ports, { name, ...where, ...rest }), ports.clock)
      } catch (error) {
        this.#failures.push(error)
      }
      this.#open--
    })
    return machine
  }

  /** Runs `act` with a client to its end. */
  async with<T>(act: (client: Client, clock: Clock) => Promise<T>, options: Options = {}): Promise<T> {
    let outcome: { readonly value: T } | undefined
    this.start(async (client, clock) => {
      outcome = { value: await act(client, clock) }
    }, options)
    await this.done()
    return present(outcome, 'an outcome').value
  }

  /** Runs until every client that was started is through. */
  async done(): Promise<void> {
    await this.until(() => this.#open === 0 || this.#failures.length > 0)
  }

  /** Nobody waits for clients that were killed. */
  forget(): void {
    this.#open = 0
  }

  async run(ms: number): Promise<void> {
    await this.cluster.simulation.run({ untilMs: this.nowMs + ms })
  }

  async until(condition: () => boolean): Promise<void> {
    const { simulation } = this.cluster
    await simulation.run({ until: condition, untilMs: this.nowMs + 120_000 })
    if (this.#failures.length > 0) throw this.#failures[0]
    if (!condition()) throw new Error('not within two virtual minutes')
  }

  /** At a later moment, in an event of its own. */
  in(ms: number, act: () => void): void {
    this.cluster.simulation.at(this.nowMs + ms, act)
  }
}
