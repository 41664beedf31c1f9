// Nodes without a role on simulated ports: what the tests of this package start, stop and look into.
import { type ClusterId, type LinkFaults, type NodeId, nodeId, present } from '@atoll/base'
import { createSimHashes, createSimulation, type SimNode, type SimPorts, type Simulation } from '@atoll/sim-ports'
import { parseConfig } from './config-schema.ts'
import { type Node, type NodeOptions, startNode } from './node.ts'

export const hashes = await createSimHashes()
export const SECRET = new Uint8Array(32).fill(7)

export interface LogLine {
  readonly event: string
  readonly [field: string]: unknown
}

export interface SimulatedNodesOptions {
  readonly seed?: number
  /** What `cluster.config.json` says. */
  readonly config?: object
  readonly links?: LinkFaults
  /** Changes the ports a node gets. */
  readonly adapt?: (ports: SimPorts) => SimPorts
}

/** `a`, `b`, … of one machine, at ports 7201, 7202, …; each joins through all others. */
export class SimulatedNodes {
  readonly simulation: Simulation
  readonly names: readonly NodeId[]
  readonly #options: SimulatedNodesOptions
  readonly #nodes = new Map<NodeId, Node>()

  constructor(count: number, options: SimulatedNodesOptions = {}) {
    this.#options = options
    this.simulation = createSimulation({ seed: options.seed ?? 1, hashes, logLinesMax: 10_000 })
    this.names = Array.from({ length: count }, (_, i) => nodeId(String.fromCharCode(97 + i)))
    for (const name of this.names) this.simulation.addNode(name)
  }

  /** Options of `startNode` for one of them. */
  optionsOf(name: NodeId): NodeOptions {
    const config = parseConfig(JSON.stringify(this.#options.config ?? {}), 'the test')
    const native = { host: '127.0.0.1', port: this.portOf(name), strict: true }
    return { name, role: 'coordinator', clusterId: 'test' as ClusterId, secret: SECRET, config, native }
  }

  portOf(name: NodeId): number {
    return 7_201 + this.names.indexOf(name)
  }

  start(...names: readonly NodeId[]): void {
    for (const name of names) {
      this.machine(name).start(async ports => {
        const adapted = this.#options.adapt?.(ports) ?? ports
        const node = await startNode({ ...adapted, links: this.#options.links }, this.optionsOf(name))
        this.#nodes.set(name, node)
        ports.process.onStopRequest(why => void node.stop(why).then(() => ports.process.exit(0)))
        node.join(this.names.filter(other => other !== name).map(other => ({ host: '127.0.0.1', port: this.portOf(other) })))
      })
    }
  }

  /** Runs for `ms` of virtual time. */
  async run(ms: number): Promise<void> {
    await this.simulation.run({ untilMs: this.simulation.nowMs + ms })
  }

  /** Runs `act` in an event of its own, and then until what it answers has settled. */
  async doing<T>(act: () => T | Promise<T>): Promise<T> {
    let outcome: { readonly value: T } | undefined
    this.simulation.at(this.simulation.nowMs, async () => {
      outcome = { value: await act() }
    })
    await this.simulation.run({ until: () => outcome !== undefined, untilMs: this.simulation.nowMs + 60_000 })
    return present(outcome, 'an outcome within a minute').value
  }

  node(name: NodeId): Node {
    return present(this.#nodes.get(name), `node ${name}`)
  }

  machine(name: NodeId): SimNode {
    return present(this.simulation.nodes.get(name), `machine of ${name}`)
  }

  log(name: NodeId): readonly LogLine[] {
    return this.machine(name).logLines.map(line => JSON.parse(line) as LogLine)
  }

  /** What `name` believes of the others, itself included: `a alive, b dead`. */
  view(name: NodeId): string {
    const members = this.node(name).gossip.members()
    return members
      .map(({ node, state }) => `${node} ${state}`)
      .toSorted()
      .join(', ')
  }
}
