// The processes of one cluster on this machine: started together, watched, and each one handled by itself after that.
import type { Logger } from '@atoll/base'
import { type LinkRuleRow, nodeSetLinks, nodeStatus, ProtocolError } from '@atoll/protocol'
import type { FrontPort } from '@atoll/service'
import { ExitNotices } from './exit-notices.ts'
import type { StartRequest } from './launch-messages.ts'
import { expandRules } from './link-table.ts'
import { nodeArguments, processEnvironment } from './node-command.ts'
import { NodeProcess, wantedPort } from './node-process.ts'
import type { NodeSessions } from './node-sessions.ts'
import { NodeStatuses } from './node-statuses.ts'
import { type ProcessList, TOKEN_VARIABLE } from './process-list.ts'
import { type ProbedNode, whyNotReady } from './readiness.ts'
import type { Reaper } from './reaper.ts'
import { doorOf, type RememberedPorts } from './remembered-ports.ts'
import { type StatePaths, stderrFile } from './state-directory.ts'

/** A link table must be confirmed within this long; a node that is slower gets it again when it resumes or starts, in milliseconds. */
const SET_LINKS_TIMEOUT_MS = 2_000
/** How often readiness is looked at while somebody waits for it, in milliseconds. */
const READY_LOOK_MS = 20
/** Nodes that are bound get the addresses of the others after this long at the latest, however slow one of them is, in milliseconds. */
const SEEDS_LATEST_MS = 3_000

export interface ClusterParts {
  readonly request: StartRequest
  readonly paths: StatePaths
  readonly sessions: NodeSessions
  readonly reaper: Reaper
  readonly processes: ProcessList
  readonly ports: RememberedPorts
  readonly log: Logger
}

export class Cluster {
  readonly #parts: ClusterParts
  readonly #nodes: ReadonlyMap<string, NodeProcess>
  readonly #statuses: NodeStatuses
  readonly #exits: ExitNotices
  #links: readonly LinkRuleRow[] = []
  #seedsSent = false
  #stopped: Promise<readonly string[]> | undefined

  constructor(parts: ClusterParts) {
    this.#parts = parts
    const { sessions, log } = parts
    this.#statuses = new NodeStatuses(sessions)
    this.#exits = new ExitNotices({
      ask: (coordinator, message, request, timeoutMs) => sessions.ask(coordinator, message, request, timeoutMs),
      nodes: () => this.#nodes.values(),
      log,
      isStopping: () => this.#stopped !== undefined,
    })
    this.#nodes = new Map(parts.request.plan.map(plan => [plan.name, this.#build(plan)]))
  }

  get links(): readonly LinkRuleRow[] {
    return this.#links
  }

  /** Starts every node at once. Each binds first and then reports; when all have, each gets to know the others. */
  start(): void {
    for (const node of this.#nodes.values()) this.#startNode(node)
    setTimeout(() => this.#sendFirstSeeds(), SEEDS_LATEST_MS).unref()
  }

  /** All nodes; with `probe` each running one is asked how it is and what it believes. */
  status(probe: boolean): Promise<ProbedNode[]> {
    return Promise.all(Array.from(this.#nodes.values(), node => this.#statuses.read(node, probe)))
  }

  /** Resolves when the cluster is ready. Rejects with `not_ready` when a node failed, or when `timeoutMs` have passed. */
  async whenReady(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs
    for (;;) {
      const nodes = await this.status(true)
      const missing = whyNotReady(nodes)
      if (missing.length === 0) return
      const hopeless = nodes.some(({ state }) => state === 'failed') || this.#stopped !== undefined
      if (hopeless || signal.aborted || performance.now() + READY_LOOK_MS > deadlineMs)
        throw new ProtocolError('not_ready', missing.join('; ').slice(0, 2_000))
      await new Promise(resolve => setTimeout(resolve, READY_LOOK_MS))
    }
  }

  async kill(names: readonly string[]): Promise<void> {
    await this.#each('node_killed', names, node => node.kill())
  }

  async pause(names: readonly string[]): Promise<void> {
    await this.#each('node_paused', names, node => node.pause())
  }

  /** Resolves when the nodes answer again, or have had time to. */
  async resume(names: readonly string[]): Promise<void> {
    await this.#each('node_resumed', names, async node => {
      await node.resume()
      await this.#pushLinks(node)
    })
  }

  /** Stops what runs in order and starts it again; resolves when every one of them serves and answers. */
  async restart(names: readonly string[], timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs
    await this.#each('node_restarted', names, async node => {
      await node.stop(this.#parts.request.shutdownGraceMs)
      // Two restarts of one node at the same time: the first to get here starts it for both.
      if (!node.hasProcess) this.#startNode(node)
      await node.whenRunning(Math.max(1, deadlineMs - performance.now()))
      await this.#parts.sessions.ask(node, nodeStatus, {}, Math.max(1, deadlineMs - performance.now()))
    })
  }

  /** Replaces the table of link faults. Resolves with the nodes that hold it, when every one that answers does. */
  async replaceLinks(rules: readonly LinkRuleRow[]): Promise<readonly string[]> {
    if (!this.#parts.request.faults) throw new ProtocolError('faults_not_enabled')
    this.#links = expandRules(rules, [...this.#nodes.keys()])
    this.#parts.log.warn({ event: 'links_replaced', rules: this.#links.length }, 'link faults replaced')
    const reached = await Promise.all(
      Array.from(this.#nodes.values(), async node => ((await this.#pushLinks(node)) ? [node.plan.name] : [])),
    )
    return reached.flat()
  }

  /** Ends every process, in order within `graceMs`. Resolves with the names of those that ran. */
  stop(graceMs: number): Promise<readonly string[]> {
    this.#stopped ??= this.#stopAll(graceMs)
    return this.#stopped
  }

  /** Ends every process now, also those of an ordered stop that is under way. */
  async killAll(): Promise<readonly string[]> {
    const ran = this.#withProcess()
    this.#stopped ??= Promise.resolve(ran.map(node => node.plan.name))
    await Promise.all(ran.map(node => node.kill()))
    return this.#stopped
  }

  async #stopAll(graceMs: number): Promise<readonly string[]> {
    const ran = this.#withProcess()
    // Roles stop in the opposite order of the plan: what others depend on comes first there and goes last here.
    const byRole = [...Map.groupBy(ran, node => node.plan.role).values()].reverse()
    const deadlineMs = performance.now() + graceMs
    for (const nodes of byRole) {
      const leftMs = Math.max(1, deadlineMs - performance.now())
      await Promise.all(nodes.map(node => node.stop(leftMs)))
    }
    return ran.map(node => node.plan.name)
  }

  #withProcess(): NodeProcess[] {
    return [...this.#nodes.values()].filter(node => node.hasProcess)
  }

  #build(plan: StartRequest['plan'][number]): NodeProcess {
    const { request, paths, sessions, reaper, processes, log } = this.#parts
    const place = { programs: request.programs, role: plan.role, name: plan.name, state: paths.directory, config: paths.config }
    const command = {
      arguments: (port: number, fronts: readonly FrontPort[]) =>
        nodeArguments({ ...place, port, fronts, strictPorts: request.strictPorts }),
      stderrPath: stderrFile(paths, plan.name),
    }
    return new NodeProcess(plan, command, {
      starting: () => ({ ...processEnvironment(), [TOKEN_VARIABLE]: processes.announce(plan.name) }),
      started: (_node, pid) => {
        const identity = processes.started(plan.name, pid)
        if (identity !== undefined) reaper.hold(identity)
        log.info({ event: 'node_started', subject: plan.name, pid }, 'started a node')
      },
      bound: node => void this.#onBound(node),
      ended: (node, pid) => {
        processes.ended(plan.name)
        void this.#exits.tell(plan.name, () => !node.hasProcess)
        if (pid !== undefined) {
          reaper.forget(pid)
          sessions.forget(pid)
        }
        const fields = { event: 'node_ended', subject: plan.name, pid, state: node.state, exit: node.exit }
        if (node.state === 'failed') log.error(fields, 'a node failed')
        else log.info(fields, 'a node ended')
        this.#sendFirstSeeds()
      },
    })
  }

  #startNode(node: NodeProcess): void {
    if (this.#stopped !== undefined) throw new ProtocolError('shutting_down')
    const { request, ports } = this.#parts
    const { name, nativePort, fronts } = node.plan
    if (request.strictPorts) return node.start(nativePort, fronts)
    node.start(
      ports.portFor(name, nativePort),
      fronts.map(({ protocol, port }) => ({ protocol, port: ports.portFor(doorOf(name, protocol), port) })),
    )
  }

  async #onBound(node: NodeProcess): Promise<void> {
    for (const { protocol, port } of node.endpoints)
      this.#parts.ports.remember(doorOf(node.plan.name, protocol), wantedPort(node.plan, protocol), port)
    if (!this.#seedsSent) {
      this.#sendFirstSeeds()
      return
    }
    // The faults come first: a node that starts into a partition must not talk across it.
    await this.#pushLinks(node)
    this.#sendSeeds(node)
  }

  /** Once, when no node is still on its way to its port. */
  #sendFirstSeeds(): void {
    const nodes = [...this.#nodes.values()]
    const late = nodes.some(node => node.sinceStartMs >= SEEDS_LATEST_MS)
    if (this.#seedsSent || (!late && nodes.some(node => node.hasProcess && !node.isBound))) return
    this.#seedsSent = true
    for (const node of nodes) if (node.isBound) this.#sendSeeds(node)
  }

  #sendSeeds(node: NodeProcess): void {
    const others = [...this.#nodes.values()].filter(other => other !== node && other.isBound)
    const seeds = others.flatMap(other => other.endpoints.filter(({ protocol }) => protocol === 'native'))
    node.sendSeeds({ kind: 'seeds', seeds: seeds.map(({ host, port }) => ({ host, port })) })
  }

  /** True when the node holds the table now. */
  async #pushLinks(node: NodeProcess): Promise<boolean> {
    if (!this.#parts.request.faults || !node.isBound || node.state === 'paused') return false
    try {
      await this.#parts.sessions.ask(node, nodeSetLinks, { rules: this.#links }, SET_LINKS_TIMEOUT_MS)
      return true
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#parts.log.warn(
        { event: 'links_not_taken', subject: node.plan.name, code: error.code, reason: error.message },
        'a node did not take the link faults',
      )
      return false
    }
  }

  async #each(event: string, names: readonly string[], act: (node: NodeProcess) => Promise<void>): Promise<void> {
    if (this.#stopped !== undefined) throw new ProtocolError('shutting_down', 'the cluster is stopping')
    const nodes = names.map(name => {
      const node = this.#nodes.get(name)
      if (node === undefined) throw new ProtocolError('unknown_node', `no node is called ${name}`)
      return node
    })
    for (const node of nodes) this.#parts.log.info({ event, subject: node.plan.name, pid: node.pid }, 'on command')
    await Promise.all(nodes.map(act))
  }
}
