// Counting what a range selects. A page of the core looks at a bounded number of keys, so a large count is the sum of many
// pages, each in a turn of its own, all of one revision.
import { type Clock, sleep } from '@atoll/base'
import { type kvRange, ProtocolError, type RequestContext, type RequestOf } from '@atoll/protocol'
import { type Page, readPage } from './core/index.ts'
import type { Replica } from './replica.ts'

type RangeRequest = RequestOf<typeof kvRange>

/** How many keys there are. Rejects with `compacted` only for a revision that the caller named. */
export async function countSelected(replica: Replica, clock: Clock, request: RangeRequest, context: RequestContext): Promise<Page> {
  const first = await replica.read(request.consistency, context, ({ store }) => readPage(store, request))
  let [count, page] = [first.count, first]
  while (page.next !== undefined) {
    await sleep(clock, 0)
    // Nobody hears this; the caller has its error already.
    if (context.signal.aborted) throw new ProtocolError('request_cancelled')
    const { store } = replica.state
    // What was current when this began is forgotten by now: only whoever asked for the current one can have another.
    if (request.revision === 0 && first.at < store.compactRevision) return countSelected(replica, clock, request, context)
    page = readPage(store, { ...request, revision: first.at, from: page.next })
    count += page.count
  }
  return { ...page, count }
}
