// Revisions and the record of them: what every revision changed, from the first that is kept to the current one. Watches
// read it instead of having queues of their own, and compaction is moving its beginning.
import { assert } from '@atoll/base'
import type { LeaseId, Revision } from '@atoll/protocol'

/** What a key was from `modRevision` until something superseded it. Never changed once made. */
export interface Version {
  /** 0 for a deletion. */
  readonly createRevision: Revision
  readonly modRevision: Revision
  /** Writes since the key was created; 0 says that it was deleted here. */
  readonly version: number
  readonly value: Uint8Array
  readonly lease: LeaseId
}

export interface KeyEvent {
  readonly key: string
  readonly version: Version
  /** The version before, when the key was there. */
  readonly previous: Version | undefined
}

/** Everything that one revision changed: each key once, in order of keys. */
export interface Change {
  readonly revision: Revision
  readonly events: readonly KeyEvent[]
}

export function revision(value: number): Revision {
  assert(Number.isSafeInteger(value) && value >= 0, 'a revision is a safe integer from 0')
  return value as Revision
}

export const isLive = (version: Version | undefined): version is Version => version !== undefined && version.version > 0

/** Freed slots at the front before they are given back. */
const SLACK_MAX = 1_024

export class RevisionLog {
  #first: Revision
  #changes: (Change | undefined)[] = []
  /** Bytes superseded by each revision and all before it, counted from where this record once began. */
  #supersededBytes: number[] = []
  /** The same of the last revision that was forgotten. */
  #baseBytes = 0
  /** Slots at the front that were forgotten. */
  #gone = 0

  /** An empty record that begins with the revision `first`. */
  constructor(first: Revision) {
    this.#first = first
  }

  /** The record of these changes, which follow one another from `first` on, with the bytes that each superseded. */
  static of(first: Revision, changes: readonly Change[], supersededBytes: readonly number[]): RevisionLog {
    const log = new RevisionLog(first)
    log.#changes = [...changes]
    let sum = 0
    log.#supersededBytes = supersededBytes.map(bytes => (sum += bytes))
    return log
  }

  /** The first revision kept. */
  get first(): Revision {
    return this.#first
  }

  /** The revision that comes next. */
  get next(): Revision {
    return revision(this.#first + this.#changes.length - this.#gone)
  }

  append(change: Change, supersededBytes: number): void {
    assert(change.revision === this.next, 'revisions follow one another')
    this.#changes.push(change)
    this.#supersededBytes.push((this.#supersededBytes.at(-1) ?? this.#baseBytes) + supersededBytes)
  }

  at(wanted: Revision): Change | undefined {
    return wanted < this.#first ? undefined : this.#changes[wanted - this.#first + this.#gone]
  }

  /** Bytes superseded up to and including `through`, since the record began. */
  supersededThrough(through: Revision): number {
    return (through < this.#first ? undefined : this.#supersededBytes[through - this.#first + this.#gone]) ?? this.#baseBytes
  }

  /** Forgets the first revision. */
  shift(): void {
    this.#baseBytes = this.supersededThrough(this.#first)
    this.#changes[this.#gone++] = undefined
    this.#first = revision(this.#first + 1)
    if (this.#gone < SLACK_MAX) return
    this.#changes = this.#changes.slice(this.#gone)
    this.#supersededBytes = this.#supersededBytes.slice(this.#gone)
    this.#gone = 0
  }
}
