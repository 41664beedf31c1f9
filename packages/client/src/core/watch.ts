// Watching keys: every change from a revision on, in order, without gap or repeat, through any change of coordinators. A
// revision is handed on whole or not at all, and what was handed on is where a broken stream is resumed (etcd: "Watch").
import { coordinatorStatus, kvWatch, type Revision, type WatchEventRow } from '@atoll/protocol'
import { AtollError } from './atoll-error.ts'
import { type Entry, type Selection, selectionOf, textEntry } from './entries.ts'
import { WATCH_PROGRESS_MS } from './limits.ts'
import { ResumedStream, type StreamOptions, type StreamParts } from './resumed-stream.ts'

export interface WatchOptions extends StreamOptions {
  /** The first revision wanted. Default: the one after the current. */
  readonly fromRevision?: number | undefined
  /** Tell what was there before. */
  readonly previous?: boolean | undefined
  /** Which events. Default: both. */
  readonly events?: 'puts' | 'deletes' | 'both' | undefined
}

export type WatchEvent =
  | {
      readonly kind: 'put'
      readonly key: string
      readonly value: string
      readonly revision: Revision
      readonly entry: Entry
      readonly previous: Entry | undefined
    }
  | { readonly kind: 'delete'; readonly key: string; readonly revision: Revision; readonly previous: Entry | undefined }

/** Events in order, once, for one reader. Leaving the loop ends it. */
export class Watch implements AsyncIterableIterator<WatchEvent> {
  readonly #parts: StreamParts
  readonly #stream: ResumedStream<typeof kvWatch>
  /** The first revision not handed on in full; 0 until it is known where the watch begins. */
  #next: number
  #events: WatchEvent[] = []
  #at = 0
  /** Events of a revision whose rest is still to come. */
  #withheld: WatchEventRow[] = []
  #begun: Promise<Revision> | undefined
  #turn: Promise<unknown> = Promise.resolve()

  constructor(parts: StreamParts, selection: Selection, options: WatchOptions = {}) {
    const { fromRevision = 0, previous = false, events = 'both' } = options
    this.#parts = parts
    this.#next = fromRevision
    const wanted = { selection: selectionOf(selection), puts: events !== 'deletes', deletes: events !== 'puts', wantPrevious: previous }
    const request = () => {
      this.#withheld = []
      return { ...wanted, fromRevision: this.#next as Revision, progressMs: WATCH_PROGRESS_MS }
    }
    this.#stream = new ResumedStream(parts, kvWatch, request, options)
    this.#begun = this.#begin()
    this.#begun.catch(() => {
      // Told to whoever asks for `ready` or for an event.
    })
  }

  /** Resolves once the watch has begun: with the first revision that it tells of. What is written after that is seen. */
  ready(): Promise<Revision> {
    return this.#begun ?? Promise.resolve(this.#next as Revision)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Calls that do not wait for each other are answered in turn, as those of an async generator are. */
  next(): Promise<IteratorResult<WatchEvent>> {
    const answer = this.#turn.then(() => this.#nextEvent())
    this.#turn = answer.catch(() => {
      // Told to whoever asked.
    })
    return answer
  }

  async #nextEvent(): Promise<IteratorResult<WatchEvent>> {
    if (this.#begun !== undefined) {
      await this.#begun
      this.#begun = undefined
    }
    for (;;) {
      const event = this.#events[this.#at]
      if (event !== undefined) {
        this.#at++
        return { value: event, done: false }
      }
      if (!(await this.#receive())) return { value: undefined, done: true }
    }
  }

  async return(): Promise<IteratorResult<WatchEvent>> {
    this.#stream.end()
    this.#events = []
    this.#at = 0
    return { value: undefined, done: true }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  async #begin(): Promise<Revision> {
    await this.#receive()
    return this.#next as Revision
  }

  /** The next item of the stream; false when there will be none. */
  async #receive(): Promise<boolean> {
    const item = await this.#stream.next().catch((error: unknown) => this.#explain(error))
    if (item === undefined) return false
    const rows = this.#withheld.length === 0 ? item.events : [...this.#withheld, ...item.events]
    // All of one item but the last revision, when that goes on in the next.
    const whole = item.complete ? rows : rows.filter(({ entry }) => entry.modRevision <= item.throughRevision)
    this.#withheld = item.complete ? [] : rows.slice(whole.length)
    this.#next = Math.max(this.#next, item.throughRevision + 1)
    this.#events = whole.map(eventOf)
    this.#at = 0
    return true
  }

  /** Whoever lost the thread needs to know from where on there is one. */
  async #explain(error: unknown): Promise<never> {
    if (!(error instanceof AtollError) || error.code !== 'compacted') throw error
    const { compactRevision: revision } = await this.#parts.requests.read(coordinatorStatus, {})
    throw new AtollError(
      'compacted',
      `kv_watch: revision ${this.#next} is compacted: read the keys as they are now, and watch from the revision after that`,
      { operation: 'kv_watch', attempts: error.attempts, outcome: 'definite', cause: error, revision },
    )
  }
}

function eventOf({ kind, entry: row, previous }: WatchEventRow): WatchEvent {
  const before = previous && textEntry(previous)
  if (kind === 'delete') return { kind, key: row.key, revision: row.modRevision, previous: before }
  const entry = textEntry(row)
  return { kind, key: row.key, value: entry.value, revision: row.modRevision, entry, previous: before }
}
