// What certainly came before what: one operation returned before the other was called. Checks of numbers that never go back
// need only the greatest of all that came before, so they take as long as sorting.
import type { Operation } from './operation.ts'

/** Pairs each item with the greatest of those whose operations returned before its own was called. */
export function* greatestBefore<T>(
  items: readonly T[],
  operationOf: (item: T) => Operation,
  rank: (item: T) => number,
): Generator<[earlier: T, later: T]> {
  const byReturn = items.toSorted((a, b) => operationOf(a).t1 - operationOf(b).t1)
  const byCall = items.toSorted((a, b) => operationOf(a).t0 - operationOf(b).t0)
  let greatest: T | undefined
  let returned = 0
  for (const later of byCall) {
    for (; returned < byReturn.length; returned++) {
      const earlier = byReturn[returned] as T
      if (operationOf(earlier).t1 >= operationOf(later).t0) break
      if (greatest === undefined || rank(earlier) > rank(greatest)) greatest = earlier
    }
    if (greatest !== undefined) yield [greatest, later]
  }
}
