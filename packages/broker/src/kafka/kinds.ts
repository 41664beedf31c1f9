// The types a field of a Kafka message may have. Each knows how it stands on the wire in a given version, in its old form
// or the flexible one (KIP-482), what it is when the version does not have it, and what it is called in the docs.
import { WireError } from './wire-error.ts'
import type { WireReader } from './wire-reader.ts'
import type { WireWriter } from './wire-writer.ts'

/** Reads and writes one type in one version. */
export interface Coder<In, Out> {
  readonly read: (reader: WireReader) => Out
  readonly write: (writer: WireWriter, value: In) => void
  /** No value takes less. At least 1, so that a count can be checked against the bytes that are left. */
  readonly bytesMin: number
}

/** What a kind is made of: docs and tests walk it. */
export type Shape =
  | { readonly is: 'number'; readonly min: number; readonly max: number }
  | { readonly is: 'bool' | 'float64' | 'uuid' | 'string' | 'bytes' | 'records' }
  | { readonly is: 'array'; readonly of: AnyKind }
  | { readonly is: 'struct'; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly is: 'nullable'; readonly of: AnyKind; readonly from: number; readonly to: number }

/** `In` is what may be written, `Out` what is read. */
export interface Kind<In, Out = In> {
  readonly label: string
  readonly shape: Shape
  /** What a field is when its version does not have it and its table says nothing else. */
  readonly zero: Out
  readonly same: (one: In, other: In) => boolean
  readonly coder: (version: number, flexible: boolean) => Coder<In, Out>
}
export type AnyKind = Kind<never, unknown>

const identical = <T>(one: T, other: T): boolean => one === other

/** A kind with one form in all versions. */
function plain<T>(label: string, shape: Shape, zero: T, coder: Coder<T, T>): Kind<T> {
  return { label, shape, zero, same: identical, coder: () => coder }
}

const number = (label: string, min: number, max: number, coder: Coder<number, number>): Kind<number> =>
  plain(label, { is: 'number', min, max }, 0, coder)

export const int8 = number('int8', -0x80, 0x7f, { read: r => r.int8(), write: (w, v) => w.int8(v), bytesMin: 1 })
export const int16 = number('int16', -0x8000, 0x7fff, { read: r => r.int16(), write: (w, v) => w.int16(v), bytesMin: 2 })
export const uint16 = number('uint16', 0, 0xffff, { read: r => r.uint16(), write: (w, v) => w.uint16(v), bytesMin: 2 })
export const int32 = number('int32', -0x8000_0000, 0x7fff_ffff, { read: r => r.int32(), write: (w, v) => w.int32(v), bytesMin: 4 })
export const uint32 = number('uint32', 0, 0xffff_ffff, { read: r => r.uint32(), write: (w, v) => w.uint32(v), bytesMin: 4 })
/** Offsets and ids: an integer of 53 bits on 64 of wire; what needs more is refused, as it is inside batches. */
export const int64 = number('int64', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, {
  read: r => r.int64(),
  write: (w, v) => w.int64(v),
  bytesMin: 8,
})
/** Times and durations that a client may well set to the end of time: more than 53 bits are read as the most or least of 53. */
export const int64Clamped = number('int64', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, {
  read: r => r.int64Clamped(),
  write: (w, v) => w.int64(v),
  bytesMin: 8,
})
export const float64 = plain<number>('float64', { is: 'float64' }, 0, {
  read: r => r.float64(),
  write: (w, v) => w.float64(v),
  bytesMin: 8,
})
export const bool = plain<boolean>('bool', { is: 'bool' }, false, { read: r => r.bool(), write: (w, v) => w.bool(v), bytesMin: 1 })

/** No topic's id. */
export const NO_UUID = '0'.repeat(32)
/** 32 lower-case hexadecimal digits. */
export const uuid = plain<string>('uuid', { is: 'uuid' }, NO_UUID, { read: r => r.uuid(), write: (w, v) => w.uuid(v), bytesMin: 16 })

/** UTF-8 of at most 32,767 bytes. */
export const string: Kind<string> = {
  label: 'string',
  shape: { is: 'string' },
  zero: '',
  same: identical,
  coder: (_, flexible) => ({
    read: reader => reader.text(notNull(reader.stringLength(flexible))),
    write: (writer, value) => writer.string(value, flexible),
    bytesMin: flexible ? 1 : 2,
  }),
}

/** Copied when read: what is kept of a request does not keep the request. */
export const bytes: Kind<Uint8Array> = {
  label: 'bytes',
  shape: { is: 'bytes' },
  zero: new Uint8Array(0),
  same: (one, other) => one.length === 0 && other.length === 0,
  coder: (_, flexible) => ({
    read: reader => reader.take(notNull(reader.length(flexible))).slice(),
    write: (writer, value) => {
      writer.length(value.length, flexible)
      writer.bytes(value)
    },
    bytesMin: flexible ? 1 : 4,
  }),
}

/** Record batches. Read, they are a view of the request; written, a list of pieces that are not copied. */
export const records: Kind<Uint8Array | readonly Uint8Array[], Uint8Array> = {
  label: 'records',
  shape: { is: 'records' },
  zero: new Uint8Array(0),
  same: identical,
  coder: (_, flexible) => ({
    read: reader => reader.take(notNull(reader.length(flexible))),
    write: (writer, value) => {
      const batches = value instanceof Uint8Array ? [value] : value
      let length = 0
      for (const batch of batches) length += batch.length
      writer.length(length, flexible)
      writer.batches(batches)
    },
    bytesMin: flexible ? 1 : 4,
  }),
}

export function array<In, Out>(of: Kind<In, Out>): Kind<readonly In[], readonly Out[]> {
  return {
    label: `[${of.label}]`,
    shape: { is: 'array', of },
    zero: [],
    same: (one, other) => one.length === 0 && other.length === 0,
    coder: (version, flexible) => {
      const { read, write, bytesMin } = of.coder(version, flexible)
      return {
        read: reader => {
          const count = notNull(reader.length(flexible))
          reader.claim(count, bytesMin)
          const values: Out[] = []
          for (let index = 0; index < count; index++) values.push(read(reader))
          return values
        },
        write: (writer, values) => {
          writer.length(values.length, flexible)
          for (const value of values) write(writer, value)
        },
        bytesMin: flexible ? 1 : 4,
      }
    },
  }
}

/** The versions in which a value may be null; all by default. In others, null is refused when read and written as the kind's zero. */
export interface NullRange {
  readonly from?: number
  readonly to?: number
}

export function nullable<In, Out>(of: Kind<In, Out>, { from = 0, to = 0x7fff }: NullRange = {}): Kind<In | null, Out | null> {
  return {
    label: `${of.label}?`,
    shape: { is: 'nullable', of, from, to },
    zero: null,
    same: (one, other) => (one === null || other === null ? one === other : of.same(one, other)),
    coder: (version, flexible) => {
      const coder = of.coder(version, flexible)
      if (version < from || version > to) return neverNull(of, coder)
      return of.shape.is === 'struct' ? markedNull(coder) : lengthNull(of, coder, flexible)
    },
  }
}

function neverNull<In, Out>(of: Kind<In, Out>, coder: Coder<In, Out>): Coder<In | null, Out | null> {
  return { ...coder, write: (writer, value) => coder.write(writer, value ?? (of.zero as unknown as In)) }
}

/** Null is a length of -1, which stands where the value's own length would. */
function lengthNull<In, Out>(of: Kind<In, Out>, coder: Coder<In, Out>, flexible: boolean): Coder<In | null, Out | null> {
  const isString = of.shape.is === 'string'
  return {
    bytesMin: coder.bytesMin,
    read: reader => {
      const start = reader.at
      if ((isString ? reader.stringLength(flexible) : reader.length(flexible)) === -1) return null
      reader.at = start
      return coder.read(reader)
    },
    write: (writer, value) => {
      if (value !== null) coder.write(writer, value)
      else if (isString) writer.nullString(flexible)
      else writer.length(-1, flexible)
    },
  }
}

/** Structs have no length: a byte in front says whether there is one. */
function markedNull<In, Out>(coder: Coder<In, Out>): Coder<In | null, Out | null> {
  return {
    bytesMin: 1,
    read: reader => (reader.int8() < 0 ? null : coder.read(reader)),
    write: (writer, value) => {
      writer.int8(value === null ? -1 : 1)
      if (value !== null) coder.write(writer, value)
    },
  }
}

function notNull(length: number): number {
  if (length < 0) throw new WireError('malformed', 'null where a value has to be')
  return length
}
