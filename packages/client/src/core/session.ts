// The session that makes retries of changes take effect once. It is opened by the first change, kept alive while it is used,
// and opened anew when it ended: only requests whose fate is not known then fail, because nobody can tell it any more.
import type { Clock } from '@atoll/base'
import { type Deadlines, type LeaseId, leaseRevoke, type RequestOf, type ResponseOf, type Rpc, sessionOpen } from '@atoll/protocol'
import { AtollError } from './atoll-error.ts'
import type { LeaseKeeper } from './lease-keeper.ts'
import { CALLS_MAX, FAREWELL_MS, SESSION_RING, SESSION_TTL_MS, SESSION_WINDOW } from './limits.ts'
import type { Call, CallOptions, Requests } from './requests.ts'
import { WaitingList } from './waiting-list.ts'

/** The numbers that make a request happen once. */
interface Numbers {
  session: LeaseId
  sequence: number
  answeredBelow: number
}
/** A request that changes something, as its caller makes it. */
export type Changing<M extends Rpc> = Omit<RequestOf<M>, keyof Numbers>

/** Whoever asks without a session. */
export const unnumbered: Readonly<Numbers> = { session: 0 as LeaseId, sequence: 0, answeredBelow: 0 }

/** One session and which of its sequences are settled: all below `answeredBelow`, and those marked in the ring. */
class OpenSession {
  readonly session: LeaseId
  readonly #settled = new Array<boolean>(SESSION_RING).fill(false)
  #next = 1
  #answeredBelow = 1
  /** When it was last known to be in use. */
  #usedAtMs: number
  #used = false

  constructor(session: LeaseId, nowMs: number) {
    this.session = session
    this.#usedAtMs = nowMs
  }

  /** Nothing was asked in it for a whole term. Asked now and then. */
  rests(nowMs: number): boolean {
    if (this.#used || this.#next > this.#answeredBelow) this.#usedAtMs = nowMs
    this.#used = false
    return nowMs - this.#usedAtMs >= SESSION_TTL_MS
  }

  get answeredBelow(): number {
    return this.#answeredBelow
  }

  get full(): boolean {
    return this.#next - this.#answeredBelow >= SESSION_WINDOW
  }

  take(): number {
    this.#used = true
    return this.#next++
  }

  /** Nobody will ask with this sequence again. */
  settle(sequence: number): void {
    this.#settled[sequence % SESSION_RING] = true
    while (this.#settled[this.#answeredBelow % SESSION_RING] === true) {
      this.#settled[this.#answeredBelow % SESSION_RING] = false
      this.#answeredBelow++
    }
  }
}

/** A place in the window of a session. */
interface Entrance {
  readonly open: OpenSession
  readonly sequence: number
}

export interface ChangesOptions {
  readonly clock: Clock
  readonly deadlines: Deadlines
  readonly requests: Requests
  readonly keeper: LeaseKeeper
  /** `none`: a change whose fate is not known is not repeated, and its call fails as indefinite. */
  readonly session: 'exactly_once' | 'none'
}

export class Changes {
  readonly #clock: Clock
  readonly #requests: Requests
  readonly #keeper: LeaseKeeper
  readonly #exactlyOnce: boolean
  /** Callers that wait for a session, or for room in its window. */
  readonly #window: WaitingList
  #open: OpenSession | undefined
  #opening = false

  constructor({ clock, deadlines, requests, keeper, session }: ChangesOptions) {
    this.#clock = clock
    this.#requests = requests
    this.#keeper = keeper
    this.#exactlyOnce = session === 'exactly_once'
    this.#window = new WaitingList(clock, deadlines)
  }

  /** Sends a change until it is answered; it takes effect once. Rejects with an AtollError. */
  async change<M extends Rpc>(message: M, request: Changing<M>, options?: CallOptions): Promise<ResponseOf<M>> {
    const call = this.#requests.begin(message.name, true, options)
    const numbered = { ...request, ...unnumbered } as RequestOf<M> & Numbers
    if (!this.#exactlyOnce) return this.#requests.ask(call, message, numbered, 'once')
    for (;;) {
      const { open, sequence } = this.#tryEnter() ?? (await this.#enter(call))
      numbered.session = open.session
      numbered.sequence = sequence
      try {
        return await this.#requests.ask(call, message, numbered, 'repeatable', open)
      } catch (error) {
        if (!(error instanceof AtollError) || error.code !== 'session_expired') throw error
        this.#forget(open)
        // With an earlier try adrift nobody can tell whether it took effect. Otherwise none did: once more, in a new session.
        if (call.adrift) throw error
      } finally {
        open.settle(sequence)
        this.#window.wakeOne()
      }
    }
  }

  /** Ends the session, so that the coordinators need not wait for its term. */
  async close(error: AtollError): Promise<void> {
    this.refuseWaiting(error)
    const open = this.#open
    if (open === undefined) return
    this.#forget(open)
    const call = this.#requests.begin(leaseRevoke.name, true, { timeoutMs: FAREWELL_MS })
    await this.#requests.ask(call, leaseRevoke, { ...unnumbered, lease: open.session }, 'repeatable')
  }

  /** Whoever waits for a session or its window is told that there will be none. */
  refuseWaiting(error: AtollError): void {
    this.#window.refuseAll(error)
  }

  #tryEnter(): Entrance | undefined {
    const open = this.#open
    return open === undefined || open.full ? undefined : { open, sequence: open.take() }
  }

  /** Waits for a session with room in its window. */
  async #enter(call: Call): Promise<Entrance> {
    if (this.#window.size >= CALLS_MAX)
      throw new AtollError('too_many_requests', `${call.operation}: ${CALLS_MAX} changes wait for their turn: await some first`, call)
    try {
      for (;;) {
        const turn = this.#window.wait(call)
        if (this.#open === undefined) void this.#openAnew()
        await turn
        // Taken in the same step as it was found free: whoever is woken with this one must find it taken.
        const entrance = this.#tryEnter()
        if (entrance !== undefined) return entrance
      }
    } catch (error) {
      throw this.#requests.explained(call, error)
    }
  }

  /** One caller's need opens it for all; each waits no longer than it wants to. */
  async #openAnew(): Promise<void> {
    if (this.#opening) return
    this.#opening = true
    try {
      const sentAtMs = this.#clock.monotonicMs()
      const { session } = await this.#requests.read(sessionOpen, { ttlMs: SESSION_TTL_MS })
      const open = new OpenSession(session, sentAtMs)
      this.#open = open
      const kept = { lease: session, ttlMs: SESSION_TTL_MS, isWanted: () => this.#isWanted(open), ended: () => this.#forget(open) }
      this.#keeper.keep(kept, sentAtMs)
      this.#window.wakeAll()
    } catch (error) {
      // Those with a later deadline try once more; the others have met theirs.
      if (error instanceof AtollError && error.retriable && !this.#requests.isClosed) this.#window.wakeAll()
      else this.#window.refuseAll(error as Error)
    } finally {
      this.#opening = false
    }
  }

  /** One that rested for a term is let go; the next change opens another. */
  #isWanted(open: OpenSession): boolean {
    if (!open.rests(this.#clock.monotonicMs())) return true
    this.#forget(open)
    return false
  }

  #forget(open: OpenSession): void {
    if (this.#open !== open) return
    this.#open = undefined
    this.#keeper.release(open.session)
    this.#window.wakeAll()
  }
}
