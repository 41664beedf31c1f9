// What a watcher asked for and what it was sent, as its client recorded it.

/** One change of one key. */
export interface WatchEvent {
  readonly type: 'put' | 'delete'
  readonly key: string
  /** Null in a delete. */
  readonly value: string | null
  /** The store's revision after the change. All changes of one transaction carry the same. */
  readonly revision: number
  /** A put of a key that did not exist; undefined when the client did not record it. */
  readonly isCreate?: boolean
  /** The value before the change, null when there was none; undefined when it was not asked for. */
  readonly previous?: string | null
}

/** One message of a stream. One without events is a bookmark: everything up to `revision` was sent. */
export interface WatchResponse {
  readonly revision: number
  readonly events: readonly WatchEvent[]
}

/** One connection of a watcher. A client that lost it goes on with the next. */
export interface WatchStream {
  /** The first revision wanted, inclusive. */
  readonly fromRevision: number
  readonly responses: readonly WatchResponse[]
}

/** A watcher as its user sees it: all its streams are one sequence of events, without gap or repeat. */
export interface Watch {
  readonly watcher: string
  readonly key: string
  /** Exclusive end of the keys wanted; undefined for `key` alone. */
  readonly to?: string
  /** Which changes are wanted; both when left out. */
  readonly types?: readonly WatchEvent['type'][]
  /** In the order in which they were opened. */
  readonly streams: readonly WatchStream[]
  /** Everything up to this revision must have come, because the test waited for it; unknown when left out. */
  readonly mustReach?: number
}

export function wants({ key, to, types }: Watch, event: Pick<WatchEvent, 'type' | 'key'>): boolean {
  const inRange = to === undefined ? event.key === key : event.key >= key && event.key < to
  return inRange && (types === undefined || types.includes(event.type))
}

/** `put a=1@7`, for messages. */
export function describeEvent({ type, key, value, revision }: Pick<WatchEvent, 'type' | 'key' | 'value' | 'revision'>): string {
  return `${type} ${key}${type === 'put' ? `=${value}` : ''}@${revision}`
}
