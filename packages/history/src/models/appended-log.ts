// An append-only log whose state is two numbers, however long it is: the tail, and a hash chained over every record. A reader
// that hashes what it read proves with one comparison that it saw exactly the records before the tail, in order (S2's
// verification does the same).
//   append {records, matchTail?, token?} -> {tail} after it, or null when the tail or the token did not match
//   fence {token}                        -> true; later appends that name a token must name this one
//   read                                 -> {tail, hash}
//   tail                                 -> {tail}

import { scrambled } from '../linearizability/linearized-set.ts'
import { agrees, type Deterministic, type Model } from '../linearizability/model.ts'
import { fieldsOf, integerOf, malformed, optional, textOf, unknownFunction } from './answers.ts'

export interface LogState {
  /** Exclusive: the position of the next record. */
  readonly tail: number
  readonly hash: string
  readonly token: string | null
}

export type LogInput =
  | {
      readonly f: 'append'
      readonly records: readonly string[]
      /** Append only when the tail is this. */
      readonly matchTail: number | undefined
      /** Append only when the log's token is this. */
      readonly token: string | undefined
    }
  | { readonly f: 'fence'; readonly token: string }
  | { readonly f: 'read' | 'tail' }

/** The hash of a log without records. */
export const EMPTY_LOG_HASH = '0000000000000000'

/** The hash of a log that ends in `record`, from the hash of the log before it: 64 bits, not for secrets. */
export function chainHash(before: string, record: string): string {
  let high = Number.parseInt(before.slice(0, 8), 16)
  let low = Number.parseInt(before.slice(8), 16)
  for (let index = 0; index < record.length; index++) {
    const unit = record.charCodeAt(index)
    high = Math.imul(high ^ unit, 0x01000193)
    low = Math.imul(low ^ unit, 0x9e3779b1) + 0x85ebca6b
  }
  const end = Math.imul(record.length + 1, 0xc2b2ae35)
  const mixedHigh = scrambled(high ^ end)
  const mixedLow = scrambled(low ^ mixedHigh ^ end)
  return [scrambled(mixedHigh + mixedLow), mixedLow].map(word => (word >>> 0).toString(16).padStart(8, '0')).join('')
}

export type LogOutput = { readonly tail: number; readonly hash?: string | undefined } | boolean | null

export const appendedLog: Model<LogState, LogInput, LogOutput> & Deterministic<LogState, LogInput, LogOutput> = {
  name: 'log',
  initial: { tail: 0, hash: EMPTY_LOG_HASH, token: null },
  input(operation) {
    const { f, input } = operation
    if (f === 'read' || f === 'tail') return { f }
    const fields = f === 'append' || f === 'fence' ? fieldsOf(operation, input, `the argument of ${f}`) : {}
    if (f === 'fence') return { f, token: textOf(operation, fields['token'], 'the token') }
    if (f !== 'append') return unknownFunction(operation, ['append', 'fence', 'read', 'tail'])
    const { records } = fields
    if (!Array.isArray(records)) return malformed(operation, 'the records are not a list')
    return {
      f,
      records: records.map(record => textOf(operation, record, 'a record')),
      matchTail: optional(fields['matchTail'], value => integerOf(operation, value, 'matchTail')),
      token: optional(fields['token'], value => textOf(operation, value, 'the token')),
    }
  },
  output(operation) {
    const { f, output } = operation
    if (f === 'fence') return true
    if (output === null && f === 'append') return null
    const fields = fieldsOf(operation, output, 'the answer')
    const hash = optional(fields['hash'], value => textOf(operation, value, 'the hash'))
    return { tail: integerOf(operation, fields['tail'], 'the tail'), hash }
  },
  readOnly: ({ f }, output) => f === 'read' || f === 'tail' || output === null,
  execute(state, input) {
    if (input.f === 'fence') return { state: input.token === state.token ? state : { ...state, token: input.token }, output: true }
    if (input.f !== 'append') return { state, output: { tail: state.tail, hash: state.hash } }
    const { records, matchTail = state.tail, token = state.token } = input
    if (matchTail !== state.tail || token !== state.token) return { state, output: null }
    const next = { ...state, tail: state.tail + records.length, hash: records.reduce(chainHash, state.hash) }
    return { state: records.length === 0 ? state : next, output: { tail: next.tail, hash: next.hash } }
  },
  step(state, input, output) {
    // Hashing is the expensive part, and most candidates fail on the tail already.
    if (input.f === 'append' && typeof output === 'object' && output !== null && output.tail !== state.tail + input.records.length)
      return undefined
    const { state: next, output: truth } = this.execute(state, input)
    return agrees(output, truth) ? next : undefined
  },
  identity: ({ tail, hash, token }) => `${tail}/${hash}/${JSON.stringify(token)}`,
  position: ({ tail }) => tail,
  latest(input, output) {
    if (typeof output !== 'object' || output === null) return undefined
    return input.f === 'append' ? output.tail - input.records.length : output.tail
  },
  describe: ({ tail, hash, token }) => `tail ${tail}, hash ${hash}${token === null ? '' : `, fenced by ${token}`}`,
  describeCall(input, output) {
    const answer =
      output === undefined
        ? '?'
        : output === null
          ? 'refused'
          : typeof output === 'object'
            ? `tail ${output.tail}${output.hash === undefined ? '' : `, hash ${output.hash}`}`
            : String(output)
    if (input.f === 'append')
      return `append ${input.records.join(', ')}${input.matchTail === undefined ? '' : ` at ${input.matchTail}`} → ${answer}`
    return input.f === 'fence' ? `fence ${input.token}` : `${input.f} → ${answer}`
  },
}
