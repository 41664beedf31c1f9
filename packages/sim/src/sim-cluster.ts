// A cluster of coordinators in one process, under virtual time: the same code that runs as processes, on simulated ports.
import { type ClusterId, type LinkRule, type NodeId, nodeId, present } from '@atoll/base'
import { startCoordinator } from '@atoll/coordinator'
import { type ClusterConfig, type Node, parseConfig, plannedNodes } from '@atoll/service'
import { createSimulation, type SimHashes, type SimNode, type Simulation } from '@atoll/sim-ports'

export interface SimClusterOptions {
  readonly seed: number
  readonly hashes: SimHashes
  readonly nodes: number
  readonly traceLinesMax?: number
}

const SECRET = new Uint8Array(32).fill(7)

export class SimCluster {
  readonly simulation: Simulation
  readonly names: readonly NodeId[]
  readonly #config: ClusterConfig
  /** Where each listens, or will. */
  readonly #ports: Map<NodeId, number>
  /** What runs now; a node that is down has none. */
  readonly #running = new Map<NodeId, Node>()

  /** Link faults in force, by what put them there. */
  readonly #faults = new Set<readonly LinkRule[]>()

  constructor({ seed, hashes, nodes, traceLinesMax = 0 }: SimClusterOptions) {
    this.simulation = createSimulation({ seed, hashes, traceLinesMax })
    this.#config = parseConfig(JSON.stringify({ roles: { coordinator: { count: nodes } } }), 'the simulation')
    const planned = plannedNodes(this.#config)
    this.names = planned.map(({ name }) => name)
    this.#ports = new Map(planned.map(({ name, nativePort }) => [name, nativePort]))
    for (const name of this.names) this.simulation.addNode(name)
  }

  /** Starts a node that is down, at its last port or at `port`; it joins through all others. */
  start(name: NodeId, port = this.portOf(name)): void {
    this.#ports.set(name, port)
    this.#machine(name).start(async ports => {
      const node = await startCoordinator(
        { ...ports, links: undefined },
        {
          name,
          role: 'coordinator',
          clusterId: 'simulated' as ClusterId,
          secret: SECRET,
          config: this.#config,
          native: { host: '127.0.0.1', port, strict: true },
        },
      )
      this.#running.set(name, node)
      ports.process.onStopRequest(why => {
        void node.stop(why).then(() => ports.process.exit(0))
      })
      node.join(this.names.filter(other => other !== name).map(other => ({ host: '127.0.0.1', port: this.portOf(other) })))
    })
  }

  portOf(name: NodeId): number {
    return present(this.#ports.get(name), 'a planned port')
  }

  startAll(): void {
    for (const name of this.names) this.start(name)
  }

  /** `kill -9`. */
  crash(name: NodeId): void {
    this.#running.delete(name)
    this.#machine(name).crash()
  }

  /** SIGTERM. */
  stop(name: NodeId): void {
    this.#running.delete(name)
    this.#machine(name).stop()
  }

  pause(name: NodeId): void {
    this.#machine(name).pause()
  }

  resume(name: NodeId): void {
    this.#machine(name).resume()
  }

  /** Puts `rules` in force beside those that are. */
  breakLinks(rules: readonly LinkRule[]): void {
    this.#faults.add(rules)
    this.simulation.setLinks(Array.from(this.#faults).flat())
  }

  /** Takes back the very `rules` that were put in force. */
  healLinks(rules: readonly LinkRule[]): void {
    this.#faults.delete(rules)
    this.simulation.setLinks(Array.from(this.#faults).flat())
  }

  healAllLinks(): void {
    this.#faults.clear()
    this.simulation.setLinks([])
  }

  stateOf(name: NodeId): SimNode['state'] {
    return this.#machine(name).state
  }

  /** Nodes that run and are not paused. */
  awake(): NodeId[] {
    return this.names.filter(name => this.stateOf(name) === 'running' && this.#running.has(name))
  }

  /** What a running node believes of every member it knows, itself included. */
  viewOf(name: NodeId): ReadonlyMap<NodeId, { readonly state: string; readonly incarnation: number; readonly port: number | undefined }> {
    const node = this.#running.get(name)
    return new Map(
      node?.gossip
        .members()
        .map(({ node: member, state, incarnation, meta }) => [member, { state, incarnation, port: meta.endpoints[0]?.port }]),
    )
  }

  /** The newest lines of its log, over all its processes. */
  logOf(name: NodeId): readonly string[] {
    return this.#machine(name).logLines
  }

  #machine(name: NodeId): SimNode {
    return present(this.simulation.nodes.get(nodeId(name)), `node ${name}`)
  }
}
