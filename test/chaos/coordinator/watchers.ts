// Watchers that look on from the beginning while everything breaks, and what they owe: every change, once, in order, as one
// that comes when all is quiet reads it from the same history.
import type { Client, WatchEvent } from '@atoll/client/core'
import { type Change, checkWatches, type WatchEvent as Recorded, RevisionedHistory, type Watch, type WatchResponse } from '@atoll/history'

/** For the last change to reach a watcher that was cut off a moment ago, in milliseconds. */
const REACH_MS_MAX = 10_000

/** What is watched: all keys with a prefix, which here is also where the range of the history ends. */
const rangeOf = (prefix: string): { readonly key: string; readonly to: string } => ({
  key: prefix,
  to: `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`,
})

class Watcher {
  readonly #watch: ReturnType<Client['kv']['watch']>
  readonly #from: number
  readonly #events: WatchEvent[] = []
  readonly #ended: Promise<unknown>
  readonly #reached: { readonly revision: number; readonly tell: () => void }[] = []
  failure: Error | undefined

  constructor(client: Client, prefix: string, from: number) {
    this.#from = from
    this.#watch = client.kv.watch({ prefix }, { fromRevision: from, previous: true })
    this.#ended = this.#receive().catch((error: unknown) => {
      this.failure = error as Error
    })
  }

  get changes(): readonly Change[] {
    return this.#events.map(event => ({ type: event.kind, key: event.key, value: valueOf(event), revision: event.revision }))
  }

  /** Resolves once an event of `revision` came; false when that takes too long. */
  async reached(revision: number): Promise<boolean> {
    if (this.#events.some(event => event.revision >= revision)) return true
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<false>(resolve => {
      timer = setTimeout(() => resolve(false), REACH_MS_MAX)
    })
    const there = new Promise<true>(resolve => this.#reached.push({ revision, tell: () => resolve(true) }))
    const result = await Promise.race([there, late])
    clearTimeout(timer)
    return result
  }

  async end(): Promise<void> {
    await this.#watch.return()
    await this.#ended
  }

  /** As the checker reads it: what came of one revision is one response, since that is how applications get it. */
  recorded(watcher: string, prefix: string, mustReach: number): Watch {
    const responses: WatchResponse[] = []
    for (const event of this.#events) {
      const last = responses.at(-1)
      const row: Recorded = {
        type: event.kind,
        key: event.key,
        value: valueOf(event),
        revision: event.revision,
        previous: event.previous?.value ?? null,
        ...(event.kind === 'put' ? { isCreate: event.entry.version === 1 } : {}),
      }
      if (last?.revision === event.revision) responses[responses.length - 1] = { ...last, events: [...last.events, row] }
      else responses.push({ revision: event.revision, events: [row] })
    }
    return { watcher, ...rangeOf(prefix), streams: [{ fromRevision: this.#from, responses }], mustReach }
  }

  async #receive(): Promise<void> {
    for await (const event of this.#watch) {
      this.#events.push(event)
      for (const { revision, tell } of this.#reached) if (event.revision >= revision) tell()
    }
  }
}

function valueOf(event: WatchEvent): string | null {
  return event.kind === 'put' ? event.value : null
}

export class Watchers {
  /** Every value that was ever written, once the verdict is there. */
  readonly written = new Set<string>()
  readonly #watching: { readonly prefix: string; readonly watcher: Watcher }[]

  /** One for each prefix, from the first revision on. */
  constructor(client: Client, prefixes: readonly string[]) {
    this.#watching = prefixes.map(prefix => ({ prefix, watcher: new Watcher(client, prefix, 1) }))
  }

  /** Ends all; says what was wrong with what came. `acknowledged` are revisions of changes that certainly happened. */
  async verdict(client: Client, all: string, marker: string, acknowledged: ReadonlySet<number>): Promise<readonly string[]> {
    const { revision } = await client.kv.put(marker, 'the end', { timeoutMs: REACH_MS_MAX })
    const quiet = new Watcher(client, all, 1)
    const wrong: string[] = []
    if (!(await quiet.reached(revision))) wrong.push(`a new watch does not come to revision ${revision}: ${String(quiet.failure)}`)
    const truth = new RevisionedHistory(quiet.changes)
    for (const { value } of truth.changes) if (value !== null) this.written.add(value)
    const there = new Set(truth.changes.map(change => change.revision))
    for (const known of acknowledged) if (!there.has(known)) wrong.push(`revision ${known} was acknowledged and is not in the history`)
    const recorded: Watch[] = []
    for (const { prefix, watcher } of this.#watching) {
      const wanted = marker.startsWith(prefix) ? revision : 0
      if (wanted > 0 && !(await watcher.reached(wanted))) wrong.push(`the watch of ${prefix} does not come to ${wanted}`)
      if (watcher.failure !== undefined) wrong.push(`the watch of ${prefix} failed: ${String(watcher.failure)}`)
      await watcher.end()
      recorded.push(watcher.recorded(prefix, prefix, wanted))
    }
    await quiet.end()
    const { violations } = checkWatches(recorded, truth)
    return [...wrong, ...violations.map(({ property, watcher, message }) => `${property} (${watcher}): ${message}`)]
  }
}
