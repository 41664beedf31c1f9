// One call, from its start to its answer: sent to the leader, and sent again for as long as its deadline allows when that is
// safe. Reads are always safe. What changes something is safe when it was certainly not done, or when it belongs to a session,
// whose coordinator then gives the answer of the first time (Raft dissertation section 6.3).
import { type Clock, type Random, sleep } from '@atoll/base'
import { type ErrorCode, type Outcome, ProtocolError, type RequestOf, type ResponseOf, type Rpc, type Session } from '@atoll/protocol'
import { AtollError, atollError, type NodeTrouble } from './atoll-error.ts'
import type { LeaderRoute } from './leader-route.ts'
import { CALL_TIMEOUT_MS, CALL_TIMEOUT_MS_MAX, CALLS_MAX, RETRY_MS_MAX, RETRY_MS_MIN } from './limits.ts'
import type { Patience } from './waiting-list.ts'

export interface CallOptions {
  /** How long the call may take in all, retries included, in milliseconds. Default 5,000. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Whether a request may be sent again when it is not known what became of it. */
export type Repeatable = 'repeatable' | 'once'

/** A refusal that is over by itself, or elsewhere. */
const passing: ReadonlySet<ErrorCode> = new Set([
  'not_leader',
  'no_leader',
  'leadership_lost',
  'too_many_requests',
  'session_busy',
  'shutting_down',
  'not_connected',
  'connection_lost',
  'request_timed_out',
  'answer_dropped',
  'bad_frame',
  'bad_checksum',
  'slow_peer',
])
/** Refusals after which another coordinator has to be asked. */
const elsewhere: ReadonlySet<ErrorCode> = new Set(['not_leader', 'no_leader', 'leadership_lost', 'shutting_down'])

export const isPassing = (code: ErrorCode): boolean => passing.has(code)
export const isElsewhere = (code: ErrorCode): boolean => elsewhere.has(code)

/** Tells the coordinator which answers have arrived, as of each attempt. */
export interface Numbering {
  readonly answeredBelow: number
}

/** The story of one call, for its error. */
export interface Call extends Patience {
  readonly operation: string
  attempts: number
  /** An attempt went out whose fate is not known. */
  adrift: boolean
  readonly changes: boolean
}

export interface RequestsOptions {
  readonly clock: Clock
  readonly random: Random
  readonly route: LeaderRoute
  /** Called before anything is asked and before any answer is handed on: what has run out is given up first. */
  readonly beforeEach: () => void
}

export class Requests {
  readonly #clock: Clock
  readonly #random: Random
  readonly #route: LeaderRoute
  /** What has to be done before anything else is, after a pause above all. */
  readonly beforeEach: () => void
  #underWay = 0
  #closed: AtollError | undefined

  constructor({ clock, random, route, beforeEach }: RequestsOptions) {
    this.#clock = clock
    this.#random = random
    this.#route = route
    this.beforeEach = beforeEach
  }

  get isClosed(): boolean {
    return this.#closed !== undefined
  }

  /** A call begins. Throws when its options make no sense, when the client is closed, or when too many are under way. */
  begin(operation: string, changes: boolean, options: CallOptions | undefined, defaultMs = CALL_TIMEOUT_MS): Call {
    if (this.#closed !== undefined)
      throw new AtollError('client_closed', `${operation}: the client is closed`, { operation, outcome: 'definite' })
    const timeoutMs = options?.timeoutMs ?? defaultMs
    if (!(timeoutMs > 0))
      throw new AtollError('invalid_argument', `${operation}: timeoutMs: want milliseconds above 0, got ${timeoutMs}`, { operation })
    const deadlineAtMs = this.#clock.monotonicMs() + Math.min(timeoutMs, CALL_TIMEOUT_MS_MAX)
    return { operation, deadlineAtMs, signal: options?.signal, attempts: 0, adrift: false, changes }
  }

  /** Reads: safe to ask as often as is needed. */
  read<M extends Rpc>(message: M, request: RequestOf<M>, options?: CallOptions): Promise<ResponseOf<M>> {
    return this.ask(this.begin(message.name, false, options), message, request, 'repeatable')
  }

  /** Sends `request` until it is answered. Rejects with an AtollError. */
  async ask<M extends Rpc>(
    call: Call,
    message: M,
    request: RequestOf<M>,
    repeatable: Repeatable,
    numbering?: Numbering,
  ): Promise<ResponseOf<M>> {
    this.beforeEach()
    if (this.#underWay >= CALLS_MAX)
      throw new AtollError('too_many_requests', `${call.operation}: ${CALLS_MAX} calls are under way: await some first`, call)
    this.#underWay++
    this.#route.began()
    const { clusters } = this.#route
    try {
      for (;;) {
        const session = this.#route.session ?? (await this.#route.wait(call))
        // Its session or lease is somebody else's there, if anybody's.
        if (call.changes && this.#route.clusters !== clusters)
          throw new ProtocolError(numbering === undefined ? 'wrong_cluster' : 'session_expired', 'another cluster is there now')
        const timeoutMs = call.deadlineAtMs - this.#clock.monotonicMs()
        if (timeoutMs <= 0) throw new ProtocolError('request_timed_out', 'no time was left to try again')
        call.attempts++
        try {
          if (numbering !== undefined) (request as { answeredBelow: number }).answeredBelow = numbering.answeredBelow
          const answer = await session.request(message, request, { timeoutMs, signal: call.signal })
          this.#route.heard(session)
          this.beforeEach()
          return answer
        } catch (error) {
          await this.#afterFailure(call, session, error, repeatable)
        }
      }
    } catch (error) {
      throw this.explained(call, error)
    } finally {
      this.#underWay--
      this.#route.ended()
    }
  }

  close(error: AtollError): void {
    this.#closed = error
  }

  /** Returns when the call may be tried again, or throws what it ends with. */
  async #afterFailure(call: Call, session: Session, error: unknown, repeatable: Repeatable): Promise<void> {
    if (!(error instanceof ProtocolError)) throw error
    if (elsewhere.has(error.code)) this.#route.left(session)
    if (!passing.has(error.code)) throw error
    if (error.outcome === 'indefinite') {
      call.adrift = true
      if (repeatable === 'once') throw error
    }
    const leftMs = call.deadlineAtMs - this.#clock.monotonicMs()
    if (this.#closed !== undefined || leftMs <= 0) throw error
    // The first change of leader is followed at once; whatever repeats itself is given time.
    if (call.attempts === 1 && error.code !== 'too_many_requests' && error.code !== 'session_busy') return
    const pauseMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** (call.attempts - 1)) * (0.5 + this.#random.float())
    await sleep(this.#clock, Math.min(pauseMs, leftMs), call.signal)
  }

  /** `error` as the outcome of `call`. */
  explained(call: Call, error: unknown): unknown {
    const outcome: Outcome | undefined = !call.changes ? 'definite' : call.adrift ? 'indefinite' : undefined
    const details = { operation: call.operation, attempts: call.attempts, outcome }
    if (error instanceof AtollError) {
      if (error.operation === call.operation) return error
      return new AtollError(error.code, `${call.operation}: ${error.message}`, { ...details, cause: error, outcome: outcome ?? 'definite' })
    }
    if (this.#closed !== undefined)
      return new AtollError('client_closed', `${call.operation}: the client was closed meanwhile`, { ...details, cause: error })
    if (call.signal?.aborted)
      return new AtollError('request_cancelled', `${call.operation}: the caller’s signal aborted`, {
        ...details,
        outcome: outcome ?? (call.attempts === 0 ? 'definite' : 'indefinite'),
        cause: call.signal.reason,
      })
    if (!(error instanceof ProtocolError)) return error
    const timeIsUp = call.deadlineAtMs <= this.#clock.monotonicMs()
    // Once the remembered answer of a session says no, the first try had come to that, too.
    if (!passing.has(error.code) || !timeIsUp) return atollError(error, { ...details, outcome: call.changes ? undefined : 'definite' })
    return this.#outOfTime(call, error)
  }

  /** The deadline passed. What the caller needs to know is why: nobody reached, nobody leads, or no answer. */
  #outOfTime(call: Call, error: ProtocolError): AtollError {
    const { troubles } = this.#route
    const reached = this.#route.session !== undefined
    const code = reached ? 'request_timed_out' : whyNobody(troubles)
    const what = {
      request_timed_out: 'no answer within the deadline',
      no_leader: 'the coordinators have no leader: a majority of them has to run and reach each other',
      not_connected: 'no coordinator could be reached: is the cluster running?',
      wrong_secret: 'this is not the secret of that cluster: was it made anew?',
      wrong_cluster: 'another cluster answers there: was it made anew?',
      unsupported_version: 'the cluster speaks no version of the protocol that this client knows',
    }[code]
    return new AtollError(code, `${call.operation}: ${what} (${reached ? error.message : this.#route.describe()})`, {
      operation: call.operation,
      attempts: call.attempts,
      outcome: call.changes && call.adrift ? 'indefinite' : 'definite',
      troubles,
      cause: error,
    })
  }
}

/** What all coordinators agree on, or the least that can be said. */
function whyNobody(
  troubles: readonly NodeTrouble[],
): 'no_leader' | 'not_connected' | 'wrong_secret' | 'wrong_cluster' | 'unsupported_version' {
  const codes = new Set(troubles.map(({ code }) => code))
  if (codes.has('no_leader')) return 'no_leader'
  const [first] = codes
  const refused = (['wrong_secret', 'wrong_cluster', 'unsupported_version'] as const).find(code => code === first)
  return codes.size === 1 && refused !== undefined ? refused : 'not_connected'
}
