// A stream that outlives connections and leaders: when it breaks it is asked for again, from where it was. Who reads it sees
// one sequence of items; what makes that one without gap or repeat is in how it is asked for.
import { AbortedError, type Clock, type Random, sleep } from '@atoll/base'
import { type IncomingStream, type ItemOf, ProtocolError, type RequestOf, type Session, type StreamRpc } from '@atoll/protocol'
import { AtollError, atollError } from './atoll-error.ts'
import type { LeaderRoute } from './leader-route.ts'
import { RETRY_MS_MAX, RETRY_MS_MIN, STREAM_STALL_MS } from './limits.ts'
import { isElsewhere, isPassing, type Requests } from './requests.ts'

export interface StreamParts {
  readonly clock: Clock
  readonly random: Random
  readonly route: LeaderRoute
  readonly requests: Requests
}

export interface StreamOptions {
  readonly signal?: AbortSignal | undefined
  /** How long no coordinator may be there before the stream fails, in milliseconds. Default 60,000. */
  readonly stallMs?: number | undefined
}

export class ResumedStream<M extends StreamRpc> implements AsyncDisposable {
  readonly #parts: StreamParts
  readonly #message: M
  readonly #request: () => RequestOf<M>
  readonly #signal: AbortSignal | undefined
  readonly #stallMs: number
  #incoming: IncomingStream<ItemOf<M>> | undefined
  #session: Session | undefined
  /** Since when nothing came although it was asked for; undefined while all is well. */
  #brokenAtMs: number | undefined
  #failures = 0
  /** Which of the clusters that were found it is read from. */
  #cluster: number | undefined
  #over = false

  /** `request` is asked anew for every attempt. */
  constructor(parts: StreamParts, message: M, request: () => RequestOf<M>, options: StreamOptions | undefined) {
    this.#parts = parts
    this.#message = message
    this.#request = request
    this.#signal = options?.signal
    this.#stallMs = options?.stallMs ?? STREAM_STALL_MS
    parts.route.streamBegan(this)
  }

  /**
   * The next item; undefined once the stream was ended from this side, by its signal or with the client. Rejects with an
   * AtollError. One call at a time.
   */
  async next(): Promise<ItemOf<M> | undefined> {
    const { route } = this.#parts
    for (;;) {
      if (this.#hasEnded()) return undefined
      try {
        this.#incoming ??= await this.#open()
        const { value, done } = await this.#incoming.next()
        if (done !== true) {
          if (this.#session !== undefined) route.heard(this.#session)
          this.#brokenAtMs = undefined
          this.#failures = 0
          this.#parts.requests.beforeEach()
          return value
        }
        this.#leave(undefined)
      } catch (error) {
        this.#leave(error)
        if (this.#hasEnded()) return undefined
        if (!this.#mayResume(error)) {
          this.end()
          throw this.#explained(error)
        }
      }
      await this.#pause()
    }
  }

  /** Another coordinator leads: what a deposed one sends, if it still does, may lag behind. */
  leaderIs(session: Session): void {
    if (this.#session !== session) this.#incoming?.giveUp(new ProtocolError('connection_lost', 'another coordinator leads'))
  }

  /** Ends it from this side; may be called again. */
  end(): void {
    if (this.#over) return
    this.#over = true
    this.#incoming?.giveUp(undefined)
    this.#parts.route.streamEnded(this)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end()
  }

  #hasEnded(): boolean {
    if (this.#signal?.aborted === true || this.#parts.requests.isClosed) this.end()
    return this.#over
  }

  async #open(): Promise<IncomingStream<ItemOf<M>>> {
    const { route, clock } = this.#parts
    this.#brokenAtMs ??= clock.monotonicMs()
    const patience = { deadlineAtMs: this.#brokenAtMs + this.#stallMs, signal: this.#signal }
    const session = route.session ?? (await route.wait(patience))
    this.#cluster ??= route.clusters
    if (this.#cluster !== route.clusters)
      throw new ProtocolError('wrong_cluster', 'another cluster is there now: read what it holds, and begin anew')
    this.#session = session
    return session.open(this.#message, this.#request(), { signal: this.#signal })
  }

  #leave(error: unknown): void {
    const session = this.#session
    this.#incoming = undefined
    this.#session = undefined
    this.#failures++
    this.#brokenAtMs ??= this.#parts.clock.monotonicMs()
    if (session !== undefined && error instanceof ProtocolError && isElsewhere(error.code)) this.#parts.route.left(session)
  }

  #mayResume(error: unknown): boolean {
    if (!(error instanceof ProtocolError) || !(isPassing(error.code) || error.code === 'slow_watcher')) return false
    return this.#parts.clock.monotonicMs() - (this.#brokenAtMs ?? 0) < this.#stallMs
  }

  /** The first time it is asked for again at once. */
  async #pause(): Promise<void> {
    if (this.#failures <= 1) return
    const { clock, random } = this.#parts
    const pauseMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** this.#failures) * (0.5 + random.float())
    try {
      await sleep(clock, pauseMs, this.#signal)
    } catch (error) {
      // The signal ends the stream, which the next look finds.
      if (!(error instanceof AbortedError)) throw error
    }
  }

  #explained(error: unknown): unknown {
    const { name: operation } = this.#message
    if (!(error instanceof ProtocolError)) return error
    if (!isPassing(error.code)) return atollError(error, { operation, attempts: this.#failures, outcome: 'definite' })
    const { route } = this.#parts
    return new AtollError('not_connected', `${operation}: no coordinator for ${this.#stallMs} ms (${route.describe()})`, {
      operation,
      attempts: this.#failures,
      outcome: 'definite',
      troubles: route.troubles,
      cause: error,
    })
  }
}
