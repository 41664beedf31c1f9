// Transactions: compare, then do one list of operations or the other (a "mini-transaction"; Aguilera et al., Sinfonia,
// SOSP 2007). Put and delete are transactions of one operation.
import {
  COMMAND_ANSWER_BYTES_MAX,
  type Compare,
  DELETE_KEYS_MAX,
  type KeyEntry,
  type KeySelection,
  OPERATION_ENTRIES_MAX,
  type Operation,
  type OperationResult,
  ProtocolError,
} from '@atoll/protocol'
import { type Draft, entryOf } from './draft.ts'
import { SCAN_VISITS_MAX, VERSION_OVERHEAD_BYTES } from './limits.ts'
import type { Version } from './revisions.ts'
import { isReserved } from './selection.ts'

export interface Transaction {
  readonly compares: readonly Compare[]
  readonly success: readonly Operation[]
  readonly failure: readonly Operation[]
}

export interface TransactionOutcome {
  readonly succeeded: boolean
  readonly results: readonly OperationResult[]
}

/** Drafts the transaction. Throws, with the draft to be thrown away, when any part of it is refused. */
export function transact(draft: Draft, { compares, success, failure }: Transaction): TransactionOutcome {
  const succeeded = compares.every(compare => holds(compare, draft.get(compare.key)))
  const answer = new AnswerBytes()
  return { succeeded, results: (succeeded ? success : failure).map(operation => operate(draft, operation, answer)) }
}

function operate(draft: Draft, operation: Operation, answer: AnswerBytes): OperationResult {
  const { kind, selection, lease, value, wantPrevious } = operation
  switch (kind) {
    case 'put': {
      if (selection.kind !== 'one' || selection.key === '') throw new ProtocolError('invalid_argument', 'a put selects one key')
      const previous = draft.put(selection.key, value, lease)
      const entries = wantPrevious && previous !== undefined ? [answer.add(entryOf(selection.key, previous))] : []
      return { entries, count: 1, next: undefined }
    }
    case 'delete': {
      const { entries, deleted } = deleteSelected(draft, selection, wantPrevious ? answer : undefined)
      if (entries.length > OPERATION_ENTRIES_MAX)
        throw new ProtocolError('answer_too_large', `${entries.length} previous entries, at most ${OPERATION_ENTRIES_MAX} are answered`)
      return { entries, count: deleted, next: undefined }
    }
    case 'range':
      return rangeDrafted(draft, operation, answer)
  }
}

/** Deletes what is selected, if that is not too much. `answer`: for the entries there were, when they are wanted. */
export function deleteSelected(
  draft: Draft,
  selection: KeySelection,
  answer: AnswerBytes | undefined,
): { readonly entries: readonly KeyEntry[]; readonly deleted: number } {
  if (isReserved(selection.key)) throw new ProtocolError('reserved_key', `${selection.key} is written by the coordinator alone`)
  const doomed: string[] = []
  let visits = 0
  for (const [key, version] of draft.scan(selection)) {
    // A wide selection passes over what is not the client's to delete.
    if (version !== undefined && !isReserved(key)) doomed.push(key)
    if (doomed.length > DELETE_KEYS_MAX || ++visits > SCAN_VISITS_MAX)
      throw new ProtocolError('range_too_large', `at most ${DELETE_KEYS_MAX} keys are deleted at once`)
  }
  const entries: KeyEntry[] = []
  for (const key of doomed) {
    const previous = draft.delete(key)
    if (previous !== undefined && answer !== undefined) entries.push(answer.add(entryOf(key, previous)))
  }
  return { entries, deleted: doomed.length }
}

function rangeDrafted(draft: Draft, { selection, limit, keysOnly }: Operation, answer: AnswerBytes): OperationResult {
  const entriesMax = Math.min(limit === 0 ? OPERATION_ENTRIES_MAX : limit, OPERATION_ENTRIES_MAX)
  const entries: KeyEntry[] = []
  let visits = 0
  for (const [key, version] of draft.scan(selection)) {
    if (++visits > SCAN_VISITS_MAX) throw new ProtocolError('range_too_large', `at most ${SCAN_VISITS_MAX} keys are looked through`)
    if (version === undefined) continue
    if (entries.length === entriesMax) return { entries, count: entries.length, next: key }
    entries.push(answer.add(entryOf(key, version, keysOnly)))
  }
  return { entries, count: entries.length, next: undefined }
}

/** The size of an answer so far. Answers of commands are remembered for retries, so they are bounded. */
export class AnswerBytes {
  #total = 0

  add(entry: KeyEntry): KeyEntry {
    this.#total += entry.key.length + entry.value.byteLength + VERSION_OVERHEAD_BYTES
    if (this.#total > COMMAND_ANSWER_BYTES_MAX)
      throw new ProtocolError('answer_too_large', `more than ${COMMAND_ANSWER_BYTES_MAX} bytes of keys and values`)
    return entry
  }
}

/** A key that is not there has numbers 0 and no value (etcd’s rule). */
function holds(compare: Compare, version: Version | undefined): boolean {
  if (compare.target === 'value') {
    if (version === undefined) return compare.is === 'not_equal'
    return relates(compareBytes(version.value, compare.value), compare.is)
  }
  return relates(numberOf(compare.target, version) - compare.number, compare.is)
}

function numberOf(target: Exclude<Compare['target'], 'value'>, version: Version | undefined): number {
  switch (target) {
    case 'version':
      return version?.version ?? 0
    case 'create_revision':
      return version?.createRevision ?? 0
    case 'mod_revision':
      return version?.modRevision ?? 0
    case 'lease':
      return version?.lease ?? 0
  }
}

function relates(difference: number, is: Compare['is']): boolean {
  switch (is) {
    case 'equal':
      return difference === 0
    case 'not_equal':
      return difference !== 0
    case 'less':
      return difference < 0
    case 'greater':
      return difference > 0
  }
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.byteLength, b.byteLength)
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return a.byteLength - b.byteLength
}
