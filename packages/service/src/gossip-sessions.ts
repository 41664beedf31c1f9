// The connections gossip travels on: its own, so that no bulk frame delays a sign of life. One that a peer opened for
// its gossip is used for ours too. Messages to a member without a connection wait, a few, while one is made.
// The end of a connection makes the core look after the member, so one that is merely not needed any more is retired: its
// last message says so, the peer sends what it had queued and ends it, and neither side takes that for news.
import { formatEndpoint, NetError, type NodeId } from '@atoll/base'
import { type ErrorCode, type NativeEndpoint, ProtocolError, type Session } from '@atoll/protocol'
import type { Send } from '@atoll/swim'
import { sayUnused, transmit } from './gossip-messages.ts'
import { GOSSIP_CALL_TIMEOUT_MS, GOSSIP_CALLS_MAX, GOSSIP_RETIRED_MAX, GOSSIP_SESSIONS_MAX, GOSSIP_WAITING_MAX } from './limits.ts'

/** What no waiting mends: somebody has to look at it. */
const TURNED_AWAY: ReadonlySet<string> = new Set<ErrorCode>(['wrong_cluster', 'wrong_secret', 'unsupported_version'])

export interface GossipSessionsHooks {
  /** A message could not be delivered: nobody listens there, or anything else. */
  unreachable(to: Send['to'], how: 'refused' | 'timed_out'): void
  /** A process at `address` would not have us, or we not it: another cluster, secret or version. */
  turnedAway(address: string, error: ProtocolError): void
  /** The last connection to or from the member is over, and not because it was retired. */
  closed(node: NodeId): void
}

export class GossipSessions {
  readonly #self: NodeId
  readonly #endpoint: NativeEndpoint
  readonly #hooks: GossipSessionsHooks
  readonly #sessionsMax: number
  /** The connection used for each member, least recently used first. */
  readonly #byNode = new Map<NodeId, Session>()
  /** All that carry gossip, and whether this side called. */
  readonly #inUse = new Map<Session, { readonly called: boolean }>()
  /** Given up by either side, oldest first; what still arrives on them is heard. */
  readonly #retired = new Set<Session>()
  /** Messages that wait for a call, by address. */
  readonly #calls = new Map<string, Send[]>()
  #closing = false

  constructor(self: NodeId, endpoint: NativeEndpoint, hooks: GossipSessionsHooks, sessionsMax = GOSSIP_SESSIONS_MAX) {
    this.#self = self
    this.#endpoint = endpoint
    this.#hooks = hooks
    this.#sessionsMax = sessionsMax
  }

  /** Open connections, and calls under way. */
  get counts(): { readonly sessions: number; readonly calls: number } {
    return { sessions: this.#inUse.size + this.#retired.size, calls: this.#calls.size }
  }

  /** Sends over an open connection, or over one that is made for it. */
  send(message: Send): void {
    const { node, address } = message.to
    const session = node === undefined ? undefined : this.#byNode.get(node)
    if (session?.isOpen) {
      this.#use(session)
      transmit(session, message)
    } else if (address !== undefined) this.#call(message, address)
  }

  /** Gossip came by `session`: remember it, as the most recently used. */
  adopt(session: Session): void {
    if (this.#inUse.has(session)) this.#use(session)
    else if (!this.#retired.has(session)) this.#begin(session, false)
  }

  /** The peer sends nothing more over `session`. */
  unusedByPeer(session: Session): void {
    if (this.#inUse.has(session)) this.#giveUp(session)
    session.end()
  }

  close(): void {
    this.#closing = true
  }

  #begin(session: Session, called: boolean): void {
    const { node } = session.peer
    if (node === this.#self) {
      // Our own address was among the seeds: both ends are here.
      session.end()
      return
    }
    const before = this.#byNode.get(node)
    this.#inUse.set(session, { called })
    void session.closed.then(() => this.#forget(session))
    this.#use(session)
    if (before?.isOpen) this.#settleDuplicate(before, session)
    if (this.#inUse.size > this.#sessionsMax) {
      const [leastRecent] = this.#byNode.values()
      if (leastRecent !== undefined) this.#retire(leastRecent)
    }
  }

  #use(session: Session): void {
    const { node } = session.peer
    this.#byNode.delete(node)
    this.#byNode.set(node, session)
  }

  /**
   * Two members that called each other at once have two connections. The one with the greater name gives its own up, and
   * only while it sees the other one work, so that never both are given up and never the one that works.
   */
  #settleDuplicate(before: Session, session: Session): void {
    const ours = [before, session].filter(one => this.#inUse.get(one)?.called)
    const [first] = ours
    if (first !== undefined && (ours.length === 2 || this.#self > session.peer.node)) this.#retire(first)
  }

  /** Stops using `session`; the peer ends it once it has sent what it had queued. */
  #retire(session: Session): void {
    sayUnused(session)
    this.#giveUp(session)
    if (this.#retired.size <= GOSSIP_RETIRED_MAX) return
    // Its peer does not answer: paused, or cut off.
    const [oldest] = this.#retired
    oldest?.end()
  }

  #giveUp(session: Session): void {
    this.#inUse.delete(session)
    this.#retired.add(session)
    this.#replace(session)
  }

  /** Uses another connection of the same member in place of `session`, if there is one. */
  #replace(session: Session): void {
    const { node } = session.peer
    if (this.#byNode.get(node) !== session) return
    this.#byNode.delete(node)
    for (const other of this.#inUse.keys()) if (other.peer.node === node && other.isOpen) this.#byNode.set(node, other)
  }

  #forget(session: Session): void {
    if (this.#retired.delete(session)) return
    this.#inUse.delete(session)
    this.#replace(session)
    const { node } = session.peer
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
        for (const one of this.#endCall(key)) transmit(session, one)
        this.#begin(session, true)
      },
      (error: unknown) => {
        this.#endCall(key)
        if (!(error instanceof ProtocolError)) throw error
        if (TURNED_AWAY.has(error.code)) this.#hooks.turnedAway(formatEndpoint(address), error)
        this.#hooks.unreachable(message.to, provesAbsence(error) ? 'refused' : 'timed_out')
      },
    )
  }

  #endCall(key: string): Send[] {
    const waiting = this.#calls.get(key) ?? []
    this.#calls.delete(key)
    return waiting
  }
}

/**
 * Whether the member that was called is certainly not at the address: nobody listens there, or somebody else does. An
 * address has one listener, so whoever says there that it is another node has taken the place of the one that is meant;
 * no proof of its word is needed for that. A foreign cluster's answer would prove as much, but is left as doubt.
 */
function provesAbsence(error: ProtocolError): boolean {
  if (error.code === 'wrong_node') return true
  return error.code === 'not_connected' && error.cause instanceof NetError && error.cause.code === 'refused'
}
