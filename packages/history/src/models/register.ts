// A register with compare-and-set: the object of Jepsen's first tests, and of most linearizability proofs.
//   read           -> the value, or null
//   write value    -> anything
//   cas {from, to} -> true, or false when the value was not `from`
import type { Deterministic, Model } from '../linearizability/model.ts'
import type { Operation } from '../operation.ts'
import { fieldsOf, flagOf, malformed, unknownFunction } from './answers.ts'

/** Null is a register never written. */
export type RegisterValue = string | number | null
export type RegisterInput =
  | { readonly f: 'read' }
  | { readonly f: 'write'; readonly value: RegisterValue }
  | { readonly f: 'cas'; readonly from: RegisterValue; readonly to: RegisterValue }
/** The value read, whether the cas matched, or null for a write. */
export type RegisterOutput = RegisterValue | boolean

export const register: Model<RegisterValue, RegisterInput, RegisterOutput> & Deterministic<RegisterValue, RegisterInput, RegisterOutput> = {
  name: 'register',
  initial: null,
  input(operation) {
    const { f, input } = operation
    if (f === 'read') return { f }
    if (f === 'write') return { f, value: valueOf(operation, input, 'the value written') }
    if (f !== 'cas') return unknownFunction(operation, ['read', 'write', 'cas'])
    const { from, to } = fieldsOf(operation, input, 'the argument of a cas')
    return { f, from: valueOf(operation, from, 'from'), to: valueOf(operation, to, 'to') }
  },
  output(operation) {
    if (operation.f === 'write') return null
    return operation.f === 'cas'
      ? flagOf(operation, operation.output, 'the answer of a cas')
      : valueOf(operation, operation.output, 'the value read')
  },
  readOnly: ({ f }, output) => f === 'read' || (f === 'cas' && output === false),
  execute(state, input) {
    if (input.f === 'read') return { state, output: state }
    if (input.f === 'write') return { state: input.value, output: null }
    const matches = state === input.from
    return { state: matches ? input.to : state, output: matches }
  },
  step(state, input, output) {
    const { state: next, output: truth } = this.execute(state, input)
    return output === undefined || output === truth ? next : undefined
  },
  identity,
  values(input, output) {
    if (input.f === 'read') return { needs: identity(output as RegisterValue) }
    if (input.f === 'write') return { makes: identity(input.value) }
    const makes = identity(input.to)
    return output === true ? { needs: identity(input.from), makes } : output === false ? { observes: true } : { makes, observes: true }
  },
  describe: state => JSON.stringify(state),
  describeCall(input, output) {
    const answer = output === undefined ? '?' : JSON.stringify(output)
    if (input.f === 'read') return `read → ${answer}`
    if (input.f === 'write') return `write ${JSON.stringify(input.value)}`
    return `cas ${JSON.stringify(input.from)} ⇒ ${JSON.stringify(input.to)} → ${answer}`
  },
}

/** A number and the string that looks like it are two values. */
function identity(state: RegisterValue): string {
  return typeof state === 'string' ? `"${state}` : String(state)
}

function valueOf(operation: Operation, value: unknown, what: string): RegisterValue {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value
  return malformed(operation, `${what} is neither a string, a number nor null`)
}
