// A watcher: everything under one prefix, through whatever happens to coordinators. It keeps what it was told, to be compared
// with what the coordinators made of the log.
import { AtollError, type Watch as ClientWatch } from '@atoll/client/core'
import type { Watch, WatchEvent, WatchResponse } from '@atoll/history'
import { attempted, pause, type WorkerParts } from './worker.ts'

export const WATCHED_PREFIX = 'k/'
/** Exclusive: the first key behind all with the prefix. */
const WATCHED_END = 'k0'

/** One watch from its beginning until it broke for good; a new one begins then, with a sequence of its own. */
export class WatchedKeys {
  readonly name: string
  readonly fromRevision: number
  readonly #responses: { readonly revision: number; readonly events: WatchEvent[] }[] = []

  constructor(name: string, fromRevision: number) {
    this.name = name
    this.fromRevision = fromRevision
  }

  /** The last revision that it was told of. */
  get reached(): number {
    return this.#responses.at(-1)?.revision ?? this.fromRevision - 1
  }

  told(event: WatchEvent): void {
    const last = this.#responses.at(-1)
    if (last?.revision === event.revision) last.events.push(event)
    else this.#responses.push({ revision: event.revision, events: [event] })
  }

  get history(): Watch {
    const responses: readonly WatchResponse[] = this.#responses
    return { watcher: this.name, key: WATCHED_PREFIX, to: WATCHED_END, streams: [{ fromRevision: this.fromRevision, responses }] }
  }
}

/** Watches for as long as its process lives. `begun` hears of every watch that begins. */
export async function watch(parts: WorkerParts, begun: (watched: WatchedKeys) => void): Promise<void> {
  for (let life = 1; ; life++) {
    const watching = parts.client.kv.watch({ prefix: WATCHED_PREFIX }, { previous: true })
    const failed = await attempted(parts, 'watch', () => follow(watching, `${parts.name}, watch ${life}`, begun))
    if (failed instanceof AtollError) await pause(parts, 100)
  }
}

async function follow(watching: ClientWatch, name: string, begun: (watched: WatchedKeys) => void): Promise<void> {
  const watched = new WatchedKeys(name, await watching.ready())
  begun(watched)
  for await (const event of watching) {
    const { kind, key, revision } = event
    const value = event.kind === 'put' ? event.value : null
    const isCreate = event.kind === 'put' && event.entry.version === 1
    watched.told({ type: kind, key, value, revision, isCreate, previous: event.previous?.value ?? null })
  }
}
