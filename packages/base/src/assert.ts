// Assertions that stay on in production. A failed one is a bug of ours: nobody catches it, the process exits
// (style: TigerBeetle's TIGER_STYLE; "assert both the expected and the forbidden space").

/** A bug: an invariant of ours does not hold. Never caught, never retried. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** Throws an InvariantError unless `condition` holds; `message` names the invariant, not the symptom. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}

/** Marks a branch that exhaustive switches never reach; a new union member without a case does not compile. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`)
}

/** The value, or an InvariantError naming what was missing. */
export function present<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new InvariantError(`missing: ${what}`)
  return value
}
