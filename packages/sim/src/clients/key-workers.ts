// Work on keys: a few that everybody fights for, and one per worker that counts, so that a write that took effect twice,
// or not at all, shows in its version.
import { AtollError } from '@atoll/client/core'
import { attempted, pause, recorded, type WorkerParts } from './worker.ts'

const KEYS = ['k/a', 'k/b', 'k/c', 'k/d']
const TIMEOUT_MS = 3_000
const PAUSE_MS_MAX = 200
/** Of the past, kept by a compaction. */
const KEPT_REVISIONS = 100

/** Reads, writes, deletes, compares and sets. Key by key this is a register with a revision. */
export async function workOnKeys(parts: WorkerParts): Promise<void> {
  let written = 0
  while (!parts.stopping()) {
    await pause(parts, PAUSE_MS_MAX)
    await oneOperation(parts, KEYS[parts.random.below(KEYS.length)] as string, `${parts.name} ${written++}`)
  }
}

async function oneOperation(parts: WorkerParts, key: string, value: string): Promise<void> {
  const { kv } = parts.client
  const options = { timeoutMs: TIMEOUT_MS }
  switch (parts.random.below(10)) {
    case 0:
    case 1:
    case 2:
      return void (await recorded(
        parts,
        'get',
        key,
        null,
        () => kv.get(key, options),
        entry => ({ entry: entry === undefined ? null : { value: entry.value, modRevision: entry.revision } }),
      ))
    case 3:
    case 4:
    case 5:
      return void (await recorded(
        parts,
        'put',
        key,
        value,
        () => kv.put(key, value, options),
        ({ revision }) => ({ revision }),
      ))
    case 6:
      return void (await recorded(
        parts,
        'delete',
        key,
        null,
        () => kv.delete(key, options),
        ({ deleted, revision }) => (deleted === 0 ? { deleted: false } : { deleted: true, revision }),
      ))
    case 7:
    case 8:
      return compareAndSet(parts, key, value)
    default:
      return readTogether(parts)
  }
}

async function compareAndSet(parts: WorkerParts, key: string, value: string): Promise<void> {
  const { kv } = parts.client
  const options = { timeoutMs: TIMEOUT_MS }
  const before = await attempted(parts, 'get', () => kv.get(key, options))
  if (before instanceof AtollError) return
  const modRevision = before?.revision ?? 0
  // oxlint-disable-next-line unicorn/no-thenable -- a list, which nothing takes for a promise
  const transaction = { if: [{ key, revision: modRevision }], then: [{ put: key, value }] }
  await recorded(
    parts,
    'cas',
    key,
    { modRevision, value },
    () => kv.transaction(transaction, options),
    ({ succeeded, revision }) => (succeeded ? { succeeded, revision } : { succeeded }),
  )
}

/** All keys as of one revision: none of them can be newer than it, and none can be there twice. Now and then the past goes. */
async function readTogether(parts: WorkerParts): Promise<void> {
  const { kv } = parts.client
  const seen = await attempted(parts, 'range', () => kv.range({ prefix: 'k/' }, { timeoutMs: TIMEOUT_MS }))
  if (seen instanceof AtollError) return
  for (const { key, revision } of seen.entries)
    if (revision > seen.revision) parts.violated(`${parts.name} read ${key} of ${revision} at ${seen.revision}`)
  if (new Set(seen.entries.map(({ key }) => key)).size < seen.entries.length) parts.violated(`${parts.name} read a key twice`)
  if (parts.random.below(10) === 0 && seen.revision > KEPT_REVISIONS)
    await attempted(parts, 'compact', () => kv.compact(seen.revision - KEPT_REVISIONS, { timeoutMs: TIMEOUT_MS }))
}

/** Writes its own key again and again: the version of the key says how often that took effect. */
export async function count(parts: WorkerParts): Promise<void> {
  const key = `count/${parts.name}`
  const { kv } = parts.client
  let [atLeast, atMost] = [0, 0]
  while (!parts.stopping()) {
    await pause(parts, 2 * PAUSE_MS_MAX)
    const before = await attempted(parts, 'increment', () => kv.put(key, 'x', { previous: true, timeoutMs: TIMEOUT_MS }))
    if (before instanceof AtollError) {
      if (before.outcome === 'indefinite') atMost++
      continue
    }
    const version = before.previous?.version ?? 0
    if (version < atLeast || version > atMost)
      parts.violated(`${parts.name} wrote ${atLeast} to ${atMost} times, and its key says ${version} times`)
    // What was unknown is known now, but for requests that are still on their way.
    atLeast = version + 1
    atMost = Math.max(atMost, version) + 1
  }
}
