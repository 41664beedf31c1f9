// What a client did and saw. A history is a list of records in Jepsen's form: one when an operation is invoked, one when it
// completes. The checkers read operations, which are the two paired (`pairing.ts`).
import type { MonotonicMs } from '@atoll/base'

/** One line of a history. The completion repeats what the invocation said, so that each line can be read alone. */
export interface HistoryRecord {
  /** Who does one thing after the other. After an `info` the id is retired, since that operation may still take effect. */
  readonly process: number
  /** Unique in the history. */
  readonly operation: number
  /** `ok`: applied and answered. `fail`: certainly not applied. `info`: nobody knows. */
  readonly type: 'invoke' | 'ok' | 'fail' | 'info'
  /** What was asked, in the words of the model: `read`, `put`, `acquire`. */
  readonly f: string
  /** The object asked: the checkers partition by it. */
  readonly key: string
  /** The argument in an invocation, the answer in an `ok`, null otherwise. JSON only; not changed after it was recorded. */
  readonly value: unknown
  /** The node that was asked; null when the client chose. */
  readonly node: string | null
  /** When it was invoked. */
  readonly t0: MonotonicMs
  /** When it completed, later than `t0`; null in an invocation. */
  readonly t1: MonotonicMs | null
  /** What the client was told instead of an answer. */
  readonly error: string | null
}

/** `applied`: certainly applied at some time, though the client never heard of it; only a server's log can tell (`server-log.ts`). */
export type Outcome = 'ok' | 'fail' | 'info' | 'applied'

export interface Operation {
  readonly process: number
  readonly operation: number
  readonly f: string
  readonly key: string
  readonly node: string | null
  readonly input: unknown
  /** The answer; null unless `outcome` is `ok`. */
  readonly output: unknown
  readonly outcome: Outcome
  /** Inclusive: the operation took effect at this time or later. */
  readonly t0: number
  /** Inclusive: it took effect at this time or earlier. Infinity when it may still do so after the end of the history. */
  readonly t1: number
  readonly error: string | null
}
