// Drives the SWIM core on the ports: what comes in becomes inputs, what it wants becomes messages, and exactly one timer
// is set. The core decides; nothing here does.
import type { Clock, Incarnation, Logger, NodeId, Random, Timer } from '@atoll/base'
import type { gossipConversation, HandlersOf, NativeEndpoint, ProtocolError, Session } from '@atoll/protocol'
import {
  type Address,
  type Input,
  type MemberMeta,
  type MemberView,
  Swim,
  type SwimEvent,
  type SwimMessage,
  type SwimSettings,
} from '@atoll/swim'
import { gossipHandlers } from './gossip-messages.ts'
import { GossipSessions } from './gossip-sessions.ts'
import { TICK_MS_MIN, TURNED_AWAY_LOG_INTERVAL_MS } from './limits.ts'
import type { Counter, Metrics } from './metrics.ts'

export interface GossipAgentOptions {
  readonly node: NodeId
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: Metrics
  readonly settings: SwimSettings
}

/** What is to be done to the core; the agent adds the time. */
type TimelessInput = Input extends infer I ? (I extends Input ? Omit<I, 'nowMs'> : never) : never

export class GossipAgent {
  /** What the process must serve for gossip to arrive. */
  readonly handlers: HandlersOf<typeof gossipConversation>
  readonly #options: GossipAgentOptions
  readonly #listeners = new Set<(event: SwimEvent) => void>()
  readonly #received: Counter
  readonly #sent: Counter
  #core: Swim | undefined
  #sessions: GossipSessions | undefined
  #timer: Timer | undefined
  #wakeAtMs: number | undefined
  /** Until when a reason to be turned away is not logged again. */
  readonly #quietUntilMs = new Map<string, number>()
  #leaving: Promise<void> | undefined
  #stopped = false

  constructor(options: GossipAgentOptions) {
    this.#options = options
    this.#received = options.metrics.counter('atoll_gossip_messages_received_total', 'Gossip messages received.')
    this.#sent = options.metrics.counter('atoll_gossip_messages_sent_total', 'Gossip messages sent or queued.')
    options.metrics.gauge('atoll_gossip_connections_count', 'Gossip connections open.', () => this.#sessions?.counts.sessions ?? 0)
    options.metrics.gauge(
      'atoll_gossip_local_health_ratio',
      'How slow this process takes itself to be: 0 is healthy, 1 is worst.',
      () => (this.#core?.localHealth ?? 0) / 7,
    )
    options.metrics.gauges('atoll_members_count', 'Members by what this process believes of them.', 'state', () => this.#countStates())
    this.handlers = gossipHandlers(
      (message, from, session) => this.#receive(message, from, session),
      session => this.#sessions?.unusedByPeer(session),
    )
  }

  /** Begins to gossip as the member that `meta` describes, over connections of `endpoint`. */
  start(endpoint: NativeEndpoint, meta: MemberMeta): void {
    const { node, clock, random, settings } = this.#options
    this.#core = new Swim({ node, meta, settings, random, nowMs: clock.monotonicMs() })
    this.#sessions = new GossipSessions(node, endpoint, {
      unreachable: (to, how) => this.#step({ kind: 'unreachable', to, how }),
      turnedAway: (address, error) => this.#logTurnedAway(address, error),
      closed: closedNode => this.#step({ kind: 'connection_closed', node: closedNode }),
    })
    this.#step({ kind: 'tick' })
  }

  /** This process's own incarnation. */
  get incarnation(): Incarnation {
    return (this.#core?.self.incarnation ?? 0) as Incarnation
  }

  /** This process and every member it knows, the dead and departed included until they are forgotten. */
  members(): MemberView[] {
    return this.#core === undefined ? [] : [this.#core.self, ...this.#core.members()]
  }

  /** Calls `listener` for every change of a member. */
  onEvent(listener: (event: SwimEvent) => void): void {
    this.#listeners.add(listener)
  }

  join(seeds: readonly Address[]): void {
    this.#step({ kind: 'join', seeds })
  }

  /** The process noticed that nothing ran for `stalledMs`, up to now. The core may have noticed too, and counts it once. */
  stalled(stalledMs: number): void {
    this.#step({ kind: 'stalled', stalledMs })
  }

  loadChanged(loadPercent: number): void {
    this.#step({ kind: 'load_changed', loadPercent })
  }

  /** Says farewell; resolves when it is spread as far as it will be. */
  leave(): Promise<void> {
    if (this.#core === undefined || this.#stopped) return Promise.resolve()
    this.#leaving ??= new Promise(resolve => {
      this.onEvent(event => {
        if (event.kind === 'farewell_said') resolve()
      })
      this.#step({ kind: 'leave' })
    })
    return this.#leaving
  }

  /** Gossips no more. What it believed last can still be asked for. */
  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#sessions?.close()
  }

  #receive(message: SwimMessage, from: NodeId, session: Session): void {
    // A client is nobody's member, whatever it says.
    if (session.peer.role === 'client' || this.#stopped) return
    this.#received.add()
    this.#sessions?.adopt(session)
    this.#step({ kind: 'message', from, message })
  }

  #step(input: TimelessInput): void {
    if (this.#core === undefined || this.#sessions === undefined || this.#stopped) return
    const { sends, events, wakeAtMs } = this.#core.step({ ...input, nowMs: this.#options.clock.monotonicMs() } as Input)
    this.#setTimer(wakeAtMs)
    for (const send of sends) {
      this.#sent.add()
      this.#sessions.send(send)
    }
    for (const event of events) {
      this.#logEvent(event)
      for (const listener of this.#listeners) listener(event)
    }
  }

  /** One timer, set anew only when it is due at another time: most messages change nothing. */
  #setTimer(wakeAtMs: number | undefined): void {
    if (wakeAtMs === this.#wakeAtMs && this.#timer !== undefined) return
    this.#timer?.cancel()
    this.#wakeAtMs = wakeAtMs
    this.#timer = undefined
    if (wakeAtMs === undefined) return
    this.#timer = this.#options.clock.after(Math.max(TICK_MS_MIN, wakeAtMs - this.#options.clock.monotonicMs()), () => {
      this.#timer = undefined
      this.#step({ kind: 'tick' })
    })
  }

  #countStates(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const { state } of this.members()) counts.set(state, (counts.get(state) ?? 0) + 1)
    return counts
  }

  /** It is tried again and again, and fails the same way: said once a minute per reason. */
  #logTurnedAway(address: string, { code, message }: ProtocolError): void {
    const { clock, log } = this.#options
    const nowMs = clock.monotonicMs()
    if (nowMs < (this.#quietUntilMs.get(code) ?? Number.NEGATIVE_INFINITY)) return
    this.#quietUntilMs.set(code, nowMs + TURNED_AWAY_LOG_INTERVAL_MS)
    log.warn({ event: 'turned_away', address, code, reason: message }, 'no connection for gossip: this does not mend by itself')
  }

  #logEvent(event: SwimEvent): void {
    const { log } = this.#options
    if (event.kind === 'refuted_self')
      log.warn(
        { event: event.kind, claimed: event.claimed, by: event.by, incarnation: event.incarnation },
        'contradicted a claim about this node',
      )
    else if (event.kind === 'own_stall')
      log.info({ event: event.kind, stalledMs: Math.round(event.stalledMs) }, 'gossip concludes nothing until it has looked again')
    else if (event.kind === 'joined') log.info({ event: event.kind, members: event.members }, 'joined the cluster')
    else if (event.kind === 'member_forgotten') log.info({ event: event.kind, member: event.node }, 'forgot a member')
    else if (event.kind === 'farewell_said') log.info({ event: event.kind }, 'said farewell')
    else {
      const { member, previous } = event
      const level =
        event.kind === 'member_dead' || event.kind === 'member_suspect' ? 'warn' : event.kind === 'member_updated' ? 'debug' : 'info'
      log[level](
        { event: event.kind, member: member.node, previous, incarnation: member.incarnation, by: member.by, refused: member.refused },
        `a member is ${event.kind === 'member_updated' ? 'updated' : member.state}`,
      )
    }
  }
}
