// Reads of the store at a revision, a page at a time: a page is bounded in entries, bytes and keys looked at, so that none
// holds the process for long, and asking on at the same revision shows one consistent picture.
import type { KeyEntry, KeySelection, Revision } from '@atoll/protocol'
import { entryOf } from './draft.ts'
import { PAGE_BYTES_MAX, PAGE_ENTRIES_MAX, SCAN_VISITS_MAX, VERSION_OVERHEAD_BYTES } from './limits.ts'
import type { Store } from './store.ts'

export interface PageRequest {
  readonly selection: KeySelection
  /** The first key wanted of those selected: `next` of the page before; empty for the first page. */
  readonly from: string
  /** 0: the current one. */
  readonly revision: Revision
  /** 0: as many as a page holds. */
  readonly limit: number
  readonly keysOnly: boolean
  /** Only count. Who counts more than a page asks on from `next` and adds up. */
  readonly countOnly: boolean
}

export interface Page {
  /** The store’s revision now. */
  readonly revision: Revision
  /** The revision read: ask on with it. */
  readonly at: Revision
  readonly entries: readonly KeyEntry[]
  readonly count: number
  /** Where to ask on from; undefined when this was all. */
  readonly next: string | undefined
}

/** One key. Throws `compacted` or `future_revision`. */
export function readKey(
  store: Store,
  key: string,
  wanted: Revision,
): { readonly revision: Revision; readonly entry: KeyEntry | undefined } {
  const version = store.getAt(key, store.readable(wanted))
  return { revision: store.revision, entry: version && entryOf(key, version) }
}

/** One page. Throws `compacted` or `future_revision`. */
export function readPage(store: Store, { selection, from, revision: wanted, limit, keysOnly, countOnly }: PageRequest): Page {
  const at = store.readable(wanted)
  const entriesMax = countOnly ? Infinity : limit === 0 ? PAGE_ENTRIES_MAX : Math.min(limit, PAGE_ENTRIES_MAX)
  const entries: KeyEntry[] = []
  let [count, bytes, visits] = [0, 0, 0]
  const page = (next: string | undefined): Page => ({ revision: store.revision, at, entries, count, next })
  for (const [key, version] of store.scan(selection, at, from)) {
    if (++visits > SCAN_VISITS_MAX) return page(key)
    if (version === undefined) continue
    const size = key.length + VERSION_OVERHEAD_BYTES + (keysOnly ? 0 : version.value.byteLength)
    if (count === entriesMax || (!countOnly && count > 0 && bytes + size > PAGE_BYTES_MAX)) return page(key)
    count++
    if (countOnly) continue
    bytes += size
    entries.push(entryOf(key, version, keysOnly))
  }
  return page(undefined)
}
