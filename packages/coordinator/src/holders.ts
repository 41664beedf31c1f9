// Who holds what, as it is told to whoever asks.
import { CONTEST_NAMES_MAX, type lockRead, type ResponseOf } from '@atoll/protocol'
import { allWith, type Contests, type CoordinatorState, readPage } from './core/index.ts'

/** The holder of a lock, or whoever is elected. */
export function whoHolds({ store }: CoordinatorState, contests: Contests, name: string): ResponseOf<typeof lockRead> {
  const contest = contests.get(name)
  return { revision: store.revision, holder: contest?.holder, waiting: contest?.waiting.length ?? 0 }
}

/** The next names behind `after` that somebody holds, in order; none when there are no more. All of them stand in the store. */
export function heldNames({ store }: CoordinatorState, { prefix }: Contests, after: string): string[] {
  const names = { selection: allWith(prefix), revision: store.revision, limit: CONTEST_NAMES_MAX, keysOnly: true, countOnly: false }
  let page = readPage(store, { ...names, from: after === '' ? '' : `${prefix}${after}\u0000` })
  // One that looked at nothing but names that were held once.
  while (page.entries.length === 0 && page.next !== undefined) page = readPage(store, { ...names, from: page.next })
  return page.entries.map(({ key }) => key.slice(prefix.length))
}
