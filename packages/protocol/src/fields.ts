// Fields and structs: named values in wire order. Append new fields with `added`, never move or remove one: the order
// is the format. A body is a msgpack array, so names cost nothing on the wire.
import { assert } from '@atoll/base'
import { ProtocolError } from './errors.ts'
import type { FieldType } from './field-types.ts'

export interface Field<T> {
  readonly type: FieldType<T>
  readonly doc: string
  /** The protocol version that has it first. */
  readonly since: number
  /** What an older peer means by leaving it out; only fields added later have one. */
  readonly absent?: T
}
/** Fields in wire order: the order of the properties. */
export type Fields = Readonly<Record<string, Field<unknown>>>
/** The object a set of fields describes. */
export type ObjectOf<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never }

/** A field of the first version. */
export function field<T>(type: FieldType<T>, doc: string): Field<T> {
  return { type, doc, since: 1 }
}

/** A field that came with protocol version `since` (2 or later); an older peer’s silence means `absent`. */
export function added<T>(since: number, type: FieldType<T>, absent: T, doc: string): Field<T> {
  return { type, doc, since, absent }
}

/** Turns objects into wire arrays and back for one set of fields. */
export class FieldsCodec<T extends object> {
  /** Levels of msgpack arrays the object takes, its own included. */
  readonly depth: number
  /** Values at most, nested ones and the arrays themselves included. */
  readonly valuesMax: number
  readonly #names: readonly string[]
  readonly #fields: readonly Field<unknown>[]
  readonly #paths: readonly string[]

  constructor(owner: string, fields: Fields) {
    this.#names = Object.keys(fields)
    this.#fields = Object.values(fields)
    this.#paths = this.#names.map(name => `${owner}.${name}`)
    for (let i = 1; i < this.#fields.length; i++) {
      const [before, here] = [this.#fields[i - 1] as Field<unknown>, this.#fields[i] as Field<unknown>]
      if (here.since < before.since)
        throw new RangeError(`${this.#paths[i]}: added in version ${here.since}, after a field of version ${before.since}`)
    }
    this.depth = 1 + Math.max(0, ...this.#fields.map(one => one.type.depth))
    this.valuesMax = this.#fields.reduce((sum, one) => sum + one.type.valuesMax, 1)
  }

  /** `before`, then the wire values of `value` as protocol version `version` has them. */
  toWire(value: T, version: number, before: readonly unknown[]): unknown[] {
    const fields = this.#fields
    let count = fields.length
    while (count > 0 && (fields[count - 1] as Field<unknown>).since > version) count--
    // Of its exact length: an array that grows leaves three times its size behind.
    const wire = new Array<unknown>(before.length + count)
    for (let i = 0; i < before.length; i++) wire[i] = before[i]
    for (let i = 0; i < count; i++) {
      const given = (value as Record<string, unknown>)[this.#names[i] as string]
      wire[before.length + i] = (fields[i] as Field<unknown>).type.toWire(given, this.#paths[i] as string)
    }
    return wire
  }

  /** Reads the object from `wire`, starting at index `at`. Throws `malformed_message` naming the field. */
  fromWire(wire: readonly unknown[], at: number, version: number): T {
    const fields = this.#fields
    const out: Record<string, unknown> = {}
    let i = 0
    for (; i < fields.length; i++) {
      const one = fields[i] as Field<unknown>
      if (one.since > version) break
      if (at + i >= wire.length) throw new ProtocolError('malformed_message', `${this.#paths[i]}: missing`)
      out[this.#names[i] as string] = one.type.fromWire(wire[at + i], this.#paths[i] as string)
    }
    if (wire.length !== at + i)
      throw new ProtocolError(
        'malformed_message',
        `${wire.length - at - i} values too many after ${this.#paths[i - 1] ?? 'an empty message'}`,
      )
    for (; i < fields.length; i++) out[this.#names[i] as string] = (fields[i] as Field<unknown>).absent
    return out as T
  }

  sample(seed: number): T {
    return Object.fromEntries(this.#fields.map((one, i) => [this.#names[i], one.type.sample(seed + 31 * i)])) as T
  }
}

/** A group of fields as one value, e.g. the elements of a list. Structs are closed: a changed one is a new field. */
export function struct<F extends Fields>(name: string, fields: F): FieldType<ObjectOf<F>> {
  const codec = new FieldsCodec<ObjectOf<F>>(name, fields)
  assert(
    Object.values(fields).every(one => one.since === 1),
    `struct ${name} is closed: what came later is a new field of the message`,
  )
  const label = `${name} (${Object.entries(fields)
    .map(([key, one]) => `${key}: ${one.type.label}`)
    .join('; ')})`
  return {
    label,
    depth: codec.depth,
    valuesMax: codec.valuesMax,
    toWire: (value: ObjectOf<F> | null | undefined, path) => {
      if (typeof value !== 'object' || value === null)
        throw new ProtocolError('invalid_argument', `${path}: want ${name}, got ${typeof value}`)
      return codec.toWire(value, Number.MAX_SAFE_INTEGER, [])
    },
    fromWire: (wire, path) => {
      if (!Array.isArray(wire)) throw new ProtocolError('malformed_message', `${path}: want ${name}, got ${typeof wire}`)
      return codec.fromWire(wire, 0, Number.MAX_SAFE_INTEGER)
    },
    sample: seed => codec.sample(seed),
  }
}
