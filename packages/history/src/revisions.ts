// Revisions never go back: not the store's, not a key's, and no two changes share one. Linear but for sorting, so it runs on
// histories that are far too long to linearize, and says at once what the linearizability checker would take long to find
// (etcd issues 14685 and 17780: a revision that differs or goes back after a crash).
import { VIOLATIONS_MAX } from './limits.ts'
import type { Operation } from './operation.ts'
import { groupBy } from './partition.ts'
import { greatestBefore } from './real-time.ts'

/** What an answer says of revisions. */
export interface RevisionSeen {
  /** Of the whole store when it answered. */
  readonly revision: number
  /** True when the operation made this revision. */
  readonly wrote: boolean
  /** The revision of the last change of the record's key, when the answer tells. */
  readonly keyRevision?: number | undefined
}

export interface RevisionViolation {
  readonly rule:
    | 'revision went back'
    | 'revision written twice'
    | 'write without a new revision'
    | 'key revision went back'
    | 'key revision ahead of the store'
  readonly message: string
  readonly operations: readonly Operation[]
}

export interface RevisionReport {
  readonly violations: readonly RevisionViolation[]
  readonly count: number
}

interface Seen extends RevisionSeen {
  readonly operation: Operation
}

/** `read` tells what an answered operation saw; undefined for one that says nothing. */
export function checkRevisions(operations: readonly Operation[], read: (operation: Operation) => RevisionSeen | undefined): RevisionReport {
  const violations: RevisionViolation[] = []
  let count = 0
  const report = (rule: RevisionViolation['rule'], message: string, ...involved: Seen[]): void => {
    count++
    if (violations.length < VIOLATIONS_MAX) violations.push({ rule, message, operations: involved.map(({ operation }) => operation) })
  }
  const all = operations.flatMap((operation): Seen[] => {
    const seen = operation.outcome === 'ok' ? read(operation) : undefined
    return seen === undefined ? [] : [{ ...seen, operation }]
  })
  const writers = new Map<number, Seen>()
  for (const seen of all) {
    const other = seen.wrote ? writers.get(seen.revision) : undefined
    if (other !== undefined) report('revision written twice', `revision ${seen.revision}`, other, seen)
    if (seen.wrote) writers.set(seen.revision, seen)
    if (seen.keyRevision !== undefined && seen.keyRevision > seen.revision)
      report('key revision ahead of the store', `${seen.keyRevision} in an answer of revision ${seen.revision}`, seen)
  }
  for (const [earlier, later] of greatestBefore(
    all,
    ({ operation }) => operation,
    ({ revision }) => revision,
  )) {
    if (later.revision < earlier.revision) report('revision went back', `${later.revision} after ${earlier.revision}`, earlier, later)
    else if (later.wrote && later.revision === earlier.revision && !earlier.wrote)
      report('write without a new revision', `revision ${later.revision} was seen before it was written`, earlier, later)
  }
  for (const ofKey of groupBy(all, ({ operation }) => operation.key).values()) {
    const told = ofKey.filter(({ keyRevision }) => keyRevision !== undefined)
    const rank = ({ keyRevision = 0 }: Seen): number => keyRevision
    for (const [earlier, later] of greatestBefore(told, ({ operation }) => operation, rank))
      if (rank(later) < rank(earlier))
        report('key revision went back', `${later.operation.key}: ${rank(later)} after ${rank(earlier)}`, earlier, later)
  }
  return { violations, count }
}
