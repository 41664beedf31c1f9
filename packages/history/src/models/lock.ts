// A lock that hands out fencing tokens: each grant carries a number above all before it, so that a resource can refuse a
// holder who was paused past its time (Kleppmann 2016; Burrows 2006, section 2.4, calls it a sequencer).
//   acquire         -> {token}, or null when somebody else holds it
//   release {token} -> true, or false when that grant was over, or null when the answer does not say which
//   holder          -> the token of the current grant, or null
// With leases a grant may end at any time without a client's doing. `expiring` allows that; what remains is that tokens only
// grow and that answers agree with them. The holding times are checked by `fencing.ts`.
import type { Model } from '../linearizability/model.ts'
import { fieldsOf, flagOf, integerOf, optional, unknownFunction } from './answers.ts'

export interface LockState {
  /** The greatest token granted; one that nobody was told counts as one more than the one before. */
  readonly last: number
  /** The token of the current grant, `untold` when its client never heard of it, null when free. */
  readonly holder: number | 'untold' | null
}

export type LockInput = { readonly f: 'acquire' | 'holder' } | { readonly f: 'release'; readonly token: number }
/** A token or null (acquire, holder), or whether the release ended a grant, null when that is not said. */
export type LockOutput = number | null | boolean

export function lockModel({ expiring = false }: { readonly expiring?: boolean } = {}): Model<LockState, LockInput, LockOutput> {
  return {
    name: expiring ? 'lock with leases' : 'lock',
    initial: { last: 0, holder: null },
    input(operation) {
      const { f, input } = operation
      if (f === 'acquire' || f === 'holder') return { f }
      if (f !== 'release') return unknownFunction(operation, ['acquire', 'release', 'holder'])
      return { f, token: integerOf(operation, fieldsOf(operation, input, 'the argument of a release')['token'], 'the token') }
    },
    output(operation) {
      const { f, output } = operation
      if (f === 'release') return optional(output, flag => flagOf(operation, flag, 'the answer of a release')) ?? null
      const token = (value: unknown) => integerOf(operation, value, 'the token')
      if (f === 'holder') return optional(output, token) ?? null
      return optional(output, grant => token(fieldsOf(operation, grant, 'the grant')['token'])) ?? null
    },
    // Where leases end by themselves, any answer may be the first to tell of it.
    readOnly: ({ f }, output) => f === 'holder' || (!expiring && (output === false || (f === 'acquire' && output === null))),
    step(state, input, output) {
      if (input.f === 'acquire') return acquire(state, output, expiring)
      if (input.f === 'release') return release(state, input.token, output, expiring)
      return holder(state, output, expiring)
    },
    identity: state => `${state.last}/${state.holder}`,
    position: ({ last }) => last,
    latest(input, output) {
      if (input.f === 'release') return output === true ? input.token : undefined
      return typeof output !== 'number' ? undefined : input.f === 'acquire' ? output - 1 : output
    },
    describe: ({ last, holder: token }) =>
      token === null
        ? `free, last token ${last}`
        : token === 'untold'
          ? `held by a client that never heard of it, token above ${last - 1}`
          : `held with token ${token}`,
    describeCall(input, output) {
      const answer = output === undefined ? '?' : output === null ? 'nobody' : String(output)
      if (input.f === 'release') return `release ${input.token} → ${output === null ? 'over' : answer}`
      return input.f === 'acquire' ? `acquire → ${output === null ? 'held by another' : answer}` : `holder → ${answer}`
    },
  }
}

function acquire(state: LockState, output: LockOutput | undefined, expiring: boolean): LockState | undefined {
  const free = state.holder === null
  if (output === null) return free ? undefined : state
  if (!free && !expiring) return output === undefined ? state : undefined
  if (typeof output === 'number') return output > state.last ? { last: output, holder: output } : undefined
  return { last: state.last + 1, holder: 'untold' }
}

function release(state: LockState, token: number, output: LockOutput | undefined, expiring: boolean): LockState | undefined {
  const current = state.holder === token
  // A grant that ended by itself answers false, though to the model it still stands.
  if (output === false) return current && !expiring ? undefined : current ? { ...state, holder: null } : state
  if (current) return { ...state, holder: null }
  return output === undefined || output === null ? state : undefined
}

/** A reader may be the first to hear of a token, and of a lease that ended. */
function holder(state: LockState, output: LockOutput | undefined, expiring: boolean): LockState | undefined {
  if (output === undefined || output === state.holder) return state
  if (output === null) return expiring ? { ...state, holder: null } : undefined
  if (state.holder === 'untold' && typeof output === 'number' && output >= state.last) return { last: output, holder: output }
  return undefined
}
