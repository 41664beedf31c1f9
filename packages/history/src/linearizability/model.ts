// What the system under test is supposed to be, as a sequential object: one operation at a time, each at one instant.
import type { Operation } from '../operation.ts'

/** A sequential object. States are immutable; one that an operation does not change is returned as the same object. */
export interface Model<State, Input, Output> {
  readonly name: string
  readonly initial: State
  /** The argument of a recorded operation. Throws a HistoryError when it is none of this model's. */
  input(operation: Operation): Input
  /** The answer of an operation that was answered. Throws a HistoryError when it has the wrong shape. */
  output(operation: Operation): Output
  /** True when an operation with this answer changes no state whatever. Without an answer it then says nothing at all. */
  readOnly(input: Input, output: Output | undefined): boolean
  /** The state after the operation, or undefined when `output` cannot be its answer in `state`. An undefined output is an unknown one. */
  step(state: State, input: Input, output: Output | undefined): State | undefined
  /** Equal for two states exactly when no operation can tell them apart. */
  identity(state: State): string
  /** How far a state has come: a number that no operation lowers. */
  position?(state: State): number
  /** The furthest position at which an operation can begin and give this answer; undefined when there is no such bound. */
  latest?(input: Input, output: Output | undefined): number | undefined
  /** For models in which every change replaces the whole state: which states an operation depends on. */
  values?(input: Input, output: Output | undefined): Values
  /** For people: the state, and an operation with its answer if it is known. */
  describe(state: State): string
  describeCall(input: Input, output: Output | undefined): string
}

/** How an operation depends on the state, by the identities of states. */
export interface Values {
  /** The one state in which the answer fits; undefined when it fits in others too. */
  readonly needs?: string | undefined
  /** The one state it leaves behind, if it changes anything. */
  readonly makes?: string | undefined
  /** True when what it answers or does depends on the state in any other way. */
  readonly observes?: boolean
}

/** A model whose answers follow from the state, told by what it does rather than by what it allows. */
export interface Deterministic<State, Input, Output> {
  /** The next state (the same object when nothing changes) and the true answer. */
  execute(state: State, input: Input): { readonly state: State; readonly output: Output }
}

/**
 * Whether an answer agrees with the true one. What the answer leaves out is not checked; what it contains must be equal,
 * so the more a client records, the more is checked.
 */
export function agrees(answer: unknown, truth: unknown): boolean {
  if (answer === undefined || answer === truth) return true
  if (typeof answer !== 'object' || typeof truth !== 'object' || answer === null || truth === null) return false
  if (Array.isArray(answer))
    return Array.isArray(truth) && answer.length === truth.length && answer.every((item, index) => agrees(item, truth[index]))
  const fields = truth as Readonly<Record<string, unknown>>
  return Object.entries(answer).every(([name, value]) => !(name in fields) || agrees(value, fields[name]))
}
