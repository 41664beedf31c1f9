// Drives the controller on the leader: from when an entry of its own term is applied, so that everything its predecessors
// proposed is known, until the leadership ends, it follows what is applied and proposes what the planner wants, one command
// at a time. Nothing of it outlives a leadership; what came to nothing is looked at again.
import { type Clock, type Logger, type MonotonicMs, type Net, NetError, type NodeId, type Timer } from '@atoll/base'
import { ProtocolError } from '@atoll/protocol'
import type { RaftEvent } from '@atoll/raft'
import type { Applied, Command } from '../core/index.ts'
import { CONTROLLER_PROPOSAL_MS_MAX, CONTROLLER_RETRY_MS, EXIT_PROBE_MS } from '../limits.ts'
import type { Replica, ReplicaListener } from '../replica.ts'
import { type Exit, Exits } from './exits.ts'
import { Planner, type PlannerOptions } from './planner.ts'

export interface ControllerOptions {
  readonly self: NodeId
  readonly replica: Replica
  readonly clock: Clock
  readonly net: Pick<Net, 'connect'>
  readonly log: () => Logger
  readonly planner: () => PlannerOptions
}

/** One term of leadership. */
interface Reign {
  readonly term: number
  planner: Planner | undefined
  /** The planner knows the whole state. */
  loaded: boolean
}

/** A process that gossip takes for gone, because its own address refuses connections. */
export interface Suspect {
  readonly node: NodeId
  readonly by: NodeId
  /** Its native address, on this host. */
  readonly endpoint: { readonly host: string; readonly port: number }
}

export class Controller implements ReplicaListener {
  readonly #options: ControllerOptions
  readonly #exits: Exits
  #reign: Reign | undefined
  #timer: Timer | undefined
  #proposing = false
  /** Commands proposed so far. */
  proposedTotal = 0

  constructor(options: ControllerOptions) {
    this.#options = options
    this.#exits = new Exits(options.self)
    options.replica.listen(this)
  }

  /** Has a look of its own at who is said to be gone: with that, it is proven. Never rejects but for a bug. */
  async suspect({ node, by, endpoint }: Suspect): Promise<void> {
    const { net, clock, self } = this.#options
    // Whoever has registered before this look, at that address, is who is looked for.
    const registered = this.#reign?.planner?.view.registration(node)
    const isThere = registered?.endpoints.some(({ host, port }) => host === endpoint.host && port === endpoint.port)
    if (registered?.state !== 'active' || isThere !== true) return
    this.#exits.refused(node, by, clock.monotonicMs())
    try {
      const connection = await net.connect(endpoint, { timeoutMs: EXIT_PROBE_MS })
      connection.open({ onData: () => {}, onDrain: () => {}, onClose: () => {} })
      connection.destroy()
      this.#exits.forget(node)
    } catch (error) {
      if (!(error instanceof NetError)) throw error
      if (error.code !== 'refused' || !this.#exits.refused(node, self, clock.monotonicMs())) return
      this.#exits.forget(node)
      this.exited({ node, epoch: registered.epoch })
    }
  }

  /** The process with that registration is gone: its parent says so, or two were refused at its address. */
  exited(exit: Exit): void {
    const planner = this.#reign?.planner
    if (planner === undefined) return
    planner.exited(exit)
    this.#go()
  }

  happened(event: RaftEvent): void {
    if (event.kind === 'became_leader') this.#reign = { term: event.term, planner: undefined, loaded: false }
    else if (event.kind === 'stepped_down') this.#end()
  }

  applied(applied: Applied | undefined, term: number): void {
    const reign = this.#reign
    if (reign === undefined) return
    if (reign.planner === undefined) {
      if (term === reign.term) this.#begin(reign)
      return
    }
    if (applied?.change === undefined || !reign.planner.follow(applied.change)) return
    // In a turn of its own: whoever waits for this entry comes first.
    this.#later(0)
  }

  stopped(): void {
    this.#end()
  }

  #begin(reign: Reign): void {
    const { replica, clock, planner } = this.#options
    reign.planner = new Planner(replica.state, planner(), clock.monotonicMs())
    const loading = reign.planner.view.load()
    const loadOn = () => {
      if (reign !== this.#reign) return
      if (loading.next().done !== true) clock.after(0, loadOn)
      else {
        reign.loaded = true
        this.#go()
      }
    }
    loadOn()
  }

  #end(): void {
    this.#reign = undefined
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #later(ms: number): void {
    this.#timer?.cancel()
    this.#timer = this.#options.clock.after(ms, () => {
      this.#timer = undefined
      this.#go()
    })
  }

  /** Does the next thing there is to do. */
  #go(): void {
    const reign = this.#reign
    if (reign?.planner === undefined || !reign.loaded || this.#proposing) return
    const nowMs: MonotonicMs = this.#options.clock.monotonicMs()
    const step = reign.planner.next(nowMs)
    if (step.kind === 'propose') void this.#propose(reign, reign.planner, step.command)
    else if (step.kind === 'again') this.#later(0)
    else if (step.untilMs !== undefined) this.#later(Math.max(0, step.untilMs - nowMs))
  }

  /** Never rejects but for a bug. */
  async #propose(reign: Reign, planner: Planner, command: Command): Promise<void> {
    const { replica, log } = this.#options
    this.#proposing = true
    this.proposedTotal++
    let failure: unknown
    try {
      const { answer } = await replica.propose(command, { remainingMs: () => CONTROLLER_PROPOSAL_MS_MAX })
      if (!answer.ok) failure = answer
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      failure = error
    }
    this.#proposing = false
    if (failure !== undefined) {
      log().debug(
        { event: 'controller_proposal_failed', command: command.kind, err: failure },
        'a proposal of the controller came to nothing',
      )
      planner.failed(command)
    }
    if (reign !== this.#reign) this.#go()
    else this.#later(failure === undefined ? 0 : CONTROLLER_RETRY_MS)
  }
}
