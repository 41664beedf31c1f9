// The requests and answers of the revisioned store, as they stand in a history.
//   put value | delete | get | range {to} | txn {compare, success, failure}
// The key of the record is the key asked (the inclusive start of a range; anything for a txn). Answers carry what the client
// saw; a field left out is not checked.
import type { Operation } from '../operation.ts'
import { fieldsOf, integerOf, malformed, textOf, unknownFunction } from './answers.ts'

/** A stored key. `version` counts the puts since it was created. */
export interface StoreEntry {
  readonly key: string
  readonly value: string
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
}

export type SimpleRequest =
  | { readonly f: 'put'; readonly key: string; readonly value: string }
  | { readonly f: 'delete'; readonly key: string }
  | { readonly f: 'get'; readonly key: string }
  /** `to` is exclusive. */
  | { readonly f: 'range'; readonly key: string; readonly to: string }

/** One condition of a transaction. A missing key has revisions and version 0 and no value (etcd's rule). */
export interface Compare {
  readonly key: string
  readonly target: 'value' | 'createRevision' | 'modRevision' | 'version'
  readonly is: '=' | '!=' | '<' | '>'
  readonly than: string | number
}

export interface Txn {
  readonly f: 'txn'
  readonly compare: readonly Compare[]
  readonly success: readonly SimpleRequest[]
  readonly failure: readonly SimpleRequest[]
}

export type StoreRequest = SimpleRequest | Txn

/** Null where there was no such key. */
export type SimpleAnswer =
  | { readonly previous: StoreEntry | null }
  | { readonly entry: StoreEntry | null }
  | { readonly entries: readonly StoreEntry[] }

/** The whole truth about a request. `revision` is the store's after it. */
export type StoreAnswer = { readonly revision: number } & (
  | SimpleAnswer
  | { readonly succeeded: boolean; readonly results: readonly SimpleAnswer[] }
)

/** What a client recorded of an answer: as much of a StoreAnswer as it has. */
export interface StoreObservation {
  readonly revision?: number
  readonly [field: string]: unknown
}

export function storeRequest(operation: Operation): StoreRequest {
  const { f, key, input } = operation
  if (f === 'put') return { f, key, value: textOf(operation, input, 'the value put') }
  if (f === 'delete' || f === 'get') return { f, key }
  if (f === 'range') return simpleRequest(operation, { ...fieldsOf(operation, input, 'the argument of a range'), f, key })
  if (f !== 'txn') return unknownFunction(operation, ['put', 'delete', 'get', 'range', 'txn'])
  const txn = fieldsOf(operation, input, 'the argument of a txn')
  const part = (name: string) => listOf(operation, txn[name], name)
  return {
    f,
    compare: part('compare').map(item => compareOf(operation, item)),
    success: part('success').map(item => simpleRequest(operation, item)),
    failure: part('failure').map(item => simpleRequest(operation, item)),
  }
}

export function storeObservation(operation: Operation): StoreObservation {
  const fields = fieldsOf(operation, operation.output ?? {}, 'the answer')
  if (fields['revision'] !== undefined) integerOf(operation, fields['revision'], 'the revision')
  return fields
}

/** Compares and branches are optional in a txn. */
function listOf(operation: Operation, value: unknown, what: string): readonly unknown[] {
  if (value === undefined) return []
  return Array.isArray(value) ? value : malformed(operation, `${what} is not a list`)
}

function simpleRequest(operation: Operation, item: unknown): SimpleRequest {
  const fields = fieldsOf(operation, item, 'a request')
  const { f } = fields
  const key = textOf(operation, fields['key'], 'the key')
  if (f === 'put') return { f, key, value: textOf(operation, fields['value'], 'the value put') }
  if (f === 'delete' || f === 'get') return { f, key }
  if (f === 'range') return { f, key, to: textOf(operation, fields['to'], 'the end of a range') }
  return malformed(operation, `${String(f)} is no request of a txn`)
}

const TARGETS: readonly unknown[] = ['value', 'createRevision', 'modRevision', 'version']
const RELATIONS: readonly unknown[] = ['=', '!=', '<', '>']

function compareOf(operation: Operation, item: unknown): Compare {
  const fields = fieldsOf(operation, item, 'a compare')
  const { target, is, than } = fields
  if (!TARGETS.includes(target)) malformed(operation, `a txn cannot compare ${String(target)}`)
  if (!RELATIONS.includes(is)) malformed(operation, `${String(is)} is no relation`)
  if (typeof than !== (target === 'value' ? 'string' : 'number'))
    malformed(operation, `${String(target)} is compared with the wrong kind of value`)
  return { ...(fields as unknown as Compare), key: textOf(operation, fields['key'], 'the key') }
}
