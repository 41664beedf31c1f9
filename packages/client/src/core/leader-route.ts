// The way to the leader. All coordinators are asked at once and the first that says it leads is used, so one that is paused or
// cut off costs nothing. An answer is the only proof of life: a leader that owes one and is silent is asked whether it still
// leads, and when another leads in a later term, what was sent to the old one is given up and sent again to the new.
import type { Clock, Random, Timer } from '@atoll/base'
import { coordinatorStatus, type Deadlines, ProtocolError, type Session } from '@atoll/protocol'
import { type AtollError, listTroubles, type NodeTrouble } from './atoll-error.ts'
import type { CoordinatorStatus, Coordinators, Link, Whereabouts } from './coordinators.ts'
import { LOOK_MS_MAX, LOOK_MS_MIN, PROOF_TIMEOUT_MS, QUIET_MS, QUIET_STREAM_MS, WATCHDOG_MS } from './limits.ts'
import { type Patience, WaitingList } from './waiting-list.ts'

export interface LeaderRouteOptions {
  readonly clock: Clock
  readonly random: Random
  readonly deadlines: Deadlines
  readonly coordinators: Coordinators
  /** Where the cluster is; asked anew when nobody is found, because it may have been started again elsewhere. */
  readonly locate: () => Promise<Whereabouts>
  /** Another cluster is there now: nothing that was agreed upon with the one before is known to it. */
  readonly onAnother: () => void
}

/** Reads on from whoever leads. */
export interface LeaderFollower {
  leaderIs(session: Session): void
}

interface Leader {
  readonly session: Session
  readonly term: number
}

export class LeaderRoute {
  readonly #clock: Clock
  readonly #random: Random
  readonly #coordinators: Coordinators
  readonly #locate: () => Promise<Whereabouts>
  readonly #onAnother: () => void
  readonly #waiting: WaitingList
  #leader: Leader | undefined
  /** The last term in which somebody was known to lead: an older claim is out of date. */
  #term = 0
  #clusters = 0
  #looking = false
  #lookMs = LOOK_MS_MIN
  #timer: Timer | undefined
  #wokenLook: (() => void) | undefined
  /** Calls that wait for an answer of the leader. */
  #busy = 0
  /** Streams that are read from it. */
  readonly #streams = new Set<LeaderFollower>()
  #watchdog: Timer | undefined
  #heardAtMs = 0
  #proving = false
  #unproved: Session | undefined
  #closed: AtollError | undefined
  /** Why the cluster could not even be located. */
  #lost: unknown

  constructor({ clock, random, deadlines, coordinators, locate, onAnother }: LeaderRouteOptions) {
    this.#clock = clock
    this.#random = random
    this.#coordinators = coordinators
    this.#locate = locate
    this.#onAnother = onAnother
    this.#waiting = new WaitingList(clock, deadlines)
  }

  /** The leader as far as is known; undefined when it has to be waited for. */
  get session(): Session | undefined {
    const session = this.#leader?.session
    return session?.isOpen === true ? session : undefined
  }

  /** How often another cluster was found where one had been. Numbers of leases, sessions and revisions mean nothing across that. */
  get clusters(): number {
    return this.#clusters
  }

  get troubles(): readonly NodeTrouble[] {
    return this.#coordinators.troubles()
  }

  /** Resolves once a leader is known. Rejects with a ProtocolError or an AtollError when the caller's patience ends first. */
  async wait(patience: Patience): Promise<Session> {
    for (;;) {
      if (this.#closed !== undefined) throw this.#closed
      const { session } = this
      if (session !== undefined) return session
      // In the queue first: nobody looks for what nobody waits for.
      const turn = this.#waiting.wait(patience)
      this.#look()
      await turn
    }
  }

  /** A call begins to wait for an answer. */
  began(): void {
    if (this.#busy++ === 0) this.#watch()
  }

  ended(): void {
    this.#busy--
  }

  /** A stream begins to be read. */
  streamBegan(stream: LeaderFollower): void {
    this.#streams.add(stream)
    this.#watch()
  }

  streamEnded(stream: LeaderFollower): void {
    this.#streams.delete(stream)
  }

  /** The leader answered something. */
  heard(session: Session): void {
    if (session === this.#leader?.session) this.#heardAtMs = this.#clock.monotonicMs()
  }

  /** `session` is not the way to the leader any more. */
  left(session: Session): void {
    if (session !== this.#leader?.session) return
    this.#leader = undefined
    this.#lookMs = LOOK_MS_MIN
  }

  close(error: AtollError): void {
    this.#closed = error
    this.#timer?.cancel()
    this.#watchdog?.cancel()
    this.#wokenLook?.()
    this.#waiting.refuseAll(error)
  }

  /** What stood in the way, for the error of a call whose time is up. */
  describe(): string {
    if (this.#lost instanceof Error) return this.#lost.message
    const { troubles } = this
    return troubles.length === 0 ? 'the coordinators did not answer in time' : listTroubles(troubles)
  }

  /** Looks for the leader until it is found or nobody waits any more. */
  #look(): void {
    if (this.#looking) return
    this.#looking = true
    this.#lookMs = LOOK_MS_MIN
    void this.#lookOn()
  }

  async #lookOn(): Promise<void> {
    while (this.#closed === undefined && this.#wanted) {
      const found = await this.#locateAnew()
      if (this.#isClosed) break
      if (found) for (const link of this.#coordinators.links) if (!link.asked) void this.#ask(link)
      const pauseMs = this.#lookMs * (0.5 + this.#random.float())
      this.#lookMs = Math.min(LOOK_MS_MAX, 2 * this.#lookMs)
      await new Promise<void>(resolve => {
        this.#wokenLook = resolve
        this.#timer = this.#clock.after(pauseMs, resolve)
      })
      this.#timer?.cancel()
    }
    this.#looking = false
  }

  get #isClosed(): boolean {
    return this.#closed !== undefined
  }

  /** Somebody waits for a leader that is not there, or that is doubted. */
  get #wanted(): boolean {
    return (this.session === undefined && this.#waiting.size > 0) || (this.#doubted && this.#needed)
  }

  /** It was asked for a proof of life and gave none. */
  get #doubted(): boolean {
    return this.session !== undefined && this.#unproved === this.session
  }

  get #needed(): boolean {
    return this.#busy > 0 || this.#streams.size > 0
  }

  async #locateAnew(): Promise<boolean> {
    try {
      const whereabouts = await this.#locate()
      if (!this.#isClosed && this.#coordinators.locate(whereabouts)) this.#beginAnew()
      this.#lost = undefined
      return true
    } catch (error) {
      this.#lost = error
      // There is nothing to wait for: whoever asks again later may find it.
      this.#waiting.refuseAll(error as Error)
      return false
    }
  }

  /** Terms begin anew, too. */
  #beginAnew(): void {
    this.#clusters++
    this.#term = 0
    this.#leader = undefined
    this.#unproved = undefined
    this.#onAnother()
  }

  async #ask(link: Link): Promise<void> {
    try {
      const status = await this.#coordinators.ask(link)
      if (link.session !== undefined) this.#consider(link.session, status)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      // Kept with the link: it is what a caller is told if nobody helps.
    }
  }

  #consider(session: Session, { leader, node, term }: CoordinatorStatus): void {
    if (this.#isClosed || leader !== node || term < this.#term) return
    const before = this.#leader
    if (before !== undefined && before.session !== session) {
      if (before.session.isOpen && before.term === term) return
      // What waits there for an answer has to be asked again, and soon.
      before.session.destroy(new ProtocolError('connection_lost', `${session.peer.node} leads now`))
    }
    this.#term = term
    this.#leader = { session, term }
    this.#heardAtMs = this.#clock.monotonicMs()
    this.#unproved = undefined
    for (const stream of this.#streams) stream.leaderIs(session)
    this.#waiting.wakeAll()
    this.#wokenLook?.()
  }

  /** While somebody waits for something, a silence is looked into: soon for a call, less often for streams alone. */
  #watch(): void {
    if (this.#watchdog !== undefined || this.#isClosed) return
    this.#watchdog = this.#clock.after(WATCHDOG_MS, () => {
      this.#watchdog = undefined
      if (!this.#needed) return
      const { session } = this
      const quietMs = this.#clock.monotonicMs() - this.#heardAtMs
      if (session !== undefined && quietMs > (this.#busy > 0 ? QUIET_MS : QUIET_STREAM_MS)) void this.#prove(session)
      this.#watch()
    })
  }

  async #prove(session: Session): Promise<void> {
    if (this.#proving) return
    this.#proving = true
    try {
      const { leader, node } = await session.request(coordinatorStatus, {}, { timeoutMs: PROOF_TIMEOUT_MS })
      if (leader === node) {
        this.#unproved = undefined
        this.heard(session)
      } else session.destroy(new ProtocolError('connection_lost', `${node} does not lead any more`))
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#unproved = session
      this.#look()
    } finally {
      this.#proving = false
    }
  }
}
