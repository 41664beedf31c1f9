// A cluster of coordinators, and of brokers if wanted, in one process, under virtual time: the same code that runs as processes, on simulated ports.
import { type ClusterId, type DiskFault, type Endpoint, type LinkRule, type NodeId, nodeId, present } from '@atoll/base'
import { type Broker, startBroker } from '@atoll/broker'
import { type AgreementHooks, type Coordinator, startCoordinator } from '@atoll/coordinator'
import { type ClusterConfig, type PlannedNode, parseConfig, plannedNodes } from '@atoll/service'
import {
  type ClockError,
  createSimulation,
  type PowerLoss,
  type SimHashes,
  type SimNode,
  type SimPorts,
  type Simulation,
} from '@atoll/sim-ports'

export interface SimClusterOptions {
  readonly seed: number
  readonly hashes: SimHashes
  readonly nodes: number
  /** Brokers beside them. Default none. */
  readonly brokers?: number
  readonly traceLinesMax?: number
  /** What to hear of the agreement of a node that starts. */
  readonly hooksOf?: (name: NodeId) => AgreementHooks
}

const CLUSTER_ID = 'simulated' as ClusterId
const SECRET = new Uint8Array(32).fill(7)

export class SimCluster {
  readonly simulation: Simulation
  readonly names: readonly NodeId[]
  readonly #config: ClusterConfig
  readonly #hooksOf: (name: NodeId) => AgreementHooks
  /** Where each listens, or will. */
  readonly #ports: Map<NodeId, number>
  /** What runs now; a node that is down has none. */
  readonly #running = new Map<NodeId, Coordinator | Broker>()
  /** What last ran, also while it stops. */
  readonly #latest = new Map<NodeId, Coordinator | Broker>()
  readonly #planned: ReadonlyMap<NodeId, PlannedNode>

  /** Starts that a disk did not allow, and why. */
  readonly refusedStarts: string[] = []
  /** Link faults in force, by what put them there. */
  readonly #faults = new Set<readonly LinkRule[]>()
  /** The same of disks, by node. */
  readonly #diskFaults = new Map<NodeId, Set<DiskFault>>()
  /** Who keeps a node down, by node. */
  readonly #held = new Map<NodeId, Set<object>>()
  #onStart: (name: NodeId) => void = () => {}
  #onWipe: (name: NodeId) => void = () => {}

  constructor({ seed, hashes, nodes, brokers = 0, traceLinesMax = 0, hooksOf = () => ({}) }: SimClusterOptions) {
    this.#hooksOf = hooksOf
    this.simulation = createSimulation({ seed, hashes, traceLinesMax })
    this.#config = parseConfig(JSON.stringify({ roles: { coordinator: { count: nodes }, broker: { count: brokers } } }), 'the simulation')
    const planned = plannedNodes(this.#config)
    this.#planned = new Map(planned.map(node => [node.name, node]))
    this.names = planned.map(({ name }) => name)
    this.#ports = new Map(planned.map(({ name, nativePort }) => [name, nativePort]))
    for (const name of this.names) this.simulation.addNode(name)
  }

  /** Starts a node that is down, at its last port or at `port`; it joins through all others. */
  start(name: NodeId, port = this.portOf(name)): void {
    this.#ports.set(name, port)
    this.#onStart(name)
    this.#latest.delete(name)
    this.#machine(name).start(async ports => {
      const node = await this.#startOn(name, port, ports)
      // As on a real machine, what its disk does not allow ends the process.
      if (node === undefined) return ports.process.exit(1)
      this.#running.set(name, node)
      this.#latest.set(name, node)
      ports.process.onStopRequest(why => {
        void node.stop(why).then(() => ports.process.exit(0))
      })
      node.join(this.names.filter(other => other !== name).map(other => ({ host: '127.0.0.1', port: this.portOf(other) })))
    })
  }

  /** Hears of every start from now on. */
  set onStart(heard: (name: NodeId) => void) {
    this.#onStart = heard
  }

  /** Hears of every disk that is lost from now on. */
  set onWipe(heard: (name: NodeId) => void) {
    this.#onWipe = heard
  }

  /** Puts a new, empty disk into a machine that is down. */
  wipe(name: NodeId): void {
    this.diskOf(name).wipe()
    this.#onWipe(name)
  }

  /** Keeps `name` down, once it is, until the answered function is called by everybody who holds it. */
  holdDown(name: NodeId): () => void {
    const holds = this.#held.get(name) ?? new Set()
    this.#held.set(name, holds)
    const hold = {}
    holds.add(hold)
    return () => {
      holds.delete(hold)
      this.startUnlessHeld(name)
    }
  }

  startUnlessHeld(name: NodeId): void {
    if (this.stateOf(name) === 'down' && (this.#held.get(name)?.size ?? 0) === 0) this.start(name)
  }

  /** Whoever leads, in the latest term if several believe it. */
  leader(): NodeId | undefined {
    const leaders = this.names.flatMap(name => {
      const driver = this.coordinator(name)?.agreement.driver
      return driver?.isLeader === true ? [{ name, term: driver.status.term }] : []
    })
    return leaders.toSorted((a, b) => b.term - a.term)[0]?.name
  }

  /** What a client has to know to find it. */
  whereabouts(): { readonly clusterId: ClusterId; readonly secret: Uint8Array; readonly seeds: readonly Endpoint[] } {
    const seeds = this.coordinators.map(name => ({ host: '127.0.0.1', port: this.portOf(name) }))
    return { clusterId: CLUSTER_ID, secret: SECRET, seeds }
  }

  get coordinators(): readonly NodeId[] {
    return this.names.filter(name => !this.#isBroker(name))
  }

  get brokers(): readonly NodeId[] {
    return this.names.filter(name => this.#isBroker(name))
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

  /** The power of its machine goes, and with it what was not synced. */
  losePower(name: NodeId, unsynced: PowerLoss = 'drawn'): void {
    this.#running.delete(name)
    this.#machine(name).losePower(unsynced)
  }

  /** What breaks a node's disk, and tells what did. */
  diskOf(name: NodeId): SimNode['disk'] {
    return this.#machine(name).disk
  }

  /** Puts `fault` in force beside those that are, until the answered function is called. */
  breakDisk(name: NodeId, fault: DiskFault): () => void {
    const faults = this.#diskFaults.get(name) ?? new Set()
    this.#diskFaults.set(name, faults)
    faults.add(fault)
    const replace = (): void => this.diskOf(name).replace(Object.assign({}, ...faults) as DiskFault)
    replace()
    return () => {
      faults.delete(fault)
      replace()
    }
  }

  setClock(name: NodeId, error: ClockError): void {
    this.#machine(name).setClock(error)
  }

  /** Heals links, disks and clocks, resumes who is paused and starts who is down. */
  mend(): void {
    this.healAllLinks()
    for (const name of this.names) {
      const disk = this.diskOf(name)
      this.#diskFaults.delete(name)
      disk.replace({})
      disk.failNextSyncs(0)
      disk.setCapacity(Number.POSITIVE_INFINITY)
      this.setClock(name, { skewPpm: 0, wallOffsetMs: 0 })
      if (this.stateOf(name) === 'paused') this.resume(name)
      this.#held.delete(name)
      this.startUnlessHeld(name)
    }
  }

  /** A node that runs and is not paused; undefined otherwise. */
  coordinator(name: NodeId): Coordinator | undefined {
    return this.#awake(name, 'coordinator') as Coordinator | undefined
  }

  /** The same of a broker. */
  broker(name: NodeId): Broker | undefined {
    return this.#awake(name, 'broker') as Broker | undefined
  }

  /** The same, also while it stops or stands still. */
  brokerProcess(name: NodeId): Broker | undefined {
    return this.#isBroker(name) && this.stateOf(name) !== 'down' ? (this.#latest.get(name) as Broker | undefined) : undefined
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

  #isBroker(name: NodeId): boolean {
    return this.#planned.get(name)?.role === 'broker'
  }

  #awake(name: NodeId, role: string): Coordinator | Broker | undefined {
    return this.#planned.get(name)?.role === role && this.stateOf(name) === 'running' ? this.#running.get(name) : undefined
  }

  async #startOn(name: NodeId, port: number, ports: SimPorts): Promise<Coordinator | Broker | undefined> {
    const { role, fronts } = present(this.#planned.get(name), 'a planned node')
    const identity = { name, role, clusterId: CLUSTER_ID, secret: SECRET }
    const options = { ...identity, config: this.#config, native: { host: '127.0.0.1', port, strict: true } }
    const doors = fronts.map(({ protocol, port: wanted }) => ({ protocol, host: '127.0.0.1', port: wanted, wanted, strict: true }))
    try {
      if (role === 'broker') return await startBroker({ ...ports, links: undefined }, { ...options, fronts: doors })
      return await startCoordinator({ ...ports, links: undefined }, options, this.#hooksOf(name))
    } catch (error) {
      if (!(error instanceof Error) || (error.name !== 'DiskError' && error.name !== 'CommitLogError')) throw error
      this.refusedStarts.push(`${name}: ${error.message}`)
      return undefined
    }
  }

  #machine(name: NodeId): SimNode {
    return present(this.simulation.nodes.get(nodeId(name)), `node ${name}`)
  }
}
