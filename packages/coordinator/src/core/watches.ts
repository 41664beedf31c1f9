// Watches: every change of some keys from a revision on, in order, without gap or repeat. They are no part of the replicated
// state: each node serves its own from what it has applied. The record of revisions is the queue of all of them, so a watch
// holds only positions: while it replays the past, the next revision to look at; once it has caught up, the numbers of the
// revisions that concern it and are not sent yet. A reader that does not keep up costs at most those numbers, delays nobody,
// and is cancelled with an error that lets it resume.
import { assert, present } from '@atoll/base'
import { type KeySelection, ProtocolError, type Revision, WATCH_ITEM_EVENTS_MAX, type WatchEventRow } from '@atoll/protocol'
import { entryOf } from './draft.ts'
import { REPLAY_VISITS_MAX, VERSION_OVERHEAD_BYTES, WATCH_BACKLOG_MAX, WATCH_ITEM_BYTES_MAX, WATCHES_MAX } from './limits.ts'
import { type Change, isLive, type KeyEvent, revision } from './revisions.ts'
import { selects } from './selection.ts'
import type { Store } from './store.ts'
import { WatchedKeys } from './watched-keys.ts'

export interface WatchRequest {
  readonly selection: KeySelection
  /** The first revision wanted; 0: the one after the current. */
  readonly fromRevision: Revision
  readonly puts: boolean
  readonly deletes: boolean
  readonly wantPrevious: boolean
}

/** What is sent next: events, or none and a progress mark. */
export interface WatchItem {
  /** Everything wanted up to and including this revision has been sent. */
  readonly throughRevision: Revision
  /** False: the revision of the last event goes on in the next item. */
  readonly complete: boolean
  readonly events: readonly WatchEventRow[]
}

export type Polled =
  /** Send it, then poll again. */
  | { readonly kind: 'item'; readonly item: WatchItem }
  /** Nothing in this slice of the past: poll again in another turn. */
  | { readonly kind: 'busy' }
  /** Everything is sent: wait until `applied` names this watch. */
  | { readonly kind: 'idle' }
  /** It is cancelled: end the stream with this error. */
  | { readonly kind: 'ended'; readonly error: ProtocolError }

export interface Watch {
  readonly request: WatchRequest
  /** The first revision not wholly sent. */
  next: Revision
  /** Events of `next` that are sent. */
  sentOfNext: number
  /** Revisions with something for it, not yet wholly sent; undefined while it replays the past. */
  pending: Revision[] | undefined
  error: ProtocolError | undefined
  /** Its beginning is still to be said. */
  fresh: boolean
}

export class Watches {
  #store: Store
  /** The last revision that `applied` was told of: up to here live watches know what concerns them. */
  #through: Revision
  readonly #watches = new Map<number, Watch>()
  readonly #live = new WatchedKeys()
  #lastWatch = 0

  constructor(store: Store) {
    this.#store = store
    this.#through = store.revision
  }

  get size(): number {
    return this.#watches.size
  }

  /** Begins a watch; poll it at once. Throws `compacted` or `too_many_watches`. */
  open(request: WatchRequest): number {
    if (this.#watches.size >= WATCHES_MAX) throw new ProtocolError('too_many_watches', `${WATCHES_MAX} watches are served`)
    const next = request.fromRevision === 0 ? revision(this.#through + 1) : request.fromRevision
    if (next <= this.#store.compactRevision) throw this.#compacted(next)
    const watch = ++this.#lastWatch
    this.#watches.set(watch, { request, next, sentOfNext: 0, pending: undefined, error: undefined, fresh: true })
    return watch
  }

  close(watch: number): void {
    const found = this.#watches.get(watch)
    if (found === undefined) return
    this.#live.remove(watch, found.request.selection)
    this.#watches.delete(watch)
  }

  /** A command was applied: the watches that have something to send now and had nothing before. */
  applied(change: Change | undefined): readonly number[] {
    if (change === undefined) return []
    assert(change.revision === this.#through + 1, 'watches are told of every revision, in order')
    this.#through = change.revision
    const woken: number[] = []
    for (const watch of this.#live.concerned(change.events)) {
      const found = present(this.#watches.get(watch), 'a live watch')
      const { pending } = found
      assert(pending !== undefined, 'a live watch has caught up')
      // From a revision still to come on, it wants nothing yet.
      if (change.revision < found.next || !change.events.some(event => wants(found.request, event))) continue
      if (pending.length === 0 && found.error === undefined) woken.push(watch)
      if (pending.length === WATCH_BACKLOG_MAX) this.#cancel(watch, found, slow(this.#dueOf(found)))
      else pending.push(change.revision)
    }
    return woken
  }

  /** The next item of a watch. One call is one slice of work. */
  poll(watch: number): Polled {
    const found = present(this.#watches.get(watch), 'a watch that is open')
    if (found.error !== undefined) return { kind: 'ended', error: found.error }
    if (found.fresh) {
      found.fresh = false
      return { kind: 'item', item: { throughRevision: revision(found.next - 1), complete: true, events: [] } }
    }
    const due = this.#dueOf(found)
    if (due <= this.#store.compactRevision) {
      this.#cancel(watch, found, this.#compacted(due))
      return this.poll(watch)
    }
    return found.pending === undefined ? this.#replay(watch, found) : this.#sendPending(found, found.pending)
  }

  /** A progress mark, if nothing is left to be sent: all there is so far has been. */
  progress(watch: number): WatchItem | undefined {
    const found = this.#watches.get(watch)
    if (found?.pending?.length !== 0 || found.fresh) return undefined
    found.next = this.#dueOf(found)
    return { throughRevision: revision(found.next - 1), complete: true, events: [] }
  }

  /** The state was replaced by a snapshot: all watches go on in it, from where they were. */
  reset(store: Store): readonly number[] {
    assert(store.revision >= this.#through, 'a snapshot is not older than what it replaces')
    for (const [watch, found] of this.#watches) {
      if (found.pending === undefined) continue
      found.next = this.#dueOf(found)
      this.#live.remove(watch, found.request.selection)
      found.pending = undefined
    }
    this.#store = store
    this.#through = store.revision
    return [...this.#watches.keys()]
  }

  /** Looks through the next revisions of the past; at its end the watch is live, with nothing in between. */
  #replay(watch: number, found: Watch): Polled {
    const item = new ItemBuilder(found.request)
    let visits = 0
    while (found.next <= this.#through && visits < REPLAY_VISITS_MAX) {
      const change = present(this.#store.changeAt(found.next), 'a revision that is not compacted')
      visits += change.events.length - found.sentOfNext
      if (!item.take(found, change)) return { kind: 'item', item: item.build(revision(found.next - 1), found.sentOfNext === 0) }
    }
    if (found.next > this.#through) {
      found.pending = []
      this.#live.add(watch, found.request.selection)
    }
    if (item.size > 0) return { kind: 'item', item: item.build(revision(found.next - 1), true) }
    return { kind: found.pending === undefined ? 'busy' : 'idle' }
  }

  #sendPending(found: Watch, pending: Revision[]): Polled {
    if (pending.length === 0) return { kind: 'idle' }
    const item = new ItemBuilder(found.request)
    let done = 0
    for (const due of pending) {
      const change = present(this.#store.changeAt(due), 'a revision that is not compacted')
      // What lies between did not concern this watch.
      if (due > found.next) found.next = due
      if (!item.take(found, change)) break
      done++
    }
    pending.splice(0, done)
    if (pending.length === 0) found.next = this.#dueOf(found)
    return { kind: 'item', item: item.build(revision(found.next - 1), found.sentOfNext === 0) }
  }

  #cancel(watch: number, found: Watch, error: ProtocolError): void {
    this.#live.remove(watch, found.request.selection)
    found.pending = undefined
    found.error = error
  }

  /** The first revision that may hold something that is not sent: what a live watch passed over does not concern it. */
  #dueOf({ pending, next }: Watch): Revision {
    return pending === undefined ? next : revision(Math.max(next, pending[0] ?? this.#through + 1))
  }

  #compacted(wanted: Revision): ProtocolError {
    return new ProtocolError(
      'compacted',
      `revision ${wanted} is compacted, the first that can be watched is ${this.#store.compactRevision + 1}`,
    )
  }
}

function slow(next: Revision): ProtocolError {
  return new ProtocolError('slow_watcher', `more than ${WATCH_BACKLOG_MAX} revisions behind: resume from revision ${next}`)
}

function wants({ selection, puts, deletes }: WatchRequest, { key, version }: KeyEvent): boolean {
  return (isLive(version) ? puts : deletes) && selects(selection, key)
}

/** Collects whole revisions, or a part of a large one, up to the size of an item. */
class ItemBuilder {
  readonly #request: WatchRequest
  readonly #events: WatchEventRow[] = []
  #bytes = 0

  constructor(request: WatchRequest) {
    this.#request = request
  }

  get size(): number {
    return this.#events.length
  }

  /**
   * Adds what the watch wants of a revision, from where it stopped, and moves the watch on. False when it does not fit
   * whole: what fits is in only if the item holds nothing else, so that most items end with a revision.
   */
  take(watch: Watch, { events }: Change): boolean {
    const before = this.#events.length
    for (let i = watch.sentOfNext; i < events.length; i++) {
      const event = events[i] as KeyEvent
      if (!wants(this.#request, event)) continue
      const row = rowOf(event, this.#request.wantPrevious)
      const size = sizeOf(row)
      if (this.#events.length === WATCH_ITEM_EVENTS_MAX || (this.#events.length > 0 && this.#bytes + size > WATCH_ITEM_BYTES_MAX)) {
        if (before > 0) this.#events.length = before
        else watch.sentOfNext = i
        return false
      }
      this.#events.push(row)
      this.#bytes += size
    }
    watch.next = revision(watch.next + 1)
    watch.sentOfNext = 0
    return true
  }

  build(throughRevision: Revision, complete: boolean): WatchItem {
    return { throughRevision, complete, events: this.#events }
  }
}

function rowOf({ key, version, previous }: KeyEvent, wantPrevious: boolean): WatchEventRow {
  return {
    kind: isLive(version) ? 'put' : 'delete',
    entry: entryOf(key, version),
    previous: wantPrevious && previous !== undefined ? entryOf(key, previous) : undefined,
  }
}

function sizeOf({ entry, previous }: WatchEventRow): number {
  return entry.key.length + entry.value.byteLength + (previous?.value.byteLength ?? 0) + VERSION_OVERHEAD_BYTES
}
