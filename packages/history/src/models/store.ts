// The revisioned key-value store: etcd's data model, which the coordinator's public API follows. Each request that changes
// anything raises the store's revision by one, and stamps every key it wrote with it. Keys meet in transactions and in the
// revision, so a history is checked whole, not per key; the revisions in the answers keep the search narrow all the same.
// Source: etcd's robustness tests, model/deterministic.go.
import { present } from '@atoll/base'
import { agrees, type Deterministic, type Model } from '../linearizability/model.ts'
import {
  type Compare,
  type SimpleAnswer,
  type SimpleRequest,
  type StoreAnswer,
  type StoreEntry,
  type StoreObservation,
  type StoreRequest,
  storeObservation,
  storeRequest,
} from './store-requests.ts'

export interface StoreState {
  readonly revision: number
  /** In order of their keys. */
  readonly entries: readonly StoreEntry[]
}

export type StoreModel = Model<StoreState, StoreRequest, StoreObservation> & Deterministic<StoreState, StoreRequest, StoreAnswer>

/** An empty store that has reached `revision`, or the store as the history found it. */
export function storeModel(revision = 0, entries: readonly StoreEntry[] = []): StoreModel {
  return {
    name: 'store',
    initial: { revision, entries: entries.toSorted((a, b) => (a.key < b.key ? -1 : 1)) },
    input: storeRequest,
    output: storeObservation,
    readOnly,
    execute,
    step(state, request, observed) {
      // Most candidates fail here: they belong to another revision.
      const seen = observed?.revision
      if (seen !== undefined && seen !== state.revision && seen !== state.revision + 1) return undefined
      const { state: next, output } = execute(state, request)
      return seen !== undefined && seen !== output.revision ? undefined : agrees(observed, output) ? next : undefined
    },
    identity: ({ revision: reached, entries: stored }) => `${reached}${stored.map(identityOf).join('')}`,
    position: ({ revision: reached }) => reached,
    // A put makes a revision of its own; whether the others did is not asked here.
    latest: (request, observed) => (observed?.revision === undefined ? undefined : observed.revision - (request.f === 'put' ? 1 : 0)),
    describe: ({ revision: reached, entries: stored }) =>
      `revision ${reached}: ${stored.map(({ key, value, modRevision }) => `${key}=${value}@${modRevision}`).join(', ') || 'empty'}`,
    describeCall: (request, observed) => `${describeRequest(request)} → ${observed === undefined ? '?' : describeAnswer(observed)}`,
  }
}

/** The lengths keep two keys and values apart whatever characters are in them. */
function identityOf({ key, value, createRevision, modRevision, version }: StoreEntry): string {
  return `|${key.length},${value.length},${createRevision},${modRevision},${version}:${key}${value}`
}

function readOnly(request: StoreRequest, observed?: StoreObservation): boolean {
  if (request.f === 'delete') return observed?.['previous'] === null
  if (request.f !== 'txn') return request.f !== 'put'
  const taken = observed?.['succeeded']
  const possible = [...(taken === false ? [] : request.success), ...(taken === true ? [] : request.failure)]
  return possible.every(simple => simple.f === 'get' || simple.f === 'range')
}

function execute(state: StoreState, request: StoreRequest): { state: StoreState; output: StoreAnswer } {
  if (request.f !== 'txn') {
    const { entries, answer } = apply(state.entries, request, state.revision + 1)
    const next = entries === state.entries ? state : { revision: state.revision + 1, entries }
    return { state: next, output: { revision: next.revision, ...answer } }
  }
  const succeeded = request.compare.every(compare => holds(state.entries, compare))
  const results: SimpleAnswer[] = []
  let { entries } = state
  for (const simple of succeeded ? request.success : request.failure) {
    const applied = apply(entries, simple, state.revision + 1)
    entries = applied.entries
    results.push(applied.answer)
  }
  const next = entries === state.entries ? state : { revision: state.revision + 1, entries }
  return { state: next, output: { revision: next.revision, succeeded, results } }
}

/** The entries after one request (the same list when nothing changed); what it writes carries `revision`. */
function apply(
  entries: readonly StoreEntry[],
  request: SimpleRequest,
  revision: number,
): { entries: readonly StoreEntry[]; answer: SimpleAnswer } {
  if (request.f === 'range') {
    const { key, to } = request
    return { entries, answer: { entries: entries.filter(entry => entry.key >= key && entry.key < to) } }
  }
  const index = placeOf(entries, request.key)
  const found = entries[index]?.key === request.key ? present(entries[index], 'entry') : null
  if (request.f === 'get') return { entries, answer: { entry: found } }
  if (request.f === 'delete') return { entries: found === null ? entries : entries.toSpliced(index, 1), answer: { previous: found } }
  const { key, value } = request
  const { createRevision, version } = found ?? { createRevision: revision, version: 0 }
  const put: StoreEntry = { key, value, createRevision, modRevision: revision, version: version + 1 }
  return { entries: entries.toSpliced(index, found === null ? 0 : 1, put), answer: { previous: found } }
}

/** Where `key` stands or would stand. Checked stores hold tens of keys: a walk is as good as a bisection. */
function placeOf(entries: readonly StoreEntry[], key: string): number {
  const index = entries.findIndex(entry => entry.key >= key)
  return index === -1 ? entries.length : index
}

function holds(entries: readonly StoreEntry[], { key, target, is, than }: Compare): boolean {
  const entry = entries.find(stored => stored.key === key)
  const actual = entry === undefined ? (target === 'value' ? undefined : 0) : entry[target]
  if (is === '=') return actual === than
  if (is === '!=') return actual !== than
  // A missing key's value is neither less nor greater.
  if (actual === undefined) return false
  return is === '<' ? actual < than : actual > than
}

function describeRequest(request: StoreRequest): string {
  if (request.f === 'put') return `put ${request.key}=${request.value}`
  if (request.f === 'range') return `range ${request.key}..${request.to}`
  if (request.f !== 'txn') return `${request.f} ${request.key}`
  const compares = request.compare.map(({ key, target, is, than }) => `${key}.${target} ${is} ${than}`).join(' and ')
  const branch = (requests: readonly SimpleRequest[]) => requests.map(describeRequest).join(', ') || 'nothing'
  return `txn if ${compares || 'true'} then ${branch(request.success)} else ${branch(request.failure)}`
}

/** An answer as short as it can be told: `revision 7, entry a=1@7`. */
function describeAnswer(observed: StoreObservation): string {
  const told = Object.entries(observed).map(([name, value]) => {
    if (name === 'results' && Array.isArray(value)) return `[${value.map(describeAnswer).join('; ')}]`
    if (name === 'entries' && Array.isArray(value)) return `[${value.map(describeEntry).join(', ')}]`
    return name === 'entry' || name === 'previous' ? `${name} ${describeEntry(value)}` : `${name} ${JSON.stringify(value)}`
  })
  return told.join(', ') || 'ok'
}

function describeEntry(entry: unknown): string {
  const { key = '', value, modRevision } = (entry ?? {}) as Partial<StoreEntry>
  return value === undefined ? 'none' : `${key}=${value}${modRevision === undefined ? '' : `@${modRevision}`}`
}
