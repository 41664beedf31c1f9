// The rules that concern this process, and the connections they concern. A rule finds a connection once its peer has a
// name; connections without one (clients, peers before their hello) suffer nothing.
import type { LinkFault, LinkFaults, LinkRule, NodeId } from '@atoll/base'
import { assert, faultOn, present, Throttle } from '@atoll/base'

const RULES_MAX = 4_096

/** What a connection is told of the links to and from its peer. */
export interface LinkState {
  /** The fault on bytes to the peer. */
  readonly outgoing: LinkFault | undefined
  /** Bytes from the peer are to be left in the kernel. */
  readonly incomingCut: boolean
}

export interface FaultyConnection {
  applyLink(state: LinkState): void
  /** Breaks the connection as a TCP reset does. */
  resetByFault(): void
}

interface PeerLinks {
  state: LinkState
  /** Bandwidth belongs to the link, so that all connections over it share one. */
  readonly throttle: Throttle
  readonly connections: Set<FaultyConnection>
}

export class LinkTable implements LinkFaults {
  readonly #self: NodeId
  readonly #peers = new Map<NodeId, PeerLinks>()
  readonly #ruleWaiters = new Set<() => void>()
  #rules: readonly LinkRule[] = []

  constructor(self: NodeId) {
    this.#self = self
  }

  get rules(): readonly LinkRule[] {
    return this.#rules
  }

  replaceRules(rules: readonly LinkRule[]): void {
    assert(rules.length <= RULES_MAX, 'at most 4,096 link rules')
    this.#rules = [...rules]
    for (const [peer, links] of this.#peers) {
      links.state = this.state(peer)
      // A cut link carries no reset either: it takes effect when the cut is gone and the rule is still there.
      const reset = links.state.outgoing?.reset === true && links.state.outgoing.cut !== true
      for (const connection of links.connections) {
        connection.applyLink(links.state)
        if (reset) connection.resetByFault()
      }
    }
    for (const retry of this.#ruleWaiters) retry()
  }

  state(peer: NodeId): LinkState {
    return {
      outgoing: faultOn(this.#rules, this.#self, peer),
      incomingCut: faultOn(this.#rules, peer, this.#self)?.cut === true,
    }
  }

  /** True when a connection to `peer` cannot come about: its handshake needs both directions. */
  isCut(peer: NodeId): boolean {
    const { outgoing, incomingCut } = this.state(peer)
    return incomingCut || outgoing?.cut === true
  }

  /** Tells `connection` of the links to and from `peer`: as they are now, and at every change. */
  attach(peer: NodeId, connection: FaultyConnection): void {
    let links = this.#peers.get(peer)
    if (links === undefined) {
      links = { state: this.state(peer), throttle: new Throttle(), connections: new Set() }
      this.#peers.set(peer, links)
    }
    links.connections.add(connection)
    connection.applyLink(links.state)
  }

  /** The throttle of the link to a peer that some connection is attached for. */
  throttle(peer: NodeId): Throttle {
    return present(this.#peers.get(peer), 'links of an attached peer').throttle
  }

  detach(peer: NodeId, connection: FaultyConnection): void {
    const links = this.#peers.get(peer)
    links?.connections.delete(connection)
    if (links?.connections.size === 0) this.#peers.delete(peer)
  }

  /** Calls `retry` after each change of rules until the answered function is called. */
  onReplaced(retry: () => void): () => void {
    this.#ruleWaiters.add(retry)
    return () => this.#ruleWaiters.delete(retry)
  }
}
