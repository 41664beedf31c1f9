// Messages of any content, from their tables: what property tests, golden bytes and fuzzers start from.
import fc from 'fast-check'
import { type Fields, fieldsOf } from './fields.ts'
import type { AnyKind } from './kinds.ts'

/** As many elements at each level at most, so that a message of five levels stays small. */
const ELEMENTS_AT_MOST = 3
/** Lengths at which a varint of the length takes one byte more are among them. */
const text = fc.oneof(
  { weight: 8, arbitrary: fc.string({ unit: 'grapheme', maxLength: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom(126, 127, 128, 129, 200).map(length => 'x'.repeat(length)) },
  { weight: 1, arbitrary: fc.constantFrom(42, 43, 63, 64).map(length => 'é'.repeat(length)) },
)
const octets = fc.uint8Array({ maxLength: 40 })

/** A message as a version has it: all fields are there, those that the version lacks with their fallback. */
export function messageArbitrary(fields: Fields, version: number): fc.Arbitrary<Record<string, unknown>> {
  return fc.record(
    Object.fromEntries(
      Object.entries(fields).map(([name, { kind, from, to, tag, fallback }]) => {
        if (version < from || version > to) return [name, fc.constant(fallback)]
        const value = kindArbitrary(kind, version)
        // A tagged field is left out half of the time, as it mostly is.
        return [name, tag === undefined ? value : fc.oneof(fc.constant(fallback), value)]
      }),
    ),
    { noNullPrototype: true },
  )
}

function kindArbitrary({ shape }: AnyKind, version: number): fc.Arbitrary<unknown> {
  switch (shape.is) {
    case 'number':
      return fc.oneof(fc.constantFrom(shape.min, shape.max, 0), fc.integer(shape))
    case 'bool':
      return fc.boolean()
    case 'float64':
      return fc.double()
    case 'uuid':
      return fc
        .uint8Array({ minLength: 16, maxLength: 16 })
        .map(bytes => [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join(''))
    case 'string':
      return text
    case 'bytes':
    case 'records':
      return octets
    case 'array':
      return fc.array(kindArbitrary(shape.of, version), { maxLength: ELEMENTS_AT_MOST })
    case 'struct':
      return messageArbitrary(fieldsOf(shape), version)
    case 'nullable': {
      const value = kindArbitrary(shape.of, version)
      return version >= shape.from && version <= shape.to ? fc.option(value, { nil: null, freq: 3 }) : value
    }
  }
}
