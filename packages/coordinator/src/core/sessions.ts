// Sessions make a retry take effect once: the answer of each request is kept under its sequence number until the client
// says that it has it, and given again to whoever repeats the request (Raft dissertation section 6.3). The answers are part
// of the replicated state, so a retry finds them at the next leader too. A session is a lease and ends with it.
import { assert } from '@atoll/base'
import { type ErrorCode, type LeaseId, ProtocolError } from '@atoll/protocol'
import type { AnswerOf, CommandKind } from './commands.ts'
import { ALL_ANSWER_BYTES_MAX, ALL_ANSWERS_MAX, SESSION_ANSWER_BYTES_MAX, SESSION_ANSWERS_MAX, SESSIONS_MAX } from './limits.ts'

/** How a command ended: the same on every replica. A refused one changed nothing. */
export type Answer =
  | { readonly ok: true; readonly kind: CommandKind; readonly value: AnswerOf<CommandKind> }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string }

/** Which request this is. */
export interface Once {
  readonly session: LeaseId
  readonly sequence: number
  readonly answeredBelow: number
}

export interface Kept {
  readonly answer: Answer
  readonly bytes: number
}

interface Session {
  /** Answers of lower sequences are forgotten. */
  answeredBelow: number
  bytes: number
  readonly answers: Map<number, Kept>
}

export class Sessions {
  readonly #sessions = new Map<LeaseId, Session>()
  #answers = 0
  #bytes = 0

  get size(): number {
    return this.#sessions.size
  }

  /** Throws `too_many_sessions` unless one more may be opened. */
  checkOpen(): void {
    if (this.#sessions.size >= SESSIONS_MAX) throw new ProtocolError('too_many_sessions', `${SESSIONS_MAX} sessions are open`)
  }

  open(session: LeaseId, answeredBelow = 1): void {
    assert(!this.#sessions.has(session), 'no session is opened twice')
    this.#sessions.set(session, { answeredBelow, bytes: 0, answers: new Map() })
  }

  close(session: LeaseId): void {
    const found = this.#sessions.get(session)
    if (found === undefined) return
    this.#answers -= found.answers.size
    this.#bytes -= found.bytes
    this.#sessions.delete(session)
  }

  /**
   * The answer that was given to this request before; undefined when it is new, and then it has to be kept. Throws when it
   * can be neither: the session is over, its client said that it has the answer, or too many answers are kept.
   */
  recall({ session, sequence, answeredBelow }: Once): Answer | undefined {
    const found = this.#sessions.get(session)
    if (found === undefined) throw new ProtocolError('session_expired', `session ${session}`)
    if (sequence < 1) throw new ProtocolError('invalid_argument', 'sequences begin with 1')
    this.#forget(found, answeredBelow)
    const kept = found.answers.get(sequence)
    if (kept !== undefined) return kept.answer
    if (sequence < found.answeredBelow)
      throw new ProtocolError('sequence_forgotten', `session ${session} has the answers below ${found.answeredBelow}, this is ${sequence}`)
    const full =
      found.answers.size >= SESSION_ANSWERS_MAX ||
      found.bytes >= SESSION_ANSWER_BYTES_MAX ||
      this.#answers >= ALL_ANSWERS_MAX ||
      this.#bytes >= ALL_ANSWER_BYTES_MAX
    if (full)
      throw new ProtocolError('session_busy', `${found.answers.size} answers of session ${session} are kept, ${this.#answers} in all`)
    return undefined
  }

  /** Keeps the answer of a request that was new. A session that its own request ended needs none. */
  keep(session: LeaseId, sequence: number, kept: Kept): void {
    const found = this.#sessions.get(session)
    if (found === undefined) return
    assert(!found.answers.has(sequence), 'an answer is kept once')
    found.answers.set(sequence, kept)
    found.bytes += kept.bytes
    this.#answers++
    this.#bytes += kept.bytes
  }

  /** Every session with its answers, as of now: later changes do not show. */
  capture(): readonly {
    readonly session: LeaseId
    readonly answeredBelow: number
    readonly answers: readonly (readonly [number, Kept])[]
  }[] {
    return [...this.#sessions].map(([session, { answeredBelow, answers }]) => ({ session, answeredBelow, answers: [...answers] }))
  }

  /** Answers kept, for all sessions. */
  get answers(): number {
    return this.#answers
  }

  #forget(found: Session, answeredBelow: number): void {
    if (answeredBelow <= found.answeredBelow) return
    found.answeredBelow = answeredBelow
    for (const [sequence, { bytes }] of found.answers)
      if (sequence < answeredBelow) {
        found.answers.delete(sequence)
        found.bytes -= bytes
        this.#answers--
        this.#bytes -= bytes
      }
  }
}
