// The codec: every message in every version, both ways, with any content, and bytes that are not messages.
import { InvariantError } from '@atoll/base'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Api, api } from './api.ts'
import { apiOf, apis } from './apis.ts'
import { type Fields, field, struct, tagged } from './fields.ts'
import { beginRequest, beginResponse, isFlexible, readRequestRest, readRequestStart, readResponseStart } from './headers.ts'
import {
  array,
  bool,
  bytes,
  float64,
  int8,
  int16,
  int32,
  int64,
  int64Clamped,
  type Kind,
  nullable,
  records,
  string,
  uint16,
  uint32,
  uuid,
} from './kinds.ts'
import { BLOCK_BYTES, COPY_BYTES_MAX, ELEMENTS_MAX, STRING_BYTES_MAX } from './limits.ts'
import { messageArbitrary } from './message-arbitrary.ts'
import { WireError } from './wire-error.ts'
import { WireReader } from './wire-reader.ts'
import { WireWriter } from './wire-writer.ts'

const parts = ['request', 'response'] as const
const everyApi = Object.values(apis).map(one => ({ name: one.name, api: one as unknown as Api }))
const versionsOf = ({ from, to }: Api): readonly number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index)

const joined = (pieces: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(pieces))
const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex')
const unhex = (digits: string): Uint8Array => new Uint8Array(Buffer.from(digits.replaceAll(' ', ''), 'hex'))

/** The body of a message, without length and header. */
function encode(one: Api, part: (typeof parts)[number], version: number, value: object): Uint8Array {
  const writer = new WireWriter()
  writer.begin()
  one[part].write(writer, version, value as never)
  return joined(writer.finish()).subarray(4)
}

function fieldsOfPart(one: Api, part: (typeof parts)[number]): Fields {
  return part === 'request' ? one.requestFields : one.responseFields
}

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (error instanceof WireError) return error.code
    throw error
  }
  return 'accepted'
}

/** A message of one field, in the old form in version 0 and the flexible one in version 1. */
const single = <F extends Fields>(request: F) =>
  api({ key: 999, name: 'Single', doc: '', versions: [0, 1], flexibleFrom: 1, request, response: {} })
const bodyOf = (one: unknown, version: number, value: object): string => hex(encode(one as Api, 'request', version, value))
const readBody = <T>(one: { readonly request: { read(reader: WireReader, version: number): T } }, version: number, digits: string): T =>
  one.request.read(new WireReader(unhex(digits)), version)

describe('a message', () => {
  it.each(everyApi)('[KC1] is read as it was written ($name)', ({ api: one }) => {
    for (const version of versionsOf(one))
      for (const part of parts)
        fc.assert(
          fc.property(messageArbitrary(fieldsOfPart(one, part), version), value => {
            const octets = encode(one, part, version, value)
            expect(one[part].read(new WireReader(octets), version)).toEqual(value)
          }),
          { seed: version, numRuns: 12 },
        )
  })

  it.each(everyApi)('[KC5] that is cut off anywhere, or goes on, is refused ($name)', ({ api: one }) => {
    for (const version of versionsOf(one))
      for (const part of parts) {
        const samples = fc.sample(messageArbitrary(fieldsOfPart(one, part), version), { seed: 7, numRuns: 5 })
        const octets = samples.map(value => encode(one, part, version, value)).find(({ length }) => length < 300) ?? new Uint8Array(0)
        // In a larger buffer, so that reading past the end would find bytes.
        const around = new Uint8Array([...octets, ...octets])
        for (let end = 0; end < octets.length; end++)
          expect(refusal(() => one[part].read(new WireReader(around, 0, end), version))).not.toBe('accepted')
        if (octets.length > 0)
          expect(refusal(() => one[part].read(new WireReader(new Uint8Array([...octets, 0])), version))).toBe('malformed')
      }
  })

  it('[KC3] may leave out what has a fallback, and has it where its version does not', () => {
    const one = single({
      always: field(int8, ''),
      later: field(int16, '', { from: 1, fallback: -1 }),
      earlier: field(string, '', { to: 0, fallback: 'none' }),
    })
    expect(bodyOf(one, 0, { always: 1, later: 5 })).toBe('01 0004 6e6f6e65'.replaceAll(' ', ''))
    expect(bodyOf(one, 1, { always: 1 })).toBe('01ffff00')
    expect(readBody(one, 0, '01 0001 61')).toEqual({ always: 1, later: -1, earlier: 'a' })
    expect(readBody(one, 1, '01 0007 00')).toEqual({ always: 1, later: 7, earlier: 'none' })
  })

  it('[KC2] has one key, one name and versions in order', () => {
    const all = Object.values(apis)
    expect(new Set(all.map(({ key }) => key)).size).toBe(all.length)
    for (const [name, one] of Object.entries(apis)) {
      expect(one.name).toBe(name.charAt(0).toUpperCase() + name.slice(1))
      expect(apiOf(one.key)?.name).toBe(name)
      expect(one.advertisedFrom).toBeLessThanOrEqual(one.from)
    }
    expect(apiOf(999)).toBeUndefined()
    expect(() => apis.fetch.request.read(new WireReader(new Uint8Array(9)), 18)).toThrow(InvariantError)
  })
})

describe('a field', () => {
  /** Kind, value, its bytes in the old form, and in the flexible one when they differ. */
  const forms: readonly [name: string, kind: object, value: unknown, old: string, flexible?: string][] = [
    ['int8', int8, -2, 'fe'],
    ['int16', int16, -2, 'fffe'],
    ['uint16', uint16, 65_534, 'fffe'],
    ['int32', int32, -2, 'fffffffe'],
    ['uint32', uint32, 4_294_967_294, 'fffffffe'],
    ['int64', int64, -2, 'fffffffffffffffe'],
    ['int64, most', int64, Number.MAX_SAFE_INTEGER, '001fffffffffffff'],
    ['int64, least', int64, Number.MIN_SAFE_INTEGER, 'ffe0000000000001'],
    ['float64', float64, -1.5, 'bff8000000000000'],
    ['bool', bool, true, '01'],
    ['uuid', uuid, '00112233445566778899aabbccddeeff', '00112233445566778899aabbccddeeff'],
    ['string', string, 'né', '00036ec3a9', '046ec3a9'],
    ['string, empty', string, '', '0000', '01'],
    ['string of 126', string, 'x'.repeat(126), `007e${'78'.repeat(126)}`, `7f${'78'.repeat(126)}`],
    ['string of 127', string, 'x'.repeat(127), `007f${'78'.repeat(127)}`, `8001${'78'.repeat(127)}`],
    ['string of 127 bytes', string, `${'é'.repeat(63)}x`, `007f${'c3a9'.repeat(63)}78`, `8001${'c3a9'.repeat(63)}78`],
    ['string with a byte order mark', string, '\ufeffa', '0004efbbbf61', '05efbbbf61'],
    ['nullable string', nullable(string), null, 'ffff', '00'],
    ['bytes', bytes, new Uint8Array([1, 2]), '000000020102', '030102'],
    ['nullable bytes', nullable(bytes), null, 'ffffffff', '00'],
    ['records', records, new Uint8Array([1, 2]), '000000020102', '030102'],
    ['nullable records', nullable(records), null, 'ffffffff', '00'],
    ['array', array(int16), [1, 2], '0000000200010002', '0300010002'],
    ['nullable array', nullable(array(int16)), null, 'ffffffff', '00'],
    ['struct', struct({ a: field(int8, '') }), { a: 5 }, '05', '0500'],
    ['nullable struct', nullable(struct({ a: field(int8, '') })), { a: 5 }, '0105', '010500'],
    ['nullable struct, null', nullable(struct({ a: field(int8, '') })), null, 'ff'],
  ]
  it.each(forms)('[KC4] of kind %s stands on the wire as Kafka has it', (_, kind, value, old, flexible = old) => {
    const one = single({ f: field(kind as Kind<unknown>, '') })
    expect([bodyOf(one, 0, { f: value }), bodyOf(one, 1, { f: value })]).toEqual([old, `${flexible}00`])
    expect(readBody(one, 0, old)).toEqual({ f: value })
    expect(readBody(one, 1, `${flexible}00`)).toEqual({ f: value })
  })

  it('[KC6] with more than 53 bits is refused, or clamped where clients mean the end of time', () => {
    expect(refusal(() => readBody(single({ f: field(int64, '') }), 0, '7fffffffffffffff'))).toBe('malformed')
    expect(refusal(() => readBody(single({ f: field(int64, '') }), 0, '0020000000000000'))).toBe('malformed')
    const clamped = single({ f: field(int64Clamped, '') })
    expect(readBody(clamped, 0, '7fffffffffffffff')).toEqual({ f: Number.MAX_SAFE_INTEGER })
    expect(readBody(clamped, 0, '8000000000000000')).toEqual({ f: Number.MIN_SAFE_INTEGER })
    expect(readBody(clamped, 0, 'ffffffffffffffff')).toEqual({ f: -1 })
  })

  it('[KC7] that is null only in some versions is written as nothing in the others', () => {
    const one = single({ f: field(nullable(string, { from: 1 }), '') })
    expect([bodyOf(one, 0, { f: null }), bodyOf(one, 1, { f: null })]).toEqual(['0000', '0000'])
    expect(readBody(one, 1, '0000')).toEqual({ f: null })
    expect(refusal(() => readBody(one, 0, 'ffff'))).toBe('malformed')
    expect(refusal(() => readBody(single({ f: field(array(int8), '') }), 1, '0000'))).toBe('malformed')
  })

  it('[KC8] of our own that is out of range is a bug', () => {
    const bad: readonly (readonly [object, unknown])[] = [
      [int8, 128],
      [int16, 40_000],
      [uint16, -1],
      [int32, 2 ** 31],
      [uint32, -1],
      [int64, 2 ** 53],
      [uuid, 'abc'],
      [string, 'x'.repeat(STRING_BYTES_MAX + 1)],
    ]
    for (const [kind, value] of bad)
      expect(() => bodyOf(single({ f: field(kind as Kind<unknown>, '') }), 0, { f: value })).toThrow(InvariantError)
  })

  it('[KC9] of bytes does not keep the request that it came in; records do, and are not copied', () => {
    const frame = unhex('00000001 aa 00000001 bb')
    const one = single({ kept: field(bytes, ''), batch: field(records, '') })
    const { kept, batch } = one.request.read(new WireReader(frame), 0)
    expect([kept.buffer === frame.buffer, batch.buffer === frame.buffer]).toEqual([false, true])
  })
})

describe('tagged fields', () => {
  const one = single({
    a: tagged(0, int32, '', { from: 1, fallback: -1 }),
    b: tagged(3, array(string), '', { from: 1 }),
    c: tagged(4, struct({ d: field(int8, '', { fallback: -1 }) }), '', { from: 1 }),
  })

  it('[KC10] are written in order of their tags, and only when they say something', () => {
    expect(bodyOf(one, 1, {})).toBe('00')
    expect(bodyOf(one, 1, { a: -1, b: [], c: { d: -1 } })).toBe('00')
    expect(bodyOf(one, 1, { b: ['x'], a: 2 })).toBe('02 00 04 00000002 03 03 02 02 78'.replaceAll(' ', ''))
    expect(bodyOf(one, 1, { c: { d: 1 } })).toBe('01 04 02 01 00'.replaceAll(' ', ''))
  })

  it('[KC10] of any size have it in front', () => {
    for (const count of [1, 60, 70, 200, 5_000, 20_000]) {
      const b = Array.from({ length: count }, (_, index) => `t${index % 10}`)
      const octets = unhex(bodyOf(one, 1, { a: 1, b }))
      expect(one.request.read(new WireReader(octets), 1)).toEqual({ a: 1, b, c: { d: -1 } })
    }
  })

  it('[KC11] that are not known are passed over', () => {
    expect(readBody(one, 1, '03 00 04 00000002 01 02 ffff 7f 00'.replaceAll(' ', ''))).toEqual({ a: 2, b: [], c: { d: -1 } })
    expect(readBody(one, 0, '')).toEqual({ a: -1, b: [], c: { d: -1 } })
  })

  it('[KC11] twice, out of order, or of another length than they say are refused', () => {
    const bad = [
      '02 00 04 00000002 00 04 00000002',
      '02 05 00 00 04 00000001',
      '01 00 05 00000002 00',
      '01 00 03 00000002',
      '01 07 05 00',
      'ff',
    ]
    for (const digits of bad) expect([digits, refusal(() => readBody(one, 1, digits))]).not.toEqual([digits, 'accepted'])
  })

  it('[KC11] have no place in a version that is not flexible', () => {
    const wrong = single({ a: tagged(0, int8, '') })
    expect(() => bodyOf(wrong, 0, {})).toThrow(InvariantError)
  })
})

describe('bytes from outside', () => {
  const list = single({ f: field(array(array(int8)), '') })

  it('[KC12] get no room for more elements than they can hold', () => {
    for (const digits of ['7fffffff', '00000002 00000000', '00000001 00000002 00'])
      expect(refusal(() => readBody(list, 0, digits))).toBe('truncated')
    expect(refusal(() => readBody(list, 1, 'ffffffff0f'))).toBe('truncated')
    expect(refusal(() => readBody(list, 1, 'ffffffff1f'))).toBe('malformed')
    expect(refusal(() => readBody(list, 1, '808080808001'))).toBe('malformed')
    expect(refusal(() => readBody(list, 0, 'fffffffe'))).toBe('malformed')
  })

  it('[KC12] are not turned into more objects than one message may have', () => {
    const octets = new Uint8Array(4 + (ELEMENTS_MAX + 1) * 4)
    new DataView(octets.buffer).setInt32(0, ELEMENTS_MAX + 1)
    expect(refusal(() => list.request.read(new WireReader(octets), 0))).toBe('too_large')
    new DataView(octets.buffer).setInt32(0, ELEMENTS_MAX)
    expect(list.request.read(new WireReader(octets, 0, octets.length - 4), 0).f.length).toBe(ELEMENTS_MAX)
  })

  it('[KC13] that are not UTF-8 are no string, and a long one is refused in every version', () => {
    const text = single({ f: field(string, '') })
    expect(refusal(() => readBody(text, 0, '0002 c328'))).toBe('malformed')
    expect(refusal(() => readBody(text, 0, `0028${'78'.repeat(39)}ff`))).toBe('malformed')
    expect(refusal(() => readBody(text, 1, `818002${'78'.repeat(STRING_BYTES_MAX + 1)}00`))).toBe('too_large')
    expect(readBody(text, 1, `808002${'78'.repeat(STRING_BYTES_MAX)}00`).f.length).toBe(STRING_BYTES_MAX)
  })
})

describe('what is written', () => {
  it('[KC14] has its length in front, and record batches as pieces that were not copied', () => {
    const large = new Uint8Array(COPY_BYTES_MAX + 1).fill(7)
    const small = new Uint8Array(COPY_BYTES_MAX).fill(8)
    const writer = new WireWriter()
    const one = single({ f: field(records, ''), after: field(string, '') })
    for (let turn = 0; turn < 20; turn++) {
      writer.begin()
      one.request.write(writer, 0, { f: [large, small, large], after: 'end' })
      const pieces = writer.finish()
      expect(pieces.filter(piece => piece === large).length).toBe(2)
      const octets = joined(pieces)
      expect(new DataView(octets.buffer).getInt32(0)).toBe(octets.length - 4)
      const read = one.request.read(new WireReader(octets, 4), 0)
      expect([read.after, hex(read.f) === hex(joined([large, small, large]))]).toEqual(['end', true])
    }
  })

  it('[KC14] stays as it was when more is written', () => {
    const writer = new WireWriter()
    const one = single({ f: field(string, '') })
    const texts = Array.from({ length: 300 }, (_, index) => String(index).repeat(1 + (index % 100)))
    const written = texts.map(f => {
      writer.begin()
      one.request.write(writer, 0, { f })
      return writer.finish()
    })
    expect(written.map(pieces => one.request.read(new WireReader(joined(pieces), 4), 0).f)).toEqual(texts)
    const long = 'y'.repeat(BLOCK_BYTES - 20)
    expect(readBody(one, 1, bodyOf(one, 1, { f: long })).f).toBe(long)
  })
})

describe('headers', () => {
  it('[KC15] of requests end with tagged fields in flexible versions, and name the client in the old form in all', () => {
    const writer = new WireWriter()
    const header = (version: number): string => {
      writer.begin()
      beginRequest(writer, apis.heartbeat as unknown as Api, version, 7, 'cli')
      return hex(joined(writer.finish()))
    }
    expect(header(3)).toBe('0000000d 000c 0003 00000007 0003 636c69'.replaceAll(' ', ''))
    expect(header(4)).toBe('0000000e 000c 0004 00000007 0003 636c69 00'.replaceAll(' ', ''))
    for (const version of [3, 4]) {
      const reader = new WireReader(unhex(header(version)), 4)
      expect(readRequestStart(reader)).toEqual({ apiKey: 12, apiVersion: version, correlationId: 7 })
      expect(readRequestRest(reader, isFlexible(apis.heartbeat as unknown as Api, version))).toBe('cli')
      expect(reader.remaining).toBe(0)
    }
    expect(readRequestRest(new WireReader(unhex('ffff')), false)).toBeNull()
    expect(readRequestRest(new WireReader(unhex('0001ff')), false)).toBe('\ufffd')
    expect(readRequestRest(new WireReader(unhex('0000 01 05 02 aaaa')), true)).toBe('')
  })

  it('[KC16] of responses end with tagged fields in flexible versions, except those of ApiVersions', () => {
    const writer = new WireWriter()
    const header = (one: Api, version: number): string => {
      beginResponse(writer, one, version, 7)
      return hex(joined(writer.finish()))
    }
    expect(header(apis.heartbeat as unknown as Api, 3)).toBe('0000000400000007')
    expect(header(apis.heartbeat as unknown as Api, 4)).toBe('000000050000000700')
    for (let version = 0; version <= 4; version++) expect(header(apis.apiVersions as unknown as Api, version)).toBe('0000000400000007')
    expect(readResponseStart(unhex('0000000700'), apis.heartbeat as unknown as Api, 4, 7).remaining).toBe(0)
    expect(refusal(() => readResponseStart(unhex('00000008'), apis.heartbeat as unknown as Api, 3, 7))).toBe('malformed')
  })
})
