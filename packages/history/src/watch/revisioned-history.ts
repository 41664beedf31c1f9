// The truth that watchers are compared with: every change the store made, by revision. It comes from the servers' log, or
// from the linearization that the checker found (`changesOf`).
import { HistoryError } from '../history-error.ts'
import type { Placed } from '../linearizability/check.ts'
import type { StoreModel, StoreState } from '../models/store.ts'

/** A change of one key, in a transaction with all others of its revision. */
export interface Change {
  readonly type: 'put' | 'delete'
  readonly key: string
  readonly value: string | null
  readonly revision: number
}

/** A change with what the key was before it. */
export interface KnownChange extends Change {
  readonly isCreate: boolean
  readonly previous: string | null
}

export class RevisionedHistory {
  readonly changes: readonly KnownChange[]
  readonly #byRevisionAndKey = new Map<string, KnownChange>()

  /** `changes` are in order of their revisions, from the first one the store ever made. Throws a HistoryError if they cannot be. */
  constructor(changes: readonly Change[]) {
    const problems: string[] = []
    const values = new Map<string, string>()
    let last = 0
    this.changes = changes.map(change => {
      const { type, key, value, revision } = change
      const previous = values.get(key) ?? null
      const known: KnownChange = { ...change, previous, isCreate: type === 'put' && previous === null }
      if (revision < last) problems.push(`revision ${revision} of ${key} follows ${last}`)
      if (this.#byRevisionAndKey.has(place(revision, key))) problems.push(`revision ${revision} changes ${key} twice`)
      if (type === 'delete' && previous === null) problems.push(`revision ${revision} deletes ${key}, which does not exist`)
      if ((value === null) !== (type === 'delete')) problems.push(`revision ${revision}: a put of ${key} has a value, a delete has none`)
      last = revision
      if (value === null) values.delete(key)
      else values.set(key, value)
      this.#byRevisionAndKey.set(place(revision, key), known)
      return known
    })
    if (problems.length > 0) throw new HistoryError(problems)
  }

  at(revision: number, key: string): KnownChange | undefined {
    return this.#byRevisionAndKey.get(place(revision, key))
  }
}

function place(revision: number, key: string): string {
  return `${revision}/${key}`
}

/** The changes that a linearization of a store's history made, by replaying it. */
export function changesOf(model: StoreModel, order: readonly Placed[]): Change[] {
  let state = model.initial
  return order.flatMap(({ operation }) => {
    const before = state
    state = model.execute(before, model.input(operation)).state
    return state === before ? [] : differences(before, state)
  })
}

function differences(before: StoreState, after: StoreState): Change[] {
  const { revision } = after
  const kept = new Set(after.entries.map(({ key }) => key))
  const deleted = before.entries
    .filter(({ key }) => !kept.has(key))
    .map(({ key }): Change => ({ type: 'delete', key, value: null, revision }))
  const written = after.entries.filter(({ modRevision }) => modRevision === revision)
  return [...deleted, ...written.map(({ key, value }): Change => ({ type: 'put', key, value, revision }))]
}
