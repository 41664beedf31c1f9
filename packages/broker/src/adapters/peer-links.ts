// Connections to the other brokers, one each, made when something is to be sent and kept: over it this broker's followers
// fetch from the leaders there. A connection that broke is made anew with the next fetch.
import type { Endpoint, NodeId } from '@atoll/base'
import {
  logDurableEnds,
  logReplicaFetch,
  type MessageOf,
  type NativeEndpoint,
  ProtocolError,
  type RequestOf,
  type ResponseOf,
  type Session,
} from '@atoll/protocol'
import { LINK_CONNECT_MS } from '../limits.ts'
import type { BrokerLinks } from '../partition-host.ts'

export interface PeerLinksOptions {
  readonly endpoint: Pick<NativeEndpoint, 'call'>
  /** Where a broker is reached, if that is known. */
  readonly addressOf: (node: NodeId) => Endpoint | undefined
}

export class PeerLinks implements BrokerLinks {
  readonly #options: PeerLinksOptions
  readonly #sessions = new Map<NodeId, Session>()
  readonly #stopping = new AbortController()

  constructor(options: PeerLinksOptions) {
    this.#options = options
  }

  async fetch(leader: NodeId, request: RequestOf<typeof logReplicaFetch>, timeoutMs: number): Promise<ResponseOf<typeof logReplicaFetch>> {
    const session = this.#sessions.get(leader) ?? (await this.#connect(leader))
    try {
      return await session.request(logReplicaFetch, request, { timeoutMs, signal: this.#stopping.signal })
    } catch (error) {
      // One that does not answer in time may hang for ever, and its address may be another's by now.
      if (error instanceof ProtocolError && error.code === 'request_timed_out') this.#drop(leader, session)
      throw error
    }
  }

  report(leader: NodeId, ends: MessageOf<typeof logDurableEnds>): void {
    this.#sessions.get(leader)?.send(logDurableEnds, ends)
  }

  close(): void {
    this.#stopping.abort()
    for (const session of this.#sessions.values()) session.end()
    this.#sessions.clear()
  }

  async #connect(node: NodeId): Promise<Session> {
    const address = this.#options.addressOf(node)
    if (address === undefined) throw new ProtocolError('not_connected', `nobody knows where ${node} is`)
    const { signal } = this.#stopping
    const session = await this.#options.endpoint.call(address, node, { timeoutMs: LINK_CONNECT_MS, signal })
    const other = this.#sessions.get(node)
    if (other?.isOpen === true) {
      session.end()
      return other
    }
    this.#sessions.set(node, session)
    void session.closed.then(() => {
      if (this.#sessions.get(node) === session) this.#sessions.delete(node)
    })
    return session
  }

  #drop(node: NodeId, session: Session): void {
    if (this.#sessions.get(node) === session) this.#sessions.delete(node)
    session.end()
  }
}
