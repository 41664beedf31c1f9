// What is wrong with a history before any checker looks at it: every problem at once, so that a broken recorder is seen whole.
import { PROBLEMS_MAX } from './limits.ts'

/** A history that breaks an assumption of the checkers. Not a verdict: a wrong recording proves nothing about the system. */
export class HistoryError extends Error {
  override readonly name = 'HistoryError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    const shown = problems.slice(0, PROBLEMS_MAX)
    const more = problems.length > shown.length ? [`and ${problems.length - shown.length} more`] : []
    super(`not a valid history: ${[...shown, ...more].join('; ')}`)
    this.problems = problems
  }
}
