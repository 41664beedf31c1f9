// Field types and structs: bounds both ways, what newer versions add, and what a declaration must not promise.
import { InvariantError } from '@atoll/base'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from './errors.ts'
import { bool, bytes, type FieldType, f64, i53, i53OrNone, list, nodeName, oneOf, optional, str, u8, u16, u32 } from './field-types.ts'
import { added, FieldsCodec, field, struct } from './fields.ts'
import { BODY_VALUES_MAX, NESTING_DEPTH_MAX } from './limits.ts'
import { rpc } from './table.ts'

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (error instanceof ProtocolError) return `${error.code} ${error.message}`
    throw error
  }
  return 'accepted'
}

/** Per type: values it takes and values it refuses, the same both ways. */
const cases: readonly (readonly [string, FieldType<never>, readonly unknown[], readonly unknown[]])[] = [
  ['bool', bool(), [true, false], [0, 1, 'true', null, undefined]],
  ['u8', u8(), [0, 255], [-1, 256, 0.5, Number.NaN, '1', null]],
  ['u16 to 99', u16({ max: 99 }), [0, 99], [100, -1]],
  ['u32', u32(), [0, 4_294_967_295], [4_294_967_296, -1, Number.POSITIVE_INFINITY]],
  ['i53', i53(), [0, Number.MAX_SAFE_INTEGER], [Number.MAX_SAFE_INTEGER + 1, -1, 1.5]],
  ['i53, or -1', i53OrNone(), [-1, 0, Number.MAX_SAFE_INTEGER], [Number.MAX_SAFE_INTEGER + 1, -2, 1.5]],
  ['f64', f64(), [0, -1.5, 1e300], [Number.NaN, Number.POSITIVE_INFINITY, '1']],
  ['str', str({ max: 3 }), ['', 'abc', '日本語'], ['abcd', 1, null, '\ud800', new Uint8Array(1)]],
  ['bytes', bytes({ max: 2 }), [new Uint8Array(0), new Uint8Array(2)], [new Uint8Array(3), [1], 'a']],
  ['node name', nodeName(), ['a', 'broker-1'], ['', 'A', '-a', 'a.b', 'x'.repeat(64), 1]],
] as never

describe('a field', () => {
  it.each(cases)('[FL2] %s takes what is within its bounds and refuses the rest, by name, both ways', (_, type, good, bad) => {
    for (const value of good) {
      expect(type.toWire(value as never, 'm.f')).toEqual(value)
      expect(type.fromWire(value, 'm.f')).toEqual(value)
    }
    for (const value of bad) {
      expect(refusal(() => type.toWire(value as never, 'm.f'))).toMatch(/^invalid_argument m\.f: want /)
      expect(refusal(() => type.fromWire(value, 'm.f'))).toMatch(/^malformed_message m\.f: want /)
    }
  })

  it('[FL2] with a choice sends the position of its word', () => {
    const type = oneOf('alive', 'dead')
    expect(type.toWire('dead', 'f')).toBe(1)
    expect(type.fromWire(0, 'f')).toBe('alive')
    for (const wire of [2, -1, 0.5, 'alive', null]) expect(refusal(() => type.fromWire(wire, 'f'))).toMatch(/^malformed_message f/)
    expect(refusal(() => type.toWire('gone' as never, 'f'))).toMatch(/^invalid_argument f/)
  })

  it('[FL2] that is optional or a list refuses by the place in it', () => {
    const type = list(optional(u8()), { max: 2 })
    expect(type.toWire([1, undefined], 'f')).toEqual([1, null])
    expect(type.fromWire([null, 2], 'f')).toEqual([undefined, 2])
    expect(refusal(() => type.fromWire([1, 256], 'm.f'))).toMatch(/m\.f\[1\]/)
    expect(refusal(() => type.toWire([1, 2, 3], 'm.f'))).toMatch(/^invalid_argument m\.f: want list .* got 3 values/)
    expect(refusal(() => type.fromWire('ab', 'm.f'))).toMatch(/^malformed_message m\.f/)
  })
})

describe('a set of fields', () => {
  const codec = new FieldsCodec<{ a: number; b: string; c: number }>('m', {
    a: field(u8(), ''),
    b: added(2, str({ max: 9 }), 'none', ''),
    c: added(4, u8(), 7, ''),
  })

  it('[FL3] sends an older peer only what it knows, and takes the rest as agreed', () => {
    const value = { a: 1, b: 'x', c: 2 }
    const versions: readonly (readonly [number, readonly unknown[], object])[] = [
      [1, [1], { a: 1, b: 'none', c: 7 }],
      [2, [1, 'x'], { a: 1, b: 'x', c: 7 }],
      [3, [1, 'x'], { a: 1, b: 'x', c: 7 }],
      [4, [1, 'x', 2], value],
    ]
    for (const [version, wire, read] of versions) {
      expect(codec.toWire(value, version, [])).toEqual(wire)
      expect(codec.fromWire(wire, 0, version)).toEqual(read)
    }
  })

  it('[FL3] refuses more or fewer values than its version has', () => {
    expect(refusal(() => codec.fromWire([1], 0, 2))).toBe('malformed_message m.b: missing')
    expect(refusal(() => codec.fromWire([1, 'x'], 0, 1))).toBe('malformed_message 1 values too many after m.a')
    expect(refusal(() => codec.fromWire([], 1, 1))).toBe('malformed_message m.a: missing')
  })

  it('[FL3] appends: an older field never stands behind a newer one, and a struct is closed', () => {
    expect(() => new FieldsCodec('m', { a: added(3, u8(), 0, ''), b: added(2, u8(), 0, '') })).toThrow(RangeError)
    expect(() => struct('s', { a: added(2, u8(), 0, '') })).toThrow(InvariantError)
  })

  it('[FL4] cannot be declared larger or deeper than any peer would read', () => {
    const declare = (type: FieldType<unknown>) => () =>
      rpc({ key: 1, name: 'm', doc: '', idempotent: true, request: { f: field(type, '') }, response: {}, errors: [] })
    let deep: FieldType<unknown> = u8()
    for (let depth = 1; depth < NESTING_DEPTH_MAX; depth++) deep = list(deep, { max: 1 })
    expect(declare(deep)).not.toThrow()
    expect(declare(list(deep, { max: 1 }))).toThrow(InvariantError)
    expect(declare(list(u8(), { max: BODY_VALUES_MAX / 2 }))).not.toThrow()
    expect(declare(list(list(u8(), { max: 1_024 }), { max: 2_048 }))).toThrow(InvariantError)
  })

  it('[FL2] reads any values at all or says malformed_message', () => {
    const type = struct('s', { a: u8Field, b: field(optional(str({ max: 3 })), ''), c: field(list(f64(), { max: 2 }), '') })
    const junk = fc.anything({ maxDepth: 2 })
    fc.assert(
      fc.property(fc.oneof(junk, fc.array(junk, { maxLength: 4 })), wire => {
        expect(refusal(() => type.fromWire(wire, 'm.f'))).toMatch(/^(accepted|malformed_message)/)
      }),
      { seed: 1, numRuns: 1_000 },
    )
  })
})

const u8Field = field(u8(), '')
