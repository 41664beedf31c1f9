// What the coordinator's messages are made of: keys, selections of keys, entries, and the numbers every mutating request
// carries so that a retry takes effect once. Requests that change state are themselves the coordinator's replicated
// commands, so whatever is appended here must say what an older log meant by its silence.
import type { Brand } from '@atoll/base'
import { ProtocolError } from '../errors.ts'
import { bytes, type FieldType, i53, oneOf, str, type ValueOf } from '../field-types.ts'
import { field, struct } from '../fields.ts'
import { MiB } from '../limits.ts'

/** Position in the coordinator's store: the number of transactions that changed something. */
export type Revision = Brand<number, 'Revision'>
/** A lease: the place of its grant in the coordinator's log, so never given twice. 0 is no lease. */
export type LeaseId = Brand<number, 'LeaseId'>

/** Longest key, in bytes of UTF-8. */
export const KEY_BYTES_MAX = 1_024
/** Longest value, in bytes. */
export const VALUE_BYTES_MAX = MiB

/** True when `text` is well-formed (no lone surrogate, which UTF-8 could not carry) and takes at most `max` bytes of it. */
function fitsUtf8(text: string, max: number): boolean {
  if (text.length > max || !text.isWellFormed()) return false
  if (text.length * 3 <= max) return true
  let size = 0
  for (const character of text) {
    const point = character.codePointAt(0) as number
    size += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4
  }
  return size <= max
}

/** Text of `min` to `max` bytes of UTF-8. Keys are ordered by UTF-16 code units, as JavaScript compares strings. */
export function keyText(bounds: { readonly min: 0 | 1; readonly max: number }): FieldType<string> {
  const { min, max } = bounds
  const label = `key, ${min} to ${max} bytes`
  const text = str({ max })
  const accepts = (value: unknown) => typeof value === 'string' && value.length >= min && fitsUtf8(value, max)
  return {
    ...text,
    label,
    toWire: (value, path) => {
      if (!accepts(value)) throw new ProtocolError('invalid_argument', `${path}: want ${label}`)
      return value
    },
    fromWire: (wire, path) => {
      if (!accepts(wire)) throw new ProtocolError('malformed_message', `${path}: want ${label}`)
      return wire as string
    },
    sample: seed => `k${seed}`,
  }
}

export const storeKey = (): FieldType<string> => keyText({ min: 1, max: KEY_BYTES_MAX })

/** The keys a request is about. */
export const keySelection = struct('key selection', {
  kind: field(
    oneOf('one', 'prefix', 'between'),
    '`one`: `key` alone. `prefix`: all that begin with `key`. `between`: from `key` up to `end`.',
  ),
  key: field(keyText({ min: 0, max: KEY_BYTES_MAX }), 'The key, the prefix, or the first key (inclusive).'),
  end: field(keyText({ min: 0, max: KEY_BYTES_MAX }), 'For `between`: the first key no longer meant; empty: no end. Otherwise empty.'),
})
export type KeySelection = ValueOf<typeof keySelection>

export const keyEntry = struct('key entry', {
  key: field(storeKey(), 'The key.'),
  value: field(bytes({ max: VALUE_BYTES_MAX }), 'Its value; empty when only keys were asked for.'),
  createRevision: field(i53<Revision>(), 'The revision that created it.'),
  modRevision: field(i53<Revision>(), 'The revision that wrote it last.'),
  version: field(i53(), 'How often it was written since it was created; 1 for a new key.'),
  lease: field(i53<LeaseId>(), 'The lease it ends with; 0 for none.'),
})
export type KeyEntry = ValueOf<typeof keyEntry>

/** What makes a retry take effect once: the session’s remembered answer is given again. */
export const once = {
  session: field(i53<LeaseId>(), 'The session of the request; 0 for none, and then a retry may take effect twice.'),
  sequence: field(i53(), 'The number of the request in its session, from 1; a retry repeats it. 0 without a session.'),
  answeredBelow: field(i53(), 'The answer of every lower sequence has been received and may be forgotten.'),
}

export const revisionAfter = field(i53<Revision>(), 'The store’s revision after the request.')
export const revisionRead = field(i53<Revision>(), 'The store’s revision when it was read.')
export const consistency = field(
  oneOf('linearizable', 'local'),
  '`linearizable`: as of now, confirmed by a majority. `local`: what the node asked has applied, maybe long ago.',
)
