// The body reader against msgpackr, and against bytes that lie.
import fc from 'fast-check'
import { Packr } from 'msgpackr/pack'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from './errors.ts'
import { BODY_VALUES_MAX, NESTING_DEPTH_MAX } from './limits.ts'
import { MsgpackReader } from './msgpack-reader.ts'

const packr = new Packr({ useRecords: false, int64AsType: 'number', moreTypes: false, structuredClone: false })
const reader = new MsgpackReader()
const read = (bytes: Uint8Array): unknown => reader.read(bytes, 0, bytes.byteLength)
const bytesOf = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes)
const nested = (depth: number): Uint8Array => bytesOf(...Array.from({ length: depth - 1 }, () => 0x91), 0x90)

function refusal(bytes: Uint8Array): string {
  try {
    read(bytes)
  } catch (error) {
    if (error instanceof ProtocolError && error.code === 'bad_frame') return error.message
    throw error
  }
  return 'accepted'
}

const leaf = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true }).map(value => value + 0),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.uint8Array({ maxLength: 300 }),
)
const value = fc.letrec(tie => ({
  any: fc.oneof({ depthSize: 'small', maxDepth: NESTING_DEPTH_MAX - 1 }, leaf, fc.array(tie('any'), { maxLength: 20 })),
})).any

describe('bodies', () => {
  it('[FR7] are read as msgpackr wrote them', () => {
    fc.assert(
      fc.property(value, original => {
        expect(read(new Uint8Array(packr.pack(original)))).toEqual(original)
      }),
      { seed: 1, numRuns: 500 },
    )
  })

  it('[FR7] are read as msgpackr reads them, in every format of a number or a length', () => {
    const formats = [
      bytesOf(0x7f),
      bytesOf(0xe0),
      bytesOf(0xff),
      bytesOf(0xcc, 200),
      bytesOf(0xcd, 0xff, 0xfe),
      bytesOf(0xce, 0xff, 0xff, 0xff, 0xff),
      bytesOf(0xcf, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      bytesOf(0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      bytesOf(0xd0, 0x80),
      bytesOf(0xd1, 0x80, 0),
      bytesOf(0xd2, 0x80, 0, 0, 0),
      bytesOf(0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0),
      bytesOf(0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      bytesOf(0xca, 0x3f, 0x80, 0, 0),
      bytesOf(0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 1),
      bytesOf(0xd9, 2, 0x68, 0x69),
      bytesOf(0xda, 0, 2, 0x68, 0x69),
      bytesOf(0xdb, 0, 0, 0, 2, 0x68, 0x69),
      bytesOf(0xc4, 1, 7),
      bytesOf(0xc5, 0, 1, 7),
      bytesOf(0xc6, 0, 0, 0, 1, 7),
      bytesOf(0xdc, 0, 1, 7),
      bytesOf(0xdd, 0, 0, 0, 1, 7),
    ]
    for (const bytes of formats) expect([bytes, read(bytes)]).toEqual([bytes, packr.unpack(bytes)])
  })

  it('[FR7] keep a byte order mark, also in a long string', () => {
    const text = `\uFEFF${'x'.repeat(100)}`
    expect(read(packr.pack(text))).toBe(text)
  })

  it('[FR6] may nest so deep and no deeper', () => {
    expect(refusal(nested(NESTING_DEPTH_MAX))).toBe('accepted')
    expect(refusal(nested(NESTING_DEPTH_MAX + 1))).toMatch(/deeper/)
    expect(refusal(nested(100_000))).toMatch(/deeper/)
  })

  it('[FR6] claim no more than is there', () => {
    expect(refusal(bytesOf(0xdd, 0xff, 0xff, 0xff, 0xff))).toMatch(/array of 4294967295 values in 0 bytes/)
    expect(refusal(bytesOf(0xc6, 0xff, 0xff, 0xff, 0xff, 1))).toMatch(/cut short/)
    expect(refusal(bytesOf(0xdb, 0x7f, 0xff, 0xff, 0xff, 1))).toMatch(/cut short/)
    expect(refusal(bytesOf(0x92, 1))).toMatch(/array of 2 values in 1 bytes/)
  })

  it('[FR6] hold so many values and no more', () => {
    const full = new Uint8Array(5 + BODY_VALUES_MAX).fill(0xc0)
    full.set([0xdd, BODY_VALUES_MAX >>> 24, BODY_VALUES_MAX >>> 16, BODY_VALUES_MAX >>> 8, BODY_VALUES_MAX & 0xff])
    expect(refusal(full)).toBe('accepted')
    // One more value, as the element of an array within.
    const over = new Uint8Array(full.byteLength + 1).fill(0xc0)
    over.set(full.subarray(0, 5))
    over[5] = 0x91
    expect(refusal(over)).toMatch(/more than/)
  })

  it('[FR6] have neither maps, extensions, reserved formats, broken text nor anything behind', () => {
    expect(refusal(bytesOf(0x80))).toMatch(/a map/)
    expect(refusal(bytesOf(0x81, 1, 1))).toMatch(/a map/)
    for (const format of [0xc1, 0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xde, 0xdf])
      expect(refusal(bytesOf(format, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))).toMatch(/format 0x/)
    expect(refusal(bytesOf(0xa2, 0xc3, 0x28))).toMatch(/UTF-8/)
    expect(refusal(bytesOf(0xa3, 0xed, 0xa0, 0x80))).toMatch(/UTF-8/)
    expect(refusal(bytesOf(1, 1))).toMatch(/1 bytes too many/)
    expect(refusal(bytesOf())).toMatch(/cut short/)
  })

  it('[FR6] that are cut or changed anywhere give a value or bad_frame, and nothing else', () => {
    fc.assert(
      fc.property(value, fc.nat(), fc.nat(255), (original, where, byte) => {
        const bytes = new Uint8Array(packr.pack(original))
        refusal(bytes.subarray(0, where % bytes.byteLength))
        bytes[where % bytes.byteLength] = byte
        refusal(bytes)
      }),
      { seed: 2, numRuns: 500 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), bytes => void refusal(bytes)),
      { seed: 3, numRuns: 2_000 },
    )
  })
})
