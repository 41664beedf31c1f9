// What a call rejects with. The code is a row of the protocol's table of errors; the rest says what happened to this call:
// whether it may have taken effect, how often it was tried, and what stood in the way at each coordinator.
import { type ErrorCode, errorRows, type Outcome, ProtocolError } from '@atoll/protocol'

/** Why one coordinator was of no help. */
export interface NodeTrouble {
  /** Its name, or its address while it has not said its name. */
  readonly node: string
  readonly code: string
  readonly message: string
}

export interface AtollErrorDetails {
  readonly operation: string
  readonly outcome?: Outcome | undefined
  readonly node?: string | undefined
  readonly attempts?: number | undefined
  readonly cause?: unknown
  readonly troubles?: readonly NodeTrouble[] | undefined
  readonly revision?: number | undefined
}

export class AtollError extends Error {
  override readonly name = 'AtollError'
  readonly code: ErrorCode
  /** `definite`: it certainly had no effect. `indefinite`: it may have had, now or later. */
  readonly outcome: Outcome
  /** The same call may succeed later. After an `indefinite` outcome it may also take effect twice. */
  readonly retriable: boolean
  /** What was asked, e.g. `kv_put`. */
  readonly operation: string
  /** The node that gave this answer, when one did. */
  readonly node: string | undefined
  /** How often it was sent. */
  readonly attempts: number
  /** What kept each coordinator from answering, when none did. */
  readonly troubles: readonly NodeTrouble[]
  /** With `compacted`: the first revision that can still be read. */
  readonly revision: number | undefined

  constructor(code: ErrorCode, message: string, details: AtollErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.operation = details.operation
    this.outcome = details.outcome ?? errorRows[code].outcome
    this.retriable = errorRows[code].retry !== 'never'
    this.node = details.node
    this.attempts = details.attempts ?? 0
    this.troubles = details.troubles ?? []
    this.revision = details.revision
  }
}

/** `error` as the outcome of a call; what is not ours, a bug among it, stays what it is. */
export function atollError(error: unknown, details: AtollErrorDetails): unknown {
  if (!(error instanceof ProtocolError)) return error
  const advice = error.code === 'session_expired' ? ' (read what there is now before it is tried again)' : ''
  // What is wrong with a field is said with the name of the request already.
  const said = error.message.startsWith(`${details.operation}.`) ? error.message : `${details.operation}: ${error.message}`
  return new AtollError(error.code, said + advice, { cause: error, ...details })
}

/** `coordinator-1: refused; node at 127.0.0.1:7202: …`, for the sentence of an error. */
export function listTroubles(troubles: readonly NodeTrouble[]): string {
  return troubles.map(troubleSentence).join('; ')
}

/** Where, and what: a message that says where already is left as it is. */
export function troubleSentence({ node, message }: NodeTrouble): string {
  return message.includes(node) ? message : `${node}: ${message}`
}
