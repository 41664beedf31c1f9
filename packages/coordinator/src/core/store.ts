// The store: every key with its versions, in one order of revisions (multi-version concurrency control; Bernstein and
// Goodman 1983, and etcd's data model). A reader names a revision and sees the same for as long as it is not compacted,
// whatever is written meanwhile, so long reads go page by page. Compaction says at once what can no longer be read; what
// that frees is swept a little after each command. Nothing that can be observed depends on how far the sweeping is.
import { assert, present } from '@atoll/base'
import { type KeySelection, ProtocolError, type Revision } from '@atoll/protocol'
import { KeyIndex } from './key-index.ts'
import { HISTORY_BYTES_DEFAULT, HISTORY_REVISIONS_DEFAULT, VERSION_OVERHEAD_BYTES } from './limits.ts'
import { type Change, isLive, type KeyEvent, RevisionLog, revision, type Version } from './revisions.ts'
import { reaches } from './selection.ts'

/** A key with all its versions that are not swept, oldest first, at least one. */
interface History {
  readonly key: string
  readonly versions: Version[]
}

/** How much of the past is kept. */
export interface HistoryPolicy {
  readonly revisions: number
  readonly bytes: number
}

export class Store {
  readonly #keys = new KeyIndex<History>()
  #log = new RevisionLog(revision(1))
  #revision = revision(0)
  #compactRevision = revision(0)
  #liveKeys = 0
  #liveBytes = 0
  /** Events of the oldest recorded revision that are swept already. */
  #sweptEvents = 0
  /** Snapshots being written: they still need what was compacted since. */
  #pins = 0
  #policy: HistoryPolicy = { revisions: HISTORY_REVISIONS_DEFAULT, bytes: HISTORY_BYTES_DEFAULT }

  /** How many transactions changed something. */
  get revision(): Revision {
    return this.#revision
  }

  /** The first revision that can be read. */
  get compactRevision(): Revision {
    return this.#compactRevision
  }

  get liveKeys(): number {
    return this.#liveKeys
  }

  /** Size of all current keys and values, in bytes. */
  get liveBytes(): number {
    return this.#liveBytes
  }

  /** Size of what is kept only because an older revision can still be read, in bytes. */
  get historyBytes(): number {
    return this.#log.supersededThrough(this.#revision) - this.#log.supersededThrough(this.#compactRevision)
  }

  get policy(): HistoryPolicy {
    return this.#policy
  }

  /** Versions in memory that nothing can read any more. */
  get unswept(): boolean {
    return this.#log.first <= this.#compactRevision
  }

  /** The key as it is now; undefined when it is not there. */
  get(key: string): Version | undefined {
    const version = this.#keys.get(key)?.versions.at(-1)
    return isLive(version) ? version : undefined
  }

  /** The key as of `at`, which can be read. */
  getAt(key: string, at: Revision): Version | undefined {
    const history = this.#keys.get(key)
    const version = history === undefined ? undefined : asOf(history.versions, at)
    return isLive(version) ? version : undefined
  }

  /** Every selected key from `from` on that has any version, with what it is as of `at`: undefined for one not there then. */
  *scan(selection: KeySelection, at: Revision, from = ''): Generator<readonly [key: string, version: Version | undefined], void> {
    for (const { key, versions } of this.#keys.from(from > selection.key ? from : selection.key)) {
      if (!reaches(selection, key)) return
      const version = asOf(versions, at)
      yield [key, isLive(version) ? version : undefined]
    }
  }

  /** The revision to read at: `wanted`, or the current one for 0. Throws `compacted` or `future_revision`. */
  readable(wanted: Revision): Revision {
    if (wanted === 0) return this.#revision
    if (wanted > this.#revision)
      throw new ProtocolError('future_revision', `revision ${wanted} is not reached, the store is at ${this.#revision}`)
    if (wanted < this.#compactRevision)
      throw new ProtocolError('compacted', `revision ${wanted} is compacted, the first kept is ${this.#compactRevision}`)
    return wanted
  }

  /** What `at` changed; undefined when it is not reached yet, or swept. */
  changeAt(at: Revision): Change | undefined {
    return this.#log.at(at)
  }

  /** Makes the next revision of these new versions, at least one, each of a key of its own. */
  commit(writes: ReadonlyMap<string, Version>): Change {
    assert(writes.size > 0, 'a revision changes something')
    const next = revision(this.#revision + 1)
    const keys = [...writes.keys()].sort(byCodeUnits)
    const events = keys.map(key => this.#write(key, present(writes.get(key), 'a write'), next))
    const change = { revision: next, events }
    this.#revision = next
    this.#log.append(
      change,
      events.reduce((sum, event) => sum + supersededBytes(event), 0),
    )
    this.#keepPolicy()
    return change
  }

  /** Forgets what was superseded at or before `at`. Answers the first revision that can be read. */
  compact(at: Revision): Revision {
    if (at > this.#revision) throw new ProtocolError('future_revision', `revision ${at} is not reached, the store is at ${this.#revision}`)
    if (at > this.#compactRevision) this.#compactRevision = at
    return this.#compactRevision
  }

  keepHistory(policy: HistoryPolicy): void {
    this.#policy = policy
    this.#keepPolicy()
  }

  /** Drops up to `eventsMax` versions that nothing can read. */
  sweep(eventsMax: number): void {
    if (this.#pins > 0) return
    for (let left = eventsMax; left > 0 && this.unswept; left--) {
      const { events } = present(this.#log.at(this.#log.first), 'the oldest revision recorded')
      this.#sweepEvent(events[this.#sweptEvents++] as KeyEvent)
      if (this.#sweptEvents < events.length) continue
      this.#log.shift()
      this.#sweptEvents = 0
    }
  }

  /** Keeps every version that can be read now until `unpin`. */
  pin(): void {
    this.#pins++
  }

  unpin(): void {
    this.#pins--
    assert(this.#pins >= 0, 'what is unpinned was pinned')
  }

  /**
   * Versions that can be read at a revision from `compact` to `at`, in order of key and revision, behind `after`.
   * The store may have gone on since; only pinned it still has them all.
   */
  *versionsBetween(compact: Revision, at: Revision, after: string): Generator<readonly [key: string, version: Version], void> {
    for (const { key, versions } of this.#keys.from(after)) {
      if (key === after) continue
      for (let i = 0; i < versions.length; i++) {
        const version = versions[i] as Version
        if (version.modRevision > at) break
        const supersededAt = versions[i + 1]?.modRevision ?? Infinity
        if (supersededAt <= compact || (version.version === 0 && version.modRevision <= compact)) continue
        yield [key, version]
      }
    }
  }

  /** Takes the place of an empty store: as of `at`, readable from `compact` on. `restoreVersion` and `restoreEnd` follow. */
  restoreBegin(at: Revision, compact: Revision, policy: HistoryPolicy): void {
    assert(this.#revision === 0, 'a snapshot is restored into an empty store')
    this.#revision = at
    this.#compactRevision = compact
    this.#policy = policy
  }

  /** One version, in the order of `versionsBetween`. Answers the event it was, if that can still be watched. */
  restoreVersion(key: string, version: Version): KeyEvent | undefined {
    let history = this.#keys.get(key)
    const before = history?.versions.at(-1)
    if (history === undefined) this.#keys.add((history = { key, versions: [] }))
    history.versions.push(version)
    this.#count(key, before, version)
    return version.modRevision > this.#compactRevision ? { key, version, previous: isLive(before) ? before : undefined } : undefined
  }

  /** What is left of the record of revisions, once all versions are there: what each changed and superseded, in order. */
  restoreEnd(changes: readonly Change[], supersededBytes: readonly number[]): void {
    this.#log = RevisionLog.of(revision(this.#compactRevision + 1), changes, supersededBytes)
    assert(this.#log.next === this.#revision + 1, 'every revision that can be watched is there')
  }

  #write(key: string, version: Version, next: Revision): KeyEvent {
    assert(version.modRevision === next, 'a version is stamped with the revision that makes it')
    let history = this.#keys.get(key)
    const before = history?.versions.at(-1)
    const previous = isLive(before) ? before : undefined
    assert(isLive(version) || previous !== undefined, 'only what is there is deleted')
    if (history === undefined) this.#keys.add((history = { key, versions: [] }))
    history.versions.push(version)
    this.#count(key, before, version)
    return { key, version, previous }
  }

  #count(key: string, before: Version | undefined, version: Version): void {
    if (isLive(before)) {
      this.#liveKeys--
      this.#liveBytes -= versionBytes(key, before)
    }
    if (isLive(version)) {
      this.#liveKeys++
      this.#liveBytes += versionBytes(key, version)
    }
  }

  #keepPolicy(): void {
    const { revisions, bytes } = this.#policy
    if (this.#revision - this.#compactRevision > revisions) this.#compactRevision = revision(this.#revision - revisions)
    while (this.historyBytes > bytes && this.#compactRevision < this.#revision) this.#compactRevision = revision(this.#compactRevision + 1)
  }

  /** `event` can no longer be watched, nor what it superseded be read. */
  #sweepEvent({ key, version }: KeyEvent): void {
    const { versions } = present(this.#keys.get(key), 'a key with an event')
    const place = versions.indexOf(version)
    assert(place >= 0, 'a version is swept once')
    for (let gone = isLive(version) ? place : place + 1; gone > 0; gone--) versions.shift()
    if (versions.length === 0) this.#keys.remove(key)
  }
}

/** The last version made at or before `at`. */
function asOf(versions: readonly Version[], at: Revision): Version | undefined {
  let low = 0
  let high = versions.length
  // Nearly always the current one is meant.
  if (versions.length > 0 && (versions[high - 1] as Version).modRevision <= at) return versions[high - 1]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((versions[middle] as Version).modRevision <= at) low = middle + 1
    else high = middle
  }
  return versions[low - 1]
}

const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** What a version counts in bytes. Strings are counted by their length: nearly all are ASCII. */
export function versionBytes(key: string, version: Version): number {
  return VERSION_OVERHEAD_BYTES + key.length + version.value.byteLength
}

/** What an event leaves behind for those who look back; a deletion is itself kept only for them. */
export function supersededBytes({ key, version, previous }: KeyEvent): number {
  return (previous === undefined ? 0 : versionBytes(key, previous)) + (isLive(version) ? 0 : versionBytes(key, version))
}
