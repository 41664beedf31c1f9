// Keys and values as applications see them: values are bytes on the wire, and mostly text to whoever reads them.
import type { KeyEntry, KeySelection, LeaseId, Revision } from '@atoll/protocol'
import { AtollError } from './atoll-error.ts'

/** What a value may be given as; text becomes UTF-8. */
export type Value = string | Uint8Array

interface EntryFacts {
  readonly key: string
  /** The revision that created it. */
  readonly createRevision: Revision
  /** The revision that wrote it last: what `previousRevision` is compared with. */
  readonly revision: Revision
  /** How often it was written since it was created; 1 for a new key. */
  readonly version: number
  /** The lease it ends with; 0 for none. */
  readonly lease: LeaseId
}

export interface BytesEntry extends EntryFacts {
  readonly value: Uint8Array
}

export interface Entry extends EntryFacts {
  /** The value as text. Bytes that are not UTF-8 are replaced; `bytes` has them as they are. */
  readonly value: string
  readonly bytes: Uint8Array
  /** The value as JSON. Throws a SyntaxError for anything else. */
  json<T = unknown>(): T
}

/** Which keys: one by its name, all with a prefix, or those from one up to another that is not meant any more. */
export type Selection = string | { readonly prefix: string } | { readonly from: string; readonly to?: string | undefined }

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function bytesOf(value: Value): Uint8Array {
  return typeof value === 'string' ? encoder.encode(value) : value
}

export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

export function bytesEntry({ key, value, createRevision, modRevision, version, lease }: KeyEntry): BytesEntry {
  return { key, value, createRevision, revision: modRevision, version, lease }
}

class TextEntry implements Entry {
  readonly key: string
  readonly value: string
  readonly createRevision: Revision
  readonly revision: Revision
  readonly version: number
  readonly lease: LeaseId
  readonly #bytes: Uint8Array
  constructor(row: KeyEntry) {
    this.key = row.key
    this.value = decoder.decode(row.value)
    this.createRevision = row.createRevision
    this.revision = row.modRevision
    this.version = row.version
    this.lease = row.lease
    this.#bytes = row.value
  }
  get bytes(): Uint8Array {
    return this.#bytes
  }
  json<T>(): T {
    return JSON.parse(this.value) as T
  }
}

export const textEntry = (row: KeyEntry): Entry => new TextEntry(row)

/** Throws an AtollError `invalid_argument` for what is no selection: programs without types get it wrong as well. */
export function selectionOf(selection: Selection): KeySelection {
  if (typeof selection === 'string') return { kind: 'one', key: selection, end: '' }
  if (Object(selection) !== selection || !('prefix' in selection || 'from' in selection))
    throw new AtollError('invalid_argument', `want a key, { prefix } or { from, to }, got ${JSON.stringify(selection)}`, {
      operation: 'kv',
    })
  if ('prefix' in selection) return { kind: 'prefix', key: selection.prefix, end: '' }
  return { kind: 'between', key: selection.from, end: selection.to ?? '' }
}
