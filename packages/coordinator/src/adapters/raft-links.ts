// The connections that Raft travels on: one from each coordinator to each other, its own, so that no bulk of others delays
// a heartbeat and gossip's connections stay small. Messages wait, a few, while a connection is made; what is lost with one
// Raft sends again. When one ends it is made anew at once, because the answer tells: refused where it was is proof that the
// process is gone.
import { type Clock, type Endpoint, formatEndpoint, NetError, type NodeId } from '@atoll/base'
import { type NativeEndpoint, ProtocolError, type Session } from '@atoll/protocol'
import { LINK_CALL_TIMEOUT_MS, LINK_RETRY_MS, LINK_WAITING_MAX } from '../limits.ts'
import type { BatchCodec } from './raft-batches.ts'
import { type Carried, transmit } from './raft-messages.ts'

export interface RaftLinksHooks {
  /** What was on its way to or from this peer may be lost. */
  lost(peer: NodeId): void
  /** Nobody listens any more where the peer was connected. */
  gone(peer: NodeId): void
}

export interface RaftLinksOptions {
  readonly clock: Clock
  readonly endpoint: NativeEndpoint
  readonly codec: BatchCodec
  /** Where a peer is; undefined while nobody knows. */
  readonly addressOf: (peer: NodeId) => Endpoint | undefined
  readonly hooks: RaftLinksHooks
}

class Link {
  readonly peer: NodeId
  session: Session | undefined
  calling = false
  /** No call before this, by the clock. */
  notBeforeMs = 0
  /** Where it was connected last. */
  address: string | undefined
  waiting: Carried[] = []

  constructor(peer: NodeId) {
    this.peer = peer
  }
}

export class RaftLinks {
  readonly #options: RaftLinksOptions
  readonly #links = new Map<NodeId, Link>()
  /** Connections of peers that Raft's messages came by. */
  readonly #heard = new Set<Session>()
  #closed = false

  constructor(options: RaftLinksOptions) {
    this.#options = options
  }

  send(carried: Carried): void {
    const { node } = carried.envelope.to
    const link = this.#linkTo(node)
    if (link.session?.isOpen) return this.#transmit(link, link.session, carried)
    if (!link.calling && link.notBeforeMs <= this.#options.clock.monotonicMs()) void this.#call(link)
    if (!link.calling) return
    link.waiting.push(carried)
    if (link.waiting.length > LINK_WAITING_MAX) link.waiting.shift()
  }

  /** A message came by `session`: with its end what else was sent by it may be lost. */
  heardBy(session: Session): void {
    if (this.#heard.has(session)) return
    this.#heard.add(session)
    void session.closed.then(() => {
      this.#heard.delete(session)
      if (!this.#closed) this.#options.hooks.lost(session.peer.node)
    })
  }

  /** The endpoint ends the connections. */
  close(): void {
    this.#closed = true
  }

  #isClosed(): boolean {
    return this.#closed
  }

  #linkTo(peer: NodeId): Link {
    const known = this.#links.get(peer)
    if (known !== undefined) return known
    const link = new Link(peer)
    this.#links.set(peer, link)
    return link
  }

  #transmit(link: Link, session: Session, carried: Carried): void {
    // A full connection takes nothing: as if it were lost, and to be sent again.
    if (!transmit(session, carried, this.#options.codec)) this.#options.hooks.lost(link.peer)
  }

  async #call(link: Link): Promise<void> {
    const { endpoint, addressOf, clock, hooks } = this.#options
    const address = addressOf(link.peer)
    if (address === undefined || this.#isClosed()) return
    link.calling = true
    try {
      const session = await endpoint.call(address, link.peer, { timeoutMs: LINK_CALL_TIMEOUT_MS })
      link.calling = false
      this.#begin(link, session, formatEndpoint(address))
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      link.calling = false
      link.waiting = []
      link.notBeforeMs = clock.monotonicMs() + LINK_RETRY_MS
      const refused = error.cause instanceof NetError && error.cause.code === 'refused'
      if (refused && link.address === formatEndpoint(address) && !this.#isClosed()) hooks.gone(link.peer)
    }
  }

  #begin(link: Link, session: Session, address: string): void {
    link.session = session
    link.address = address
    void session.closed.then(() => {
      link.session = undefined
      if (this.#closed) return
      this.#options.hooks.lost(link.peer)
      if (!link.calling) void this.#call(link)
    })
    const waiting = link.waiting
    link.waiting = []
    for (const carried of waiting) this.#transmit(link, session, carried)
  }
}
