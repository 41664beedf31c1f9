// Transactions as applications write them: conditions and operations as plain objects, one property saying which kind it is.
import type { Compare, kvTransaction, Operation as OperationRow, ResponseOf, Revision } from '@atoll/protocol'
import { AtollError } from './atoll-error.ts'
import { bytesOf, type Entry, type Selection, selectionOf, textEntry, type Value } from './entries.ts'
import type { PutOptions } from './kv.ts'

type Relation = 'equal' | 'not_equal' | 'less' | 'greater'

/** What must hold of a key. */
export type Condition = { readonly key: string; readonly is?: Relation | undefined } & (
  | { readonly value: Value }
  | { readonly exists: boolean }
  /** The revision that wrote it last; 0 when it is not there. With a lock’s key and token it fences. */
  | { readonly revision: number }
  | { readonly createRevision: number }
  | { readonly version: number }
  | { readonly lease: number }
)

/** What is done with keys. */
export type Operation =
  | { readonly put: string; readonly value: Value; readonly lease?: PutOptions['lease']; readonly previous?: boolean | undefined }
  | { readonly get: Selection; readonly limit?: number | undefined; readonly keysOnly?: boolean | undefined }
  | { readonly delete: Selection; readonly previous?: boolean | undefined }

export interface OperationResult {
  /** What was read, or what was there before when asked for. */
  readonly entries: readonly Entry[]
  /** Keys read, written or deleted. */
  readonly count: number
  readonly next: string | undefined
}

export interface TransactionResult {
  /** Whether the conditions held. */
  readonly succeeded: boolean
  readonly revision: Revision
  /** One for each operation done. */
  readonly results: readonly OperationResult[]
}

const NO_BYTES = new Uint8Array(0)

export function compareOf(condition: Condition): Compare {
  const { key, is = 'equal' } = condition
  const number = (target: Compare['target'], value: number): Compare => ({ key, target, is, number: value, value: NO_BYTES })
  if ('value' in condition) return { key, target: 'value', is, number: 0, value: bytesOf(condition.value) }
  if ('exists' in condition) return { ...number('version', 0), is: condition.exists ? 'greater' : 'equal' }
  if ('revision' in condition) return number('mod_revision', condition.revision)
  if ('createRevision' in condition) return number('create_revision', condition.createRevision)
  if ('version' in condition) return number('version', condition.version)
  return number('lease', condition.lease)
}

/** Throws an AtollError `invalid_argument` for what is none: these come as JSON, too. */
export function operationOf(operation: Operation): OperationRow {
  const nothing = { value: NO_BYTES, lease: 0 as OperationRow['lease'], wantPrevious: false, limit: 0, keysOnly: false }
  if ('put' in operation) {
    const { put, value, lease, previous = false } = operation
    const id = typeof lease === 'object' ? lease.id : (lease ?? nothing.lease)
    return { ...nothing, kind: 'put', selection: selectionOf(put), value: bytesOf(value), lease: id, wantPrevious: previous }
  }
  if ('get' in operation) {
    const { get, limit = 0, keysOnly = false } = operation
    return { ...nothing, kind: 'range', selection: selectionOf(get), limit, keysOnly }
  }
  if (!('delete' in operation))
    throw new AtollError('invalid_argument', `kv_transaction: an operation puts, gets or deletes, got ${JSON.stringify(operation)}`, {
      operation: 'kv_transaction',
    })
  return { ...nothing, kind: 'delete', selection: selectionOf(operation.delete), wantPrevious: operation.previous ?? false }
}

export function transactionResult({ succeeded, revision, results }: ResponseOf<typeof kvTransaction>): TransactionResult {
  return {
    succeeded,
    revision,
    results: results.map(({ entries, count, next }) => ({ entries: entries.map(textEntry), count, next })),
  }
}
