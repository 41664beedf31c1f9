// For tests: the definition of linearizability, word for word. Nothing makes it fast except that it does not try the same
// operations from the same state twice. Good for tens of operations.
import type { Operation } from '../operation.ts'
import type { Model } from './model.ts'

/** Tries every order that keeps real time. Operations of unknown outcome may be left out. */
export function linearizableByDefinition<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation[],
): boolean {
  const failed = new Set<string>()
  const completes = (left: readonly Operation[], state: State): boolean => {
    if (left.every(({ outcome }) => outcome === 'info')) return true
    const tried = `${left.map(({ operation }) => operation).join()} ${model.identity(state)}`
    if (failed.has(tried)) return false
    const possible = left.some(operation => {
      // Whoever returned before this one was called comes first.
      if (left.some(({ t1 }) => t1 < operation.t0)) return false
      const output = operation.outcome === 'ok' ? model.output(operation) : undefined
      const next = model.step(state, model.input(operation), output)
      return (
        next !== undefined &&
        completes(
          left.filter(other => other !== operation),
          next,
        )
      )
    })
    if (!possible) failed.add(tried)
    return possible
  }
  return completes(
    operations.filter(({ outcome }) => outcome !== 'fail'),
    model.initial,
  )
}
