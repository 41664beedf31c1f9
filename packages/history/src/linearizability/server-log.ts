// Operations of unknown outcome are what makes a history expensive to check: each may take effect at any later time. A dump of
// the servers' log says which of them were applied, and in which order with the others (etcd's robustness tests, validate/
// patch_history.go). The log is trusted for that much, so it must come from the servers' own committed entries, read after
// the last operation ended; that it agrees with the answers is checked here, as far as it concerns what was applied.
import type { Operation } from '../operation.ts'

export interface TightenedHistory {
  /** Unknown outcomes resolved: those in the log are `applied` between narrower bounds, those not in it are left out. */
  readonly operations: readonly Operation[]
  /** Where log and history contradict each other: a duplicated effect, a lost or an undead one. */
  readonly problems: readonly string[]
}

/**
 * `log` holds the identities of applied operations in the order of the log; `identify` gives that of an operation, or
 * undefined for one that the log does not hold (a read). Identities are unique, which unique values are good for. Operations
 * that changed nothing, like a failed compare-and-set, either all stand in the log or get no identity.
 */
export function tightenByLog(
  operations: readonly Operation[],
  log: readonly string[],
  identify: (operation: Operation) => string | undefined,
): TightenedHistory {
  const problems: string[] = []
  const byIdentity = new Map<string, Operation>()
  for (const operation of operations) {
    const identity = identify(operation)
    if (identity === undefined) continue
    const other = byIdentity.get(identity)
    if (other !== undefined) problems.push(`${told(operation)} and ${told(other)} have one identity, ${identity}`)
    byIdentity.set(identity, operation)
  }
  const seen = new Set<string>()
  const logged = log.flatMap(identity => {
    if (seen.has(identity)) problems.push(`${identity} stands in the log twice: its effect was duplicated`)
    seen.add(identity)
    return byIdentity.get(identity) ?? []
  })
  const bounds = boundsOf(logged)
  const tightened = operations.flatMap((operation): Operation[] => {
    const identity = identify(operation)
    const applied = identity !== undefined && seen.has(identity)
    if (applied && operation.outcome === 'fail') problems.push(`${told(operation)} failed, and stands in the log`)
    if (!applied && identity !== undefined && operation.outcome === 'ok')
      problems.push(`${told(operation)} was answered, and does not stand in the log: it was lost`)
    if (operation.outcome !== 'info' || identity === undefined) return [operation]
    return applied ? [{ ...operation, outcome: 'applied', ...bounds.get(operation) }] : []
  })
  return { operations: tightened, problems }
}

/** After everything before it in the log was called, and before anything after it returned. */
function boundsOf(logged: readonly Operation[]): ReadonlyMap<Operation, { t0: number; t1: number }> {
  const bounds = new Map<Operation, { t0: number; t1: number }>()
  let t0 = -Infinity
  for (const operation of logged) {
    t0 = Math.max(t0, operation.t0)
    bounds.set(operation, { t0, t1: operation.t1 })
  }
  let t1 = Number.POSITIVE_INFINITY
  for (const operation of logged.toReversed()) {
    t1 = Math.min(t1, operation.t1)
    const bound = bounds.get(operation)
    // A log whose order contradicts real time has no instant left; the checker then judges by the client's own bounds.
    if (bound !== undefined) bound.t1 = t1 >= bound.t0 ? t1 : operation.t1
  }
  return bounds
}

function told({ operation, f, key }: Operation): string {
  return `operation ${operation} (${f} ${key})`
}
