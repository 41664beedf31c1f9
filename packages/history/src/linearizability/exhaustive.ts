// For tests: the definition of linearizability, word for word, with nothing that makes it fast. Good for about ten operations.
import type { Operation } from '../operation.ts'
import type { Model } from './model.ts'

/** Tries every order that keeps real time. Operations of unknown outcome may be left out. */
export function linearizableByDefinition<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation[],
  state: State = model.initial,
): boolean {
  const left = operations.filter(({ outcome }) => outcome !== 'fail')
  if (left.every(({ outcome }) => outcome === 'info')) return true
  return left.some(operation => {
    // Whoever returned before this one was called comes first.
    if (left.some(({ t1 }) => t1 < operation.t0)) return false
    const output = operation.outcome === 'ok' ? model.output(operation) : undefined
    const next = model.step(state, model.input(operation), output)
    const others = left.filter(other => other !== operation)
    return next !== undefined && linearizableByDefinition(model, others, next)
  })
}
