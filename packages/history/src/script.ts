// For tests: histories written by hand, one line per operation.
import type { Operation, Outcome } from './operation.ts'

export interface Line {
  readonly f: string
  /** When it was called and when it returned. */
  readonly at: readonly [call: number, completion: number]
  readonly key?: string
  readonly input?: unknown
  readonly output?: unknown
  readonly outcome?: Outcome
  readonly process?: number
}

/** Each operation has a process of its own unless told otherwise. One of unknown outcome never returns. */
export function script(...lines: readonly Line[]): Operation[] {
  return lines.map(({ f, at: [t0, t1], key = 'k', input = null, output = null, outcome = 'ok', process }, index) => {
    const end = outcome === 'info' ? Number.POSITIVE_INFINITY : t1
    return { process: process ?? index, operation: index, f, key, node: null, input, output, outcome, t0, t1: end, error: null }
  })
}
