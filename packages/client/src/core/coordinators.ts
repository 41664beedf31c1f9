// The coordinators a client knows and its one connection to each. Addresses come from whoever made the client and from the
// coordinators themselves, which gossip about each other; what went wrong last with each is kept for the error a caller sees.
import {
  type Clock,
  type ClusterId,
  type Compute,
  type Endpoint,
  formatEndpoint,
  type Incarnation,
  type Logger,
  type Net,
  type NodeId,
} from '@atoll/base'
import {
  coordinatorStatus,
  FRAME_BYTES_MAX,
  HandlerTable,
  NativeEndpoint,
  nodeStatus,
  ProtocolError,
  type ResponseOf,
  type Session,
} from '@atoll/protocol'
import type { NodeTrouble } from './atoll-error.ts'
import { CONNECT_TIMEOUT_MS, COORDINATORS_MAX, STATUS_TIMEOUT_MS } from './limits.ts'

/** Where a cluster is, and what it takes to prove that one may speak to it. */
export interface Whereabouts {
  readonly clusterId: ClusterId
  readonly secret: Uint8Array
  readonly seeds: readonly Endpoint[]
}

export interface CoordinatorsPorts {
  readonly net: Net
  readonly clock: Clock
  readonly compute: Compute
  readonly log: Logger
}

export type CoordinatorStatus = ResponseOf<typeof coordinatorStatus>

/** One coordinator, by its address. */
export interface Link {
  readonly at: Endpoint
  /** Who answered there last. */
  node: NodeId | undefined
  session: Session | undefined
  /** It is being asked how it is. */
  asked: boolean
  trouble: ProtocolError | undefined
}

export class Coordinators {
  readonly #ports: CoordinatorsPorts
  readonly #name: NodeId
  readonly #links = new Map<string, Link>()
  #whereabouts: Whereabouts | undefined
  #endpoint: NativeEndpoint | undefined

  constructor(ports: CoordinatorsPorts, name: NodeId) {
    this.#ports = ports
    this.#name = name
  }

  get links(): Iterable<Link> {
    return this.#links.values()
  }

  /** What connections are made with; undefined before the cluster was found. */
  get endpoint(): NativeEndpoint | undefined {
    return this.#endpoint
  }

  /**
   * What is known of where they are, replaced: a cluster that was made anew has another secret and other ports. Answers
   * whether it is another one than before.
   */
  locate(whereabouts: Whereabouts): boolean {
    const before = this.#whereabouts
    const same = before?.clusterId === whereabouts.clusterId && equalBytes(before.secret, whereabouts.secret)
    if (!same) {
      this.#endpoint?.close()
      this.#links.clear()
      const identity = {
        cluster: whereabouts.clusterId,
        node: this.#name,
        role: 'client',
        incarnation: () => 0 as Incarnation,
        secret: whereabouts.secret,
        frameBytesMax: FRAME_BYTES_MAX,
      }
      this.#endpoint = new NativeEndpoint(identity, new HandlerTable(), this.#ports)
    }
    this.#whereabouts = whereabouts
    for (const seed of whereabouts.seeds) this.#learn(seed)
    return before !== undefined && !same
  }

  /** How that coordinator says it is. Rejects with a ProtocolError; never asks twice at once. */
  async ask(link: Link): Promise<CoordinatorStatus> {
    link.asked = true
    try {
      const session = await this.#connect(link)
      const status = await session.request(coordinatorStatus, {}, { timeoutMs: STATUS_TIMEOUT_MS })
      link.trouble = status.leader === undefined ? new ProtocolError('no_leader', 'knows of no leader') : undefined
      await this.#learnOthers(session, status)
      return status
    } catch (error) {
      if (error instanceof ProtocolError) link.trouble = error
      throw error
    } finally {
      link.asked = false
    }
  }

  /** Why each was of no help when it was asked last. */
  troubles(): readonly NodeTrouble[] {
    return [...this.#links.values()].flatMap(({ at, node, trouble }) => {
      if (trouble === undefined) return []
      return [{ node: node ?? formatEndpoint(at), code: trouble.code, message: trouble.message }]
    })
  }

  close(): void {
    this.#endpoint?.close()
    this.#links.clear()
  }

  async #connect(link: Link): Promise<Session> {
    if (link.session?.isOpen === true) return link.session
    const endpoint = this.#endpoint
    if (endpoint === undefined) throw new ProtocolError('not_connected', 'the client is closed')
    const session = await endpoint.call(link.at, undefined, { timeoutMs: CONNECT_TIMEOUT_MS })
    link.session = session
    link.node = session.peer.node
    void session.closed.then(error => {
      if (link.session !== session) return
      link.session = undefined
      link.trouble = error
    })
    return session
  }

  /** One seed is enough: coordinators know each other. Asked only while a member of theirs is unknown here. */
  async #learnOthers(session: Session, status: CoordinatorStatus): Promise<void> {
    const known = new Set(Array.from(this.#links.values(), ({ node }) => node))
    const { leader, members } = status
    if ([...members.map(({ node }) => node), ...(leader === undefined ? [] : [leader])].every(node => known.has(node))) return
    const { members: gossiped } = await session.request(nodeStatus, {}, { timeoutMs: STATUS_TIMEOUT_MS })
    for (const { role, state, address } of gossiped) {
      if (role !== 'coordinator' || state === 'dead' || state === 'left') continue
      const at = endpointIn(address)
      if (at !== undefined) this.#learn(at)
    }
  }

  #learn(at: Endpoint): void {
    const key = formatEndpoint(at)
    if (this.#links.has(key)) return
    if (this.#links.size >= COORDINATORS_MAX && !this.#forgetOne()) return
    this.#links.set(key, { at, node: undefined, session: undefined, asked: false, trouble: undefined })
  }

  /** An address at which nobody is makes room for another. */
  #forgetOne(): boolean {
    for (const [key, { session, asked }] of this.#links) if (session === undefined && !asked) return this.#links.delete(key)
    return false
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i])
}

/** `host:port` or `[v6]:port`; undefined for anything else. */
export function endpointIn(address: string): Endpoint | undefined {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:\s]+)):(\d{1,5})$/.exec(address.trim())
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port }
}
