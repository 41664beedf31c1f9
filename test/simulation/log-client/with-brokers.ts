// Clients of the log on whole coordinators and brokers in the simulator: real processes but for their ports, which can be
// killed and paused.
import { type Clock, type ClusterId, type NodeId, nodeId, sleep } from '@atoll/base'
import type { Client } from '@atoll/client/core'
import { parseConfig } from '@atoll/service'
import type { SimNode, SimPorts } from '@atoll/sim-ports'
import { type Broker, startBroker } from '../../../packages/broker/src/broker.ts'
import { Clients } from '../client/with-clients.ts'

const FIRST_PORT = 7_301
const SECRET = new Uint8Array(32).fill(7)

export class Brokers {
  readonly clients: Clients
  readonly names: readonly NodeId[]
  readonly running = new Map<NodeId, Broker>()
  readonly #failures: unknown[] = []

  private constructor(clients: Clients, count: number) {
    this.clients = clients
    this.names = Array.from({ length: count }, (_, i) => nodeId(`broker-${i + 1}`))
    for (const name of this.names) clients.cluster.simulation.addNode(name)
  }

  /** A cluster whose brokers can be elected. */
  static async ready(count = 3, seed = 1): Promise<Brokers> {
    const brokers = new Brokers(await Clients.ready(seed), count)
    for (const name of brokers.names) brokers.start(name)
    await brokers.until(() => brokers.names.every(name => brokers.running.get(name)?.registration.believed !== undefined))
    await brokers.clients.run(2_000)
    return brokers
  }

  machine(name: NodeId): SimNode {
    const machine = this.clients.cluster.simulation.nodes.get(name)
    if (machine === undefined) throw new Error(`no machine ${name}`)
    return machine
  }

  start(name: NodeId): void {
    const { cluster } = this.clients
    this.machine(name).start(async (ports: SimPorts) => {
      const config = parseConfig(JSON.stringify({ roles: { coordinator: { count: 3 }, broker: { count: this.names.length } } }), 'the test')
      const native = { host: '127.0.0.1', port: FIRST_PORT + this.names.indexOf(name), wanted: 0, strict: true }
      const identity = { name, role: 'broker', clusterId: 'simulated' as ClusterId, secret: SECRET }
      try {
        const broker = await startBroker({ ...ports, links: undefined }, { ...identity, config, native })
        ports.process.onStopRequest(why => void broker.stop(why).then(() => ports.process.exit(0)))
        broker.join(cluster.names.map(other => ({ host: '127.0.0.1', port: cluster.portOf(other) })))
        this.running.set(name, broker)
      } catch (error) {
        this.#failures.push(error)
      }
    })
  }

  /** `kill -9`. */
  crash(name: NodeId): void {
    this.running.delete(name)
    this.machine(name).crash()
  }

  /** Runs `act` with a client to its end. */
  with<T>(act: (client: Client, clock: Clock) => Promise<T>): Promise<T> {
    return this.clients.with(act)
  }

  async until(condition: () => boolean): Promise<void> {
    await this.clients.until(() => condition() || this.#failures.length > 0)
    if (this.#failures.length > 0) throw this.#failures[0]
  }
}

/** Virtual time passes for a client. */
export function passing(clock: Clock, ms: number): Promise<void> {
  return sleep(clock, ms)
}
