// What a command is about to change. Everything is checked and collected here first; only a draft that was not refused is
// committed, as one revision, so a command takes effect as a whole or not at all. Reads see what was drafted before them.
import { type KeyEntry, type KeySelection, type LeaseId, ProtocolError, type Revision } from '@atoll/protocol'
import { LIVE_BYTES_MAX } from './limits.ts'
import { isLive, revision, type Version } from './revisions.ts'
import { isReserved, selects } from './selection.ts'
import { type Store, versionBytes } from './store.ts'

/** What a draft asks of leases: throws `lease_not_found` or `lease_full` unless one more key may hang on `lease`. */
export type LeaseCheck = (lease: LeaseId, key: string) => void

const NOTHING = new Uint8Array(0)
export const NO_LEASE = 0 as LeaseId

export class Draft {
  readonly #store: Store
  readonly #checkLease: LeaseCheck
  readonly #writes = new Map<string, Version>()
  #addedBytes = 0

  constructor(store: Store, checkLease: LeaseCheck) {
    this.#store = store
    this.#checkLease = checkLease
  }

  /** The revision this becomes if it changes anything: the fencing token or epoch of whatever it grants. */
  get next(): Revision {
    return revision(this.#store.revision + 1)
  }

  /** The store’s revision once this is committed. */
  get revisionAfter(): Revision {
    return this.#writes.size === 0 ? this.#store.revision : this.next
  }

  get writes(): ReadonlyMap<string, Version> {
    return this.#writes
  }

  get(key: string): Version | undefined {
    const own = this.#writes.get(key)
    return own === undefined ? this.#store.get(key) : isLive(own) ? own : undefined
  }

  /** As `Store.scan`, of the current state with what was drafted. */
  *scan(selection: KeySelection): Generator<readonly [key: string, version: Version | undefined], void> {
    const own = [...this.#writes]
      .filter(([key]) => selects(selection, key))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, version]) => [key, isLive(version) ? version : undefined] as const)
    let at = 0
    for (const stored of this.#store.scan(selection, this.#store.revision)) {
      for (; at < own.length && (own[at] as (typeof own)[0])[0] < stored[0]; at++) yield own[at] as (typeof own)[0]
      if (own[at]?.[0] === stored[0]) yield own[at++] as (typeof own)[0]
      else yield stored
    }
    yield* own.slice(at)
  }

  /** A client’s put. Answers the version before. */
  put(key: string, value: Uint8Array, lease: LeaseId): Version | undefined {
    this.#checkWritable(key)
    if (lease !== NO_LEASE) this.#checkLease(lease, key)
    const previous = this.set(key, value, lease)
    this.checkRoom()
    return previous
  }

  /** A client’s deletion. Answers the version before; undefined, and no change, when there is none. */
  delete(key: string): Version | undefined {
    if (this.get(key) === undefined) return undefined
    this.#checkWritable(key)
    return this.clear(key)
  }

  /** Writes a key, the coordinator’s own ones included. The last write of a key is the one that counts. */
  set(key: string, value: Uint8Array, lease: LeaseId): Version | undefined {
    const previous = this.#store.get(key)
    const version: Version = {
      createRevision: previous?.createRevision ?? this.next,
      modRevision: this.next,
      version: (previous?.version ?? 0) + 1,
      // A copy: what came from the log or the network would keep all of its batch or frame in memory.
      value: new Uint8Array(value),
      lease,
    }
    this.#addedBytes += versionBytes(key, version) - (previous === undefined ? 0 : versionBytes(key, previous))
    this.#writes.set(key, version)
    return previous
  }

  /** Deletes a key, the coordinator’s own ones included. */
  clear(key: string): Version | undefined {
    const previous = this.#store.get(key)
    if (previous === undefined) {
      this.#writes.delete(key)
      return undefined
    }
    this.#addedBytes -= versionBytes(key, previous)
    this.#writes.set(key, { createRevision: revision(0), modRevision: this.next, version: 0, value: NOTHING, lease: NO_LEASE })
    return previous
  }

  /** Throws `store_full` when what was drafted makes the store larger than it may be. */
  checkRoom(): void {
    if (this.#addedBytes > 0 && this.#store.liveBytes + this.#addedBytes > LIVE_BYTES_MAX)
      throw new ProtocolError('store_full', `${this.#store.liveBytes} of ${LIVE_BYTES_MAX} bytes are taken`)
  }

  #checkWritable(key: string): void {
    if (isReserved(key)) throw new ProtocolError('reserved_key', `${key} is written by the coordinator alone`)
    if (this.#writes.has(key)) throw new ProtocolError('duplicate_key', `${key} is written twice`)
  }
}

/** A version as clients see it. */
export function entryOf(key: string, version: Version, keysOnly = false): KeyEntry {
  const { createRevision, modRevision, lease } = version
  return { key, value: keysOnly ? NOTHING : version.value, createRevision, modRevision, version: version.version, lease }
}
