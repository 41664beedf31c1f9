// The connections gossip travels on: its own, so that no bulk frame delays a sign of life. One that a peer opened for
// its gossip is used for ours too. Messages to a member without a connection wait, a few, while one is made.
import { formatEndpoint, NetError, type NodeId } from '@atoll/base'
import { type NativeEndpoint, ProtocolError, type Session } from '@atoll/protocol'
import type { Send } from '@atoll/swim'
import { transmit } from './gossip-messages.ts'
import { GOSSIP_CALL_TIMEOUT_MS, GOSSIP_CALLS_MAX, GOSSIP_SESSIONS_MAX, GOSSIP_WAITING_MAX } from './limits.ts'

export interface GossipSessionsHooks {
  /** A message could not be delivered: nobody listens there, or anything else. */
  unreachable(to: Send['to'], how: 'refused' | 'timed_out'): void
  /** The last connection to or from the member is over. */
  closed(node: NodeId): void
}

export class GossipSessions {
  readonly #endpoint: NativeEndpoint
  readonly #hooks: GossipSessionsHooks
  /** Least recently used first. */
  readonly #byNode = new Map<NodeId, Session>()
  readonly #known = new Set<Session>()
  /** Messages that wait for a call, by address. */
  readonly #calls = new Map<string, Send[]>()
  #closing = false

  constructor(endpoint: NativeEndpoint, hooks: GossipSessionsHooks) {
    this.#endpoint = endpoint
    this.#hooks = hooks
  }

  /** Open connections, and calls under way. */
  get counts(): { readonly sessions: number; readonly calls: number } {
    return { sessions: this.#known.size, calls: this.#calls.size }
  }

  /** Sends over an open connection, or over one that is made for it. */
  send(message: Send): void {
    const { node, address } = message.to
    const session = node === undefined ? undefined : this.#byNode.get(node)
    if (session?.isOpen) {
      this.adopt(session)
      transmit(session, message)
    } else if (address !== undefined) this.#call(message, address)
  }

  /** `session` carries gossip: remember it, as the most recently used. */
  adopt(session: Session): void {
    const { node } = session.peer
    this.#byNode.delete(node)
    this.#byNode.set(node, session)
    if (this.#known.has(session)) return
    this.#known.add(session)
    void session.closed.then(() => this.#forget(session))
    if (this.#known.size > GOSSIP_SESSIONS_MAX) {
      const [unused] = this.#known
      unused?.end()
    }
  }

  close(): void {
    this.#closing = true
  }

  #forget(session: Session): void {
    this.#known.delete(session)
    const { node } = session.peer
    if (this.#byNode.get(node) === session) {
      this.#byNode.delete(node)
      for (const other of this.#known) if (other.peer.node === node && other.isOpen) this.#byNode.set(node, other)
    }
    if (!this.#closing && !this.#byNode.has(node)) this.#hooks.closed(node)
  }

  #call(message: Send, address: { readonly host: string; readonly port: number }): void {
    const key = `${message.to.node ?? ''}@${formatEndpoint(address)}`
    const waiting = this.#calls.get(key)
    if (waiting !== undefined) {
      if (waiting.length === GOSSIP_WAITING_MAX) waiting.shift()
      waiting.push(message)
      return
    }
    if (this.#calls.size >= GOSSIP_CALLS_MAX || this.#closing) return
    this.#calls.set(key, [message])
    this.#endpoint.call(address, message.to.node, { timeoutMs: GOSSIP_CALL_TIMEOUT_MS }).then(
      session => {
        this.adopt(session)
        for (const one of this.#endCall(key)) transmit(session, one)
      },
      (error: unknown) => {
        this.#endCall(key)
        if (!(error instanceof ProtocolError)) throw error
        const refused = error.code === 'not_connected' && error.cause instanceof NetError && error.cause.code === 'refused'
        // Another node at the address proves as much as nobody: the one that was meant is not there.
        this.#hooks.unreachable(message.to, refused || error.code === 'wrong_node' ? 'refused' : 'timed_out')
      },
    )
  }

  #endCall(key: string): Send[] {
    const waiting = this.#calls.get(key) ?? []
    this.#calls.delete(key)
    return waiting
  }
}
