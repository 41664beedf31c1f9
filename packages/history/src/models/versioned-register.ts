// One key of a revisioned store by itself: for stores that also change in ways no client sees (leases that end, other keys),
// and for long histories of many keys. A revision grows with every write of the key but need not be dense, so that of a lost
// write is unknown until somebody reads it.
//   put value -> {revision?} | delete -> {revision?, deleted?} | cas {modRevision, value} -> {succeeded, revision?}
//   get -> {entry: {value, modRevision?} | null}
import type { Model } from '../linearizability/model.ts'
import type { Operation } from '../operation.ts'
import { fieldsOf, flagOf, integerOf, optional, textOf, unknownFunction } from './answers.ts'

export interface VersionedState {
  /** Null when there is no such key. */
  readonly value: string | null
  /** Of the last write, a delete included; undefined when nobody was told. */
  readonly revision: number | undefined
  /** Inclusive lower bound of a revision that is not known; the revision itself when it is. */
  readonly floor: number
}

export type VersionedInput =
  | { readonly f: 'get' }
  | { readonly f: 'delete' }
  | { readonly f: 'put'; readonly value: string }
  /** Writes when the key's last revision is `modRevision`; 0 is a key that does not exist. */
  | { readonly f: 'cas'; readonly modRevision: number; readonly value: string }

export interface VersionedOutput {
  readonly revision?: number | undefined
  readonly deleted?: boolean | undefined
  readonly succeeded?: boolean | undefined
  /** Of a get. */
  readonly value?: string | null
}

export const versionedRegister: Model<VersionedState, VersionedInput, VersionedOutput> = {
  name: 'versioned register',
  initial: { value: null, revision: 0, floor: 0 },
  input(operation) {
    const { f, input } = operation
    if (f === 'get' || f === 'delete') return { f }
    if (f === 'put') return { f, value: textOf(operation, input, 'the value put') }
    if (f !== 'cas') return unknownFunction(operation, ['get', 'put', 'delete', 'cas'])
    const { modRevision, value } = fieldsOf(operation, input, 'the argument of a cas')
    return { f, modRevision: integerOf(operation, modRevision, 'the revision expected'), value: textOf(operation, value, 'the value put') }
  },
  output: answerOf,
  readOnly: ({ f }, output) => f === 'get' || output?.deleted === false || output?.succeeded === false,
  step(state, input, output) {
    if (input.f === 'get') return output === undefined ? state : seen(state, output)
    if (input.f === 'put') return write(state, input.value, output?.revision)
    if (input.f === 'delete') {
      if (output?.deleted !== undefined && output.deleted !== (state.value !== null)) return undefined
      return state.value === null ? state : write(state, null, output?.revision)
    }
    return compareAndSet(state, input, output)
  },
  identity: ({ value, revision, floor }) => `${revision ?? '?'}/${revision === undefined ? floor : ''}/${JSON.stringify(value)}`,
  position: ({ revision, floor }) => revision ?? floor,
  latest(input, output) {
    if (output?.revision === undefined) return undefined
    return input.f === 'get' ? output.revision : output.revision - 1
  },
  describe: ({ value, revision, floor }) => `${JSON.stringify(value)} at revision ${revision ?? `? (above ${floor})`}`,
  describeCall(input, output) {
    const answer = output === undefined ? '?' : JSON.stringify(output)
    if (input.f === 'cas') return `cas @${input.modRevision} ⇒ ${JSON.stringify(input.value)} → ${answer}`
    return input.f === 'put' ? `put ${JSON.stringify(input.value)} → ${answer}` : `${input.f} → ${answer}`
  },
}

/** A write at `revision`, which is told or not. */
function write(state: VersionedState, value: string | null, revision: number | undefined): VersionedState | undefined {
  const floor = state.revision ?? state.floor
  if (revision === undefined) return { value, revision, floor: floor + 1 }
  return revision > floor ? { value, revision, floor: revision } : undefined
}

/** A read of `output`. It may be the first to tell the revision of a lost write. */
function seen(state: VersionedState, { value, revision }: VersionedOutput): VersionedState | undefined {
  if (value !== state.value) return undefined
  // A key that is not there has no revision to compare.
  if (revision === undefined || value === null || revision === state.revision) return state
  return state.revision === undefined && revision >= state.floor ? { value, revision, floor: revision } : undefined
}

function compareAndSet(
  state: VersionedState,
  { modRevision, value }: Extract<VersionedInput, { f: 'cas' }>,
  output: VersionedOutput | undefined,
): VersionedState | undefined {
  const actual = state.value === null ? 0 : state.revision
  const certain = actual !== undefined
  const possible = certain ? actual === modRevision : modRevision >= state.floor
  if (output?.succeeded === false) return certain && possible ? undefined : state
  if (possible) return write({ ...state, revision: state.value === null ? state.revision : modRevision }, value, output?.revision)
  // Without an answer it may just as well have found another revision.
  return output === undefined ? state : undefined
}

function answerOf(operation: Operation): VersionedOutput {
  const fields = fieldsOf(operation, operation.output ?? {}, 'the answer')
  const number = (name: string) => optional(fields[name], value => integerOf(operation, value, name))
  const flag = (name: string) => optional(fields[name], value => flagOf(operation, value, name))
  if (operation.f === 'cas')
    return { revision: number('revision'), succeeded: flagOf(operation, fields['succeeded'], 'whether the cas succeeded') }
  if (operation.f !== 'get') return { revision: number('revision'), deleted: flag('deleted') }
  if (fields['entry'] === null || fields['entry'] === undefined) return { value: null }
  const entry = fieldsOf(operation, fields['entry'], 'the entry')
  const revision = optional(entry['modRevision'], value => integerOf(operation, value, 'modRevision'))
  return { value: textOf(operation, entry['value'], 'the value read'), revision }
}
