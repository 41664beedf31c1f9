// A whole cluster in one process, under virtual time: machines, nodes that start, crash and pause, links that break.
// The composition root of the simulator; what a run does is a function of the seed and of what the harness asks.
import type { LinkRule, NodeId } from '@atoll/base'
import { assert, seededRandom } from '@atoll/base'
import type { WireSettings } from './pipe.ts'
import { type RunOptions, type RunResult, Scheduler } from './scheduler.ts'
import type { SimHashes } from './sim-compute.ts'
import type { SimDiskSettings } from './sim-disk.ts'
import { type NodeContext, SimNode } from './sim-node.ts'
import { Trace } from './trace.ts'
import { VirtualNet } from './virtual-net.ts'

export interface SimulationOptions extends Partial<WireSettings> {
  readonly seed: number
  readonly hashes: SimHashes
  /** Lines of readable trace kept, the newest; default 0, which costs nothing. */
  readonly traceLinesMax?: number
  /** Log lines kept per node, the newest. Default 1,000. */
  readonly logLinesMax?: number
}

export interface NodeOptions {
  /** The machine's address. Nodes of one address share its loopback, ports, socket paths and power. Default 127.0.0.1. */
  readonly machine?: string
  readonly disk?: Partial<SimDiskSettings>
}

const WIRE_DEFAULTS: WireSettings = { latencyMsMin: 0.05, latencyMsMax: 0.3, windowBytes: 262_144 }
const LOG_LINES_MAX_DEFAULT = 1_000

export function createSimulation(options: SimulationOptions): Simulation {
  return new Simulation(options)
}

export class Simulation {
  readonly seed: number
  readonly #scheduler: Scheduler
  readonly #net: VirtualNet
  readonly #context: NodeContext
  readonly #nodes = new Map<NodeId, SimNode>()

  constructor(options: SimulationOptions) {
    const { seed, hashes, traceLinesMax = 0, logLinesMax = LOG_LINES_MAX_DEFAULT } = options
    const settings: WireSettings = { ...WIRE_DEFAULTS, ...options }
    assert(settings.latencyMsMin >= 0 && settings.latencyMsMin <= settings.latencyMsMax, 'latency is a range')
    assert(settings.windowBytes > 0, 'a connection buffers something')
    this.seed = seed
    this.#scheduler = new Scheduler(seed, new Trace({ linesMax: traceLinesMax, xxhash32: hashes.xxhash32 }))
    const random = seededRandom(seed)
    this.#net = new VirtualNet(this.#scheduler, random.fork(), settings)
    this.#context = { scheduler: this.#scheduler, net: this.#net, seed, random, hashes, logLinesMax }
  }

  /** Virtual time in milliseconds, from 0. */
  get nowMs(): number {
    return this.#scheduler.nowMs
  }

  get eventCount(): number {
    return this.#scheduler.eventCount
  }

  /** Equal for two runs of the same seed and harness, or the simulated code is not reproducible. */
  get traceHash(): string {
    return this.#scheduler.trace.hash
  }

  /** The newest events, one line each; empty unless `traceLinesMax` was given. */
  get trace(): readonly string[] {
    return this.#scheduler.trace.lines
  }

  get nodes(): ReadonlyMap<NodeId, SimNode> {
    return this.#nodes
  }

  addNode(id: NodeId, { machine = '127.0.0.1', disk = {} }: NodeOptions = {}): SimNode {
    assert(!this.#nodes.has(id), 'a node is added once')
    // 0 is the network and the harness.
    const node = new SimNode(this.#context, id, this.#nodes.size + 1, this.#net.machine(machine), disk)
    this.#nodes.set(id, node)
    return node
  }

  /** Runs `act` in an event of its own at virtual time `ms`, or now when that has passed. What it throws fails the run. */
  at(ms: number, act: () => void | Promise<void>): void {
    this.#scheduler.schedule(Math.max(0, ms - this.nowMs), 'harness', undefined, () => {
      const done = act()
      if (done !== undefined) done.catch((error: unknown) => this.#scheduler.fail(error))
    })
  }

  /** Replaces the faults on all links; an empty table heals everything and what was held flows again. */
  setLinks(rules: readonly LinkRule[]): void {
    this.#net.setRules(rules)
  }

  /** The machine and all that runs on it are gone at once; nobody is told. */
  powerOff(machine: string): void {
    const target = this.#net.machine(machine)
    for (const node of this.#nodes.values()) if (node.machine === target) node.losePower()
    this.#net.setPower(target, false)
  }

  /** The machine answers again; its nodes are to be started. */
  powerOn(machine: string): void {
    this.#net.setPower(this.#net.machine(machine), true)
  }

  /** Runs events until one of the bounds is met or nothing is left. Rejects with a SimulationError when the run went wrong. */
  run(options: RunOptions = {}): Promise<RunResult> {
    return this.#scheduler.run(options)
  }
}
