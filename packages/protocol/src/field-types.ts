// The types a field of a message may have: each knows its bounds, its form on the wire (msgpack) and its words in the
// protocol page. Both directions are checked: ours, so that a bug shows where it is made; theirs, because bytes lie.
import { assert, isDnsLabel, type NodeId } from '@atoll/base'
import { ProtocolError } from './errors.ts'

export interface FieldType<T> {
  /** As the protocol page names it, bounds included. */
  readonly label: string
  /** Levels of msgpack arrays a value takes. */
  readonly depth: number
  /** Values a value may hold at most: itself, and what it nests. */
  readonly valuesMax: number
  /** The wire value of `value`; throws `invalid_argument` naming `path`. */
  toWire(value: T, path: string): unknown
  /** The value of what was decoded; throws `malformed_message` naming `path`. */
  fromWire(wire: unknown, path: string): T
  /** A legal value, the same for the same `seed`, often at an edge: golden bytes, property tests and fuzzers start from it. */
  sample(seed: number): T
}
export type ValueOf<F> = F extends FieldType<infer T> ? T : never

/** Our own value breaks its bounds: `invalid_argument`. Theirs does: `malformed_message`. */
type Fault = 'invalid_argument' | 'malformed_message'

function refuse(fault: Fault, path: string, label: string, value: unknown): never {
  const shown =
    typeof value === 'string'
      ? `a string of ${value.length} characters`
      : value instanceof Uint8Array
        ? `${value.byteLength} bytes`
        : Array.isArray(value)
          ? `${value.length} values`
          : String(value)
  throw new ProtocolError(fault, `${path}: want ${label}, got ${shown}`)
}

/** A type whose wire form is the value itself. */
function plain<T>(label: string, accepts: (value: unknown) => boolean, sample: (seed: number) => T): FieldType<T> {
  return {
    label,
    depth: 0,
    valuesMax: 1,
    toWire: (value, path) => (accepts(value) ? value : refuse('invalid_argument', path, label, value)),
    fromWire: (wire, path) => (accepts(wire) ? (wire as T) : refuse('malformed_message', path, label, wire)),
    sample,
  }
}

/** Spreads close seeds (the finalizer of MurmurHash3), so that neighbouring fields are not alike. */
function spread(seed: number): number {
  let h = Math.imul(seed ^ (seed >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** One of the candidates, which have at least one. */
const pick = <T>(seed: number, candidates: readonly T[]): T => candidates[spread(seed) % candidates.length] as T

/** Where msgpack changes its format, and some in between. */
const NUMBERS = [0, 1, 42, 127, 128, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, Number.MAX_SAFE_INTEGER]
const TEXTS = ['', 'a', 'broker-1', '127.0.0.1', 'naïve', '日本語', '🪸', `${'long '.repeat(8)}`, 'é'.repeat(40), 'x'.repeat(300)]
const BYTE_LENGTHS = [0, 1, 16, 32, 255, 256]
const LIST_LENGTHS = [0, 1, 2, 3, 17]

/** With a comma every three digits. Not `toLocaleString`: it loads 8 MB of locale data into every process. */
export const decimal = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',')

function unsigned<T extends number>(name: string, top: number, bounds?: { readonly max: number }): FieldType<T> {
  const max = bounds?.max ?? top
  assert(max <= top, `${name} bound within its width`)
  const label = max === top ? name : `${name}, at most ${decimal(max)}`
  return plain<T>(
    label,
    v => typeof v === 'number' && v >= 0 && v <= max && Number.isInteger(v),
    seed =>
      pick(
        seed,
        [...NUMBERS, max].filter(n => n <= max),
      ) as T,
  )
}

export const bool = (): FieldType<boolean> =>
  plain(
    'bool',
    v => typeof v === 'boolean',
    seed => pick(seed, [false, true]),
  )
export const u8 = (bounds?: { readonly max: number }): FieldType<number> => unsigned('u8', 0xff, bounds)
export const u16 = (bounds?: { readonly max: number }): FieldType<number> => unsigned('u16', 0xffff, bounds)
export const u32 = (bounds?: { readonly max: number }): FieldType<number> => unsigned('u32', 0xffff_ffff, bounds)
/** A non-negative integer that a double holds exactly: 0 to 2^53 - 1. Offsets, epochs, revisions, incarnations. */
export const i53 = <T extends number = number>(): FieldType<T> => unsigned<T>('i53', Number.MAX_SAFE_INTEGER)
/** The same, or -1 for none, as Kafka's messages have it. */
export const i53OrNone = <T extends number = number>(): FieldType<T> =>
  plain<T>(
    'i53, or -1',
    v => typeof v === 'number' && v >= -1 && Number.isSafeInteger(v),
    seed => pick(seed, [-1, ...NUMBERS]) as T,
  )
/** A finite IEEE 754 double. Minus zero travels as zero. */
export const f64 = (): FieldType<number> =>
  plain(
    'f64',
    v => typeof v === 'number' && Number.isFinite(v),
    seed => pick(seed, [0, 0.5, -1, 1e-300, 12.25, 1e300]),
  )

/** Text of at most `max` UTF-16 code units, well-formed: half a surrogate pair has no UTF-8 (RFC 3629 section 3). */
export function str<T extends string = string>(bounds: { readonly max: number }): FieldType<T> {
  const { max } = bounds
  return plain<T>(
    `str, at most ${decimal(max)}`,
    v => typeof v === 'string' && v.length <= max && v.isWellFormed(),
    seed =>
      pick(
        seed,
        TEXTS.filter(text => text.length <= max),
      ) as T,
  )
}

/** At most `max` bytes, copied into the body: for large payloads use the message's attachment. */
export function bytes(bounds: { readonly max: number }): FieldType<Uint8Array> {
  const { max } = bounds
  return plain(
    `bytes, at most ${decimal(max)}`,
    v => v instanceof Uint8Array && v.byteLength <= max,
    seed => new Uint8Array(Math.min(max, pick(seed, BYTE_LENGTHS))).fill(seed % 256),
  )
}

/** A node's name: a DNS label. */
export const nodeName = (): FieldType<NodeId> =>
  plain(
    'node name',
    v => typeof v === 'string' && v.length <= 63 && isDnsLabel(v),
    seed => pick(seed, ['a', 'broker-1', 'node-42', 'x'.repeat(63)]) as NodeId,
  )

/** One of the given words; its position is what travels, so append, never move or remove. */
export function oneOf<const Words extends readonly string[]>(...words: Words): FieldType<Words[number]> {
  const label = words.map(word => `\`${word}\``).join(' \\| ')
  assert(words.length > 0 && words.length <= 0xff, 'a choice has 1 to 255 words')
  return {
    label,
    depth: 0,
    valuesMax: 1,
    toWire: (value, path) => {
      const index = words.indexOf(value)
      return index >= 0 ? index : refuse('invalid_argument', path, label, value)
    },
    fromWire: (wire, path) => (typeof wire === 'number' ? words[wire] : undefined) ?? refuse('malformed_message', path, label, wire),
    sample: seed => pick(seed, words) as Words[number],
  }
}

/** A value or nothing. */
export function optional<T>(inner: FieldType<T>): FieldType<T | undefined> {
  return {
    label: `${inner.label}, or nothing`,
    depth: inner.depth,
    valuesMax: inner.valuesMax,
    toWire: (value, path) => (value === undefined ? null : inner.toWire(value, path)),
    fromWire: (wire, path) => (wire === null ? undefined : inner.fromWire(wire, path)),
    sample: seed => (pick(seed + 1, [false, false, true]) ? undefined : inner.sample(seed)),
  }
}

/** At most `max` values of one type. */
export function list<T>(inner: FieldType<T>, bounds: { readonly max: number }): FieldType<readonly T[]> {
  const label = `list of ${inner.label} (at most ${decimal(bounds.max)})`
  return {
    label,
    depth: inner.depth + 1,
    valuesMax: 1 + bounds.max * inner.valuesMax,
    toWire: (values, path) =>
      Array.isArray(values) && values.length <= bounds.max
        ? values.map((value: T, i) => inner.toWire(value, `${path}[${i}]`))
        : refuse('invalid_argument', path, label, values),
    fromWire: (wire, path) =>
      Array.isArray(wire) && wire.length <= bounds.max
        ? wire.map((value, i) => inner.fromWire(value, `${path}[${i}]`))
        : refuse('malformed_message', path, label, wire),
    sample: seed => Array.from({ length: Math.min(bounds.max, pick(seed, LIST_LENGTHS)) }, (_, i) => inner.sample(spread(seed) + i)),
  }
}
