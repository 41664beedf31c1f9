// The key-value conversation: changes are commands as they are, reads look into the copy of this coordinator.
import { type Clock } from '@atoll/base'
import { type HandlersOf, type kvConversation } from '@atoll/protocol'
import { readKey, readPage } from '../core/index.ts'
import { countSelected } from '../counting.ts'
import type { Replica } from '../replica.ts'
import type { WatchStreams } from '../watch-streams.ts'

export function keyValueHandlers(replica: Replica, watches: WatchStreams, clock: Clock): HandlersOf<typeof kvConversation> {
  return {
    kvPut: (request, context) => replica.change({ kind: 'put', ...request }, context),
    kvGet: ({ key, revision, consistency }, context) => replica.read(consistency, context, ({ store }) => readKey(store, key, revision)),
    kvRange: (request, context) =>
      request.countOnly
        ? countSelected(replica, clock, request, context)
        : replica.read(request.consistency, context, ({ store }) => readPage(store, request)),
    kvDelete: (request, context) => replica.change({ kind: 'delete', ...request }, context),
    kvTransaction: (request, context) => replica.change({ kind: 'transaction', ...request }, context),
    kvCompact: (request, context) => replica.change({ kind: 'compact', ...request }, context),
    kvKeepHistory: (request, context) => replica.change({ kind: 'keep_history', ...request }, context),
    kvWatch: (request, context, sink) => watches.serve(request, context, sink),
  }
}
