// Puts the registration of one process together: what its disk remembers, a client to find the coordinators with, and its
// places in the life of the process. Starting does not wait for it; a coordinator has to be up before it can register at all.
import { type Endpoint, sleep } from '@atoll/base'
import { Client } from '@atoll/client/core'
import { CommitLogError } from '@atoll/commit-log'
import type { Revision } from '@atoll/protocol'
import { plannedNodes } from './config.ts'
import type { GossipAgent } from './gossip-agent.ts'
import { STANDING_RETRY_MS } from './limits.ts'
import type { BoundEndpoint, NodeContext } from './node.ts'
import { type Registered, Registration } from './registration.ts'
import { Standing } from './standing.ts'

export class NodeRegistration {
  readonly #context: NodeContext
  readonly #agent: GossipAgent
  readonly #onFenced: ((epoch: Revision) => void)[] = []
  readonly #onRegistered: ((epoch: Revision) => void)[] = []
  readonly #stopping = new AbortController()
  #standing: Standing | undefined
  #registration: Registration | undefined
  #trouble: string | undefined

  constructor(context: NodeContext, agent: GossipAgent) {
    this.#context = context
    this.#agent = agent
    // After the role's own parts: by then everything is on the disk.
    context.lifecycle.onStop('standing', () => this.#remember())
  }

  /** Undefined while this node has no right to act as the node of its name. */
  get current(): Registered | undefined {
    return this.#registration?.current
  }

  /** The same without a look at the clock: for whoever watches, not for whoever acts. */
  get believed(): Registered | undefined {
    return this.#registration?.believed
  }

  /** The epoch of that right. */
  get epoch(): Revision | undefined {
    return this.current?.epoch
  }

  /** Why there is none, where it is known. */
  get trouble(): string | undefined {
    return this.#trouble ?? this.#registration?.trouble
  }

  /** Calls `listener` whenever the node loses the right to act in `epoch`. */
  onFenced(listener: (epoch: Revision) => void): void {
    this.#onFenced.push(listener)
  }

  /** Calls `listener` whenever the node gets the right to act in `epoch`. */
  onRegistered(listener: (epoch: Revision) => void): void {
    this.#onRegistered.push(listener)
  }

  /** Where gossip says that coordinators are, and where the configuration plans them. */
  coordinators(): Endpoint[] {
    const isCoordinator = (role: string): boolean => role === 'coordinator'
    const met = this.#agent.members().flatMap(({ meta }) => (isCoordinator(meta.role) ? meta.endpoints : []))
    const planned = plannedNodes(this.#context.config).flatMap(({ role, host, nativePort }) =>
      isCoordinator(role) ? [{ protocol: 'native', host, port: nativePort }] : [],
    )
    const native = [...met, ...planned].filter(({ protocol }) => protocol === 'native')
    return [...new Map(native.map(({ host, port }) => [`${host} ${port}`, { host, port }])).values()]
  }

  /** Begins to register, as reachable at `endpoints`. `disk`: the identity it has from elsewhere; otherwise one of its own. */
  begin(endpoints: readonly BoundEndpoint[], disk?: string): void {
    this.#context.lifecycle.onStop('registration', async () => {
      this.#stopping.abort()
      await this.#registration?.stop()
    })
    this.#run(endpoints, disk).catch((error: unknown) => {
      if (!this.#stopping.signal.aborted) throw error
    })
  }

  async #run(bound: readonly BoundEndpoint[], disk: string | undefined): Promise<void> {
    const standing = await this.#open(disk)
    if (standing === undefined) return
    this.#standing = standing
    const { ports, log, identity } = this.#context
    const client = new Client({ ...ports, log }, { name: identity.node, session: 'none' }, async () => ({
      clusterId: identity.cluster,
      secret: identity.secret,
      seeds: this.coordinators(),
      compute: ports.compute,
    }))
    const { node, role } = identity
    const { starts, cleanEpoch, disk: own } = standing.opened
    const endpoints = bound.map(({ protocol, host, port }) => ({ protocol, host, port }))
    const about = { node, role, disk: own, replaces: undefined, starts, cleanEpoch, bootId: ports.process.bootId, endpoints }
    const describe = () => ({ ...about, incarnation: identity.incarnation() })
    const registration = new Registration({ clock: ports.clock, log, client, describe })
    registration.onFenced(epoch => {
      for (const listener of this.#onFenced) listener(epoch)
    })
    registration.onRegistered(epoch => {
      for (const listener of this.#onRegistered) listener(epoch)
    })
    this.#registration = registration
    await registration.run()
  }

  /** Undefined when what the disk remembers cannot be known: then nobody may take this node for the one before. */
  async #open(disk: string | undefined): Promise<Standing | undefined> {
    const { ports, log } = this.#context
    const { signal } = this.#stopping
    for (;;) {
      try {
        const standing = await Standing.open(ports.disk, ports.compute, disk)
        signal.throwIfAborted()
        this.#trouble = undefined
        return standing
      } catch (error) {
        if (signal.aborted) throw error
        const { code, message } = error as { readonly code?: string; readonly message: string }
        const isFull = code === 'disk_full'
        if (!isFull && !(error instanceof CommitLogError) && !(error instanceof Error && error.name === 'DiskError')) throw error
        if (this.#trouble === undefined) log.error({ event: 'standing_unknown', err: error }, 'cannot register: the disk does not say')
        this.#trouble = message
        if (!isFull) return undefined
        await sleep(ports.clock, STANDING_RETRY_MS, signal)
      }
    }
  }

  async #remember(): Promise<void> {
    const standing = this.#standing
    if (standing === undefined) return
    try {
      await standing.stoppedInOrder(this.#registration?.latestEpoch ?? standing.opened.cleanEpoch)
    } catch (error) {
      this.#context.log.warn({ event: 'standing_not_kept', err: error }, 'the next start will not know that this one ended in order')
    }
  }
}
