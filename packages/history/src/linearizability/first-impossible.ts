// Which operation is to blame. Every beginning of a linearizable history is linearizable (Herlihy and Wing 1990, section 3.2),
// so a history that is not has a first return at which it stops being so. That operation is the same whatever way the search
// takes, and what returned before it has an order to show.
import { present } from '@atoll/base'
import type { Operation } from '../operation.ts'

/** The last beginning that is linearizable, as tried, and the operation whose return ends it. */
export interface FirstImpossible<Tried> {
  readonly before: Tried
  readonly operation: Operation
}

/**
 * Bisects over the returns of a history that is not linearizable. `attempt` searches one beginning. Undefined when it
 * could not tell for one of them.
 */
export function firstImpossible<Tried extends { readonly verdict: string }>(
  operations: readonly Operation[],
  attempt: (beginning: readonly Operation[]) => Tried,
): FirstImpossible<Tried> | undefined {
  const returns = operations.filter(({ outcome }) => outcome !== 'info').sort((a, b) => (a.t1 === b.t1 ? 0 : a.t1 < b.t1 ? -1 : 1))
  let possible = 0
  let impossible = returns.length
  let before = attempt([])
  // The first `possible` returns can be linearized, the first `impossible` cannot.
  while (impossible - possible > 1) {
    const middle = (possible + impossible) >> 1
    const tried = attempt(beginningOf(operations, returns, middle))
    if (tried.verdict === 'unknown') return undefined
    if (tried.verdict === 'linearizable') {
      possible = middle
      before = tried
    } else impossible = middle
  }
  return { before, operation: present(returns[possible], 'the first impossible return') }
}

/** What was known when `count` operations had returned: those called by then are under way. */
function beginningOf(operations: readonly Operation[], returns: readonly Operation[], count: number): Operation[] {
  const returned = new Set(returns.slice(0, count))
  const end = present(returns[count - 1], 'return').t1
  return operations.flatMap((operation): Operation[] => {
    if (returned.has(operation)) return [operation]
    return operation.t0 <= end ? [{ ...operation, outcome: 'info', output: null, t1: Number.POSITIVE_INFINITY }] : []
  })
}
