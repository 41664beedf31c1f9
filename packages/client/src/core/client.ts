// The client: a composition root. Nothing is opened before the first call, and nothing is left after `close`.
import type { Clock, ClusterId, Compute, Endpoint, Logger, Net, NodeId, Random } from '@atoll/base'
import { silentLogger } from '@atoll/base'
import { contestList, Deadlines, type RequestOf, type ResponseOf, type Rpc } from '@atoll/protocol'
import { AtollError } from './atoll-error.ts'
import { Coordinators, type Whereabouts } from './coordinators.ts'
import { Election } from './election.ts'
import { KeyValue } from './kv.ts'
import { LeaderRoute } from './leader-route.ts'
import { type Lease, type LeaseOptions, Leases } from './lease.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import { Lock } from './lock.ts'
import { Log } from './log/log.ts'
import { type CallOptions, Requests } from './requests.ts'
import type { StreamParts } from './resumed-stream.ts'
import { type Member, members, Services } from './services.ts'
import { Changes } from './session.ts'

export interface ClientPorts {
  readonly net: Net
  readonly clock: Clock
  readonly random: Random
  readonly compute: Compute
  readonly log?: Logger | undefined
}

export interface ClientOptions {
  /** What this client calls itself: a lower-case DNS label. */
  readonly name: NodeId
  /** `none`: changes are not repeated once their fate is unknown. Default `exactly_once`. */
  readonly session?: 'exactly_once' | 'none' | undefined
}

export interface ReachableOptions extends ClientOptions {
  readonly clusterId: ClusterId
  readonly secret: Uint8Array
  /** Coordinators to begin with; one is enough. */
  readonly seeds: readonly Endpoint[]
}

/** A client of a cluster whose whereabouts are known. Opens nothing yet. */
export function createClient(ports: ClientPorts, options: ReachableOptions): Client {
  const { clusterId, secret, seeds } = options
  return new Client(ports, options, async () => ({ clusterId, secret, seeds }))
}

export class Client implements AsyncDisposable {
  /** Keys and values, and watches of them. */
  readonly kv: KeyValue
  /** The nodes that are there, by role. */
  readonly services: Services
  /** Topics, and what is produced to them and consumed from them. */
  readonly log: Log
  readonly #clock: Clock
  readonly #deadlines: Deadlines
  readonly #coordinators: Coordinators
  readonly #route: LeaderRoute
  readonly #keeper: LeaseKeeper
  readonly #requests: Requests
  readonly #changes: Changes
  readonly #leases: Leases
  readonly #streams: StreamParts
  #closing: Promise<void> | undefined

  /** `locate` is asked when a leader is looked for, again and again until one is found. */
  constructor(ports: ClientPorts, { name, session = 'exactly_once' }: ClientOptions, locate: () => Promise<Whereabouts>) {
    const { clock, random, compute, log = silentLogger } = ports
    const deadlines = new Deadlines(clock)
    const coordinators = new Coordinators({ net: ports.net, clock, compute, log }, name)
    const keeper = new LeaseKeeper(clock)
    const route = new LeaderRoute({ clock, random, deadlines, coordinators, locate, onAnother: () => keeper.endAll() })
    const requests = new Requests({ clock, random, route, beforeEach: () => keeper.check() })
    keeper.use(requests)
    const changes = new Changes({ clock, deadlines, requests, keeper, session })
    this.#deadlines = deadlines
    this.#coordinators = coordinators
    this.#route = route
    this.#keeper = keeper
    this.#requests = requests
    this.#changes = changes
    const streams = { clock, random, route, requests }
    this.#clock = clock
    this.#leases = new Leases(clock, changes, keeper)
    this.#streams = streams
    this.kv = new KeyValue(requests, changes, streams)
    this.services = new Services(streams)
    const endpoint = () => coordinators.endpoint
    this.log = new Log({ clock, random, compute, deadlines, requests, changes, kv: this.kv, endpoint })
  }

  /** Resolves once a leader of the coordinators was reached. */
  async ready(options?: CallOptions): Promise<void> {
    const call = this.#requests.begin('ready', false, options)
    try {
      await this.#route.wait(call)
    } catch (error) {
      throw this.#requests.explained(call, error)
    }
  }

  /** A lease, kept alive until it is revoked, lost, or the client is closed. */
  lease(options?: LeaseOptions): Promise<Lease> {
    return this.#leases.grant(options)
  }

  /** The lock of that name; nothing is asked yet. */
  lock(name: string): Lock {
    return new Lock(this.#contest, name)
  }

  /** The names of all locks that somebody holds. */
  async locks(options?: CallOptions): Promise<readonly string[]> {
    const names: string[] = []
    for (;;) {
      const page = await this.#requests.read(contestList, { elections: false, after: names.at(-1) ?? '' }, options)
      if (page.names.length === 0) return names
      names.push(...page.names)
    }
  }

  /** The election of that name; nothing is asked yet. */
  election(name: string): Election {
    return new Election({ ...this.#contest, changes: this.#changes, streams: this.#streams }, name)
  }

  /** Every node that ever registered. */
  members(options?: CallOptions): Promise<readonly Member[]> {
    return members(this.#requests, options)
  }

  /** Any request of the coordinators’ that only reads, or that may take effect twice: for what has no method of its own. */
  request<M extends Rpc>(message: M, request: RequestOf<M>, options?: CallOptions): Promise<ResponseOf<M>> {
    const call = this.#requests.begin(message.name, true, options)
    return this.#requests.ask(call, message, request, message.idempotent ? 'repeatable' : 'once')
  }

  /**
   * Ends everything: what is under way is refused, leases and the session are given back if a coordinator is there to hear
   * it. Succeeds while disconnected, and may be called again.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  get #contest() {
    return { requests: this.#requests, leases: this.#leases, nowMs: () => this.#clock.monotonicMs() }
  }

  async #close(): Promise<void> {
    const error = new AtollError('client_closed', 'the client was closed', { operation: 'close' })
    const connected = this.#route.session !== undefined
    this.log.close(error)
    await this.#leases.close(error, connected)
    if (connected) await Promise.allSettled([this.#changes.close(error)])
    else this.#changes.refuseWaiting(error)
    this.#requests.close(error)
    this.#keeper.close()
    this.#route.close(error)
    this.#coordinators.close()
    this.#deadlines.close()
  }
}
