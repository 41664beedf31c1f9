// A request of the peer's, from its arrival to its answer: what a handler may know of it, and how it is given up.
import type { Incarnation, NodeId } from '@atoll/base'
import type { Deadlines, Expiring } from './deadlines.ts'
import { ProtocolError } from './errors.ts'

/** Who is on the other side, as its hello proved. */
export interface Peer {
  /** A node’s name, or the name a client chose for itself. */
  readonly node: NodeId
  /** `client` for whoever is no node. */
  readonly role: string
  readonly incarnation: Incarnation
  /** The protocol version both sides speak. */
  readonly version: number
  /** Address, for logs. */
  readonly remote: string
}

/** What a handler may know of the request it answers. */
export interface RequestContext {
  readonly peer: Peer
  /** Milliseconds left until the caller gives up; Infinity for a stream without a deadline. */
  remainingMs(): number
  /** Aborts when the caller gives up, its deadline passes or the connection ends. Made when first asked for. */
  readonly signal: AbortSignal
}

export class ServedRequest implements RequestContext, Expiring {
  readonly peer: Peer
  readonly #deadlines: Deadlines
  readonly #nowMs: () => number
  readonly #deadlineAtMs: number
  #controller: AbortController | undefined
  #answered = false
  #givenUp: ProtocolError | undefined
  expireAtMs = 0
  list: Expiring['list'] = undefined
  before: Expiring | undefined = undefined
  after: Expiring | undefined = undefined

  /** `deadlineMs` is what the caller said remains; 0 means none. */
  constructor(peer: Peer, deadlines: Deadlines, nowMs: () => number, deadlineMs: number) {
    this.peer = peer
    this.#deadlines = deadlines
    this.#nowMs = nowMs
    this.#deadlineAtMs = deadlineMs === 0 ? Number.POSITIVE_INFINITY : nowMs() + deadlineMs
  }

  remainingMs(): number {
    return Math.max(0, this.#deadlineAtMs - this.#nowMs())
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#givenUp !== undefined) this.#controller.abort(this.#givenUp)
      else if (!this.#answered && Number.isFinite(this.#deadlineAtMs)) this.#deadlines.add(this, this.remainingMs())
    }
    return this.#controller.signal
  }

  expire(): void {
    this.giveUp(new ProtocolError('request_timed_out', 'the caller’s deadline passed'))
  }

  /** Nobody waits for the answer any more. */
  giveUp(error: ProtocolError): void {
    if (this.#givenUp !== undefined || this.#answered) return
    this.#givenUp = error
    this.#deadlines.remove(this)
    this.#controller?.abort(error)
  }

  /** The answer is on its way: the deadline has nothing left to do. */
  answered(): void {
    this.#answered = true
    this.#deadlines.remove(this)
  }
}
