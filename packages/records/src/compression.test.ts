// Compression: batches that Kafka's Java client made, forms of LZ4 and Snappy that other clients make, and hostile bytes.
import zlib from 'node:zlib'
import { slicedXxhash32, zlibCompression } from '@atoll/base'
import { crc32c } from '@node-rs/crc32'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import xxhash from 'xxhash-wasm'
import {
  checkBatch,
  createCompression,
  decodeRecords,
  encodeBatch,
  filterBatch,
  type NewRecord,
  offset,
  RecordsError,
  scanRecords,
} from './index.ts'

const compute = { ...slicedXxhash32(await xxhash()), ...zlibCompression(zlib) }
const { compress, decompress } = createCompression(compute)
const names = ['gzip', 'snappy', 'lz4', 'zstd'] as const
const MAX = 1_000_000
const T = 1_700_000_000_000
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const unhex = (digits: string): Uint8Array => new Uint8Array(Buffer.from(digits.replaceAll(' ', ''), 'hex'))
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

function codeOf(act: () => unknown): string {
  try {
    act()
    return 'none'
  } catch (error) {
    if (error instanceof RecordsError) return error.code
    throw error
  }
}

/** Twenty records each, by kafka-clients 4.1.0 with lz4-java 1.8.0, snappy-java 1.1.10 and zstd-jni 1.5.6. */
const fromJava = {
  gzip:
    '000000000000000000000122ffffffff026db3efb30001000000130000018bcfe568000000018bcfe56813ffffffffffffffffffffffffffff000000' +
    '141f8b08000000000000ffa5d2bb0ac2401046e18d04911044444424c812c44a21f7cbe3a45851b4105d055fc1c267967fa6b798a90f7cd5f904c698' +
    'e8e2de87cc0ff6355c9fcefad3e0eddddddce01ff6ec1fee7adcdb3fd166e61398d188985ccee460c2909842ce1460c663624a395382994c88a9e44c' +
    '05268a88a9e54c0d268e8969e44c03663a25a695332d98d98c984ece7460e673627a39d39b6f60168b98f6cb5ef2ff3240cb2543b902ca01ad560c15' +
    '0aa800b45e33542aa0125092305429a00ad066c350ad806a40d632d428a006509a32d42aa016d076cb50a7803a40bb1d43bd02eacd0fb4206ecba005' +
    '0000',
  snappy:
    '00000000000000000000018bffffffff02ba98c4bd0002000000130000018bcfe568000000018bcfe56813ffffffffffffffffffffffffffff000000' +
    '1482534e4150505900000000010000000100000146a00ba08a010000000a6b65792d3074612076616c75652074686174207265706561747320697473' +
    '656c662c206a1d001c2030008a0100020205470031e647000031014704040405470032e647000032014704060605470033e647000033014704080805' +
    '470034e6470000340147040a0a05470035e6470000350147040c0c05470036e6470000360147040e0e05470037e647000037014704101005470038e6' +
    '47000038014704121205470039e647001c39008e010014140c41c6083130766aaa0276c702043130014904161609490031ea49000031014904181809' +
    '490032ea490000320149041a1a09490033ea490000330149041c1c09490034ea490000340149041e1e09490035ea49000035014904202009490036ea' +
    '49000036014904222209490037ea49000037014904242409490038ea49000038014904262609490039ea4900043900',
  lz4:
    '000000000000000000000189ffffffff02d261124e0003000000130000018bcfe568000000018bcfe56813ffffffffffffffffffffffffffff000000' +
    '1404224d1860408249010000ff1a8a010000000a6b65792d3074612076616c75652074686174207265706561747320697473656c662c201d00088120' +
    '30008a0100020247001f314700271031470021040447001f324700271032470021060647001f334700271033470021080847001f3447002710344700' +
    '210a0a47001f3547002710354700210c0c47001f3647002710364700210e0e47001f374700271037470021101047001f384700271038470021121247' +
    '001f394700278039008e010014140cc6023f313076aa02080fc7020b203130490022161649001f314900281031490022181849001f32490028103249' +
    '00221a1a49001f3349002810334900221c1c49001f3449002810344900221e1e49001f354900281035490022202049001f3649002810364900222222' +
    '49001f374900281037490022242449001f384900281038490022262649001f3949002550662031390000000000',
  zstd:
    '000000000000000000000114ffffffff023bcf0e220004000000130000018bcfe568000000018bcfe56813ffffffffffffffffffffffffffff000000' +
    '1428b52ffd0058bc060082481f2060c73c40b4aa171ddd13534f401004a708294267fcb30d001000400000433b058eb165dd5b55d65254adff944ed3' +
    '9c92246514c50841103e8fbbcd1fcc1e541cc7dde61837cdbd0c63edb2d4aa289426c99c0822e571c468181016853bcddf3f4070696c131edb591bf4' +
    'e1771eecd7882b679ff70b2474217177a7053720e0350e906230609062306090c260c020c560c020c5a080418ac180418ac180410a83014349c1e4c0' +
    'bddc58f9874913c8cf150cd88f100cd88f2818b01f2118b01f2128603f4230603f423060c7231429f080709701010000',
}

/** Content in which there is something to find, and some in which there is not. */
const content = fc.oneof(
  fc.uint8Array({ maxLength: 3_000 }),
  fc
    .array(fc.constantFrom('some words', ' that come', ' again and', ' again', '\n', 'x'), { maxLength: 900 })
    .map(words => text(words.join(''))),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 70 }), fc.nat({ max: 3_000 }))
    .map(([part, times]) => new Uint8Array(Buffer.alloc(part.length * times, part))),
)

/** An LZ4 frame of given blocks with a right header checksum. */
function frame(flags: number, blockSize: number, more: string, rest: string): Uint8Array {
  const header = unhex(`${hex(new Uint8Array([flags, blockSize]))}${more}`)
  const checksum = (compute.xxhash32(header) >>> 8) & 0xff
  return unhex(`04224d18 ${hex(header)} ${hex(new Uint8Array([checksum]))} ${rest}`)
}
const u32 = (value: number): string => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return hex(bytes)
}

describe('compressed records', () => {
  it.each(names)('[RB30] of Kafka’s Java client are read (%s)', name => {
    const bytes = unhex(fromJava[name])
    expect(checkBatch(bytes, 0, crc32c).codec).toBe(name)
    const records = decodeRecords(bytes, { decompress })
    expect(records.map(({ offset: at, key, value }) => [at, new TextDecoder().decode(key!), new TextDecoder().decode(value!)])).toEqual(
      Array.from({ length: 20 }, (_, i) => [i, `key-${i}`, `a value that repeats itself, a value that repeats itself ${i}`]),
    )
    expect(scanRecords(bytes, { decompress })).toEqual({ maxTimestampMs: T + 19, keyless: [] })
  })

  it.each(names)('[RB31] are the same after both ways (%s)', name => {
    fc.assert(
      fc.property(content, bytes => {
        expect(hex(decompress(name, compress(name, bytes), MAX))).toBe(hex(bytes))
      }),
      { seed: 1, numRuns: 150 },
    )
    // Longer than the blocks of LZ4 and Snappy.
    const long = new Uint8Array(200_000).map((_, index) => (index * index) >> 7)
    const packed = compress(name, long)
    expect(packed.length).toBeLessThan(long.length)
    expect(Buffer.compare(decompress(name, packed, MAX), long)).toBe(0)
  })

  it.each(names)('[RB32] are refused when they are more than their bound, before that is made (%s)', name => {
    const bomb = compress(name, new Uint8Array(900_000))
    expect(decompress(name, bomb, 900_000).length).toBe(900_000)
    for (const max of [1, 1_000, 899_999]) expect(codeOf(() => decompress(name, bomb, max))).toBe('too_large')
  })

  it.each(names)('[RB33] of any bytes are read or refused (%s)', name => {
    const start = compress(name, text('a value that repeats itself, a value that repeats itself. '.repeat(20)))
    const allowed = ['none', 'malformed', 'too_large', 'unsupported_compression']
    for (let end = 0; end < start.length; end++) expect(allowed).toContain(codeOf(() => decompress(name, start.subarray(0, end), MAX)))
    const changed = fc.tuple(
      fc.nat({ max: start.length - 1 }),
      fc.nat({ max: 255 }),
      fc.nat({ max: start.length - 1 }),
      fc.nat({ max: 255 }),
    )
    fc.assert(
      fc.property(changed, ([at, to, other, value]) => {
        const bytes = start.slice()
        bytes[at] = to
        bytes[other] = value
        expect(allowed).toContain(codeOf(() => decompress(name, bytes, MAX)))
      }),
      { seed: 2, numRuns: 600 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), bytes => {
        expect(allowed).toContain(codeOf(() => decompress(name, bytes, MAX)))
      }),
      { seed: 3, numRuns: 300 },
    )
  })

  it('[RB34] are Snappy in one raw block too, as librdkafka sends them', () => {
    expect(decompress('snappy', unhex('05 10 68656c6c6f'), MAX)).toEqual(text('hello'))
    // "abcabcabcabc": three literals, then a copy from three back, with one byte of offset, two, and four.
    for (const copy of ['15 03', '22 0300', '23 03000000'])
      expect(decompress('snappy', unhex(`0c 08 616263 ${copy}`), MAX)).toEqual(text('abcabcabcabc'))
    const literal = 'x'.repeat(300)
    for (const length of ['f4 2b01', 'f8 2b0100', 'fc 2b010000'])
      expect(decompress('snappy', unhex(`ac02 ${length} ${hex(text(literal))}`), MAX)).toEqual(text(literal))
    expect(hex(compress('snappy', text('hello')))).toBe('82534e4150505900 00000001 00000001 00000007 05 10 68656c6c6f'.replaceAll(' ', ''))
    expect(decompress('snappy', unhex('00'), MAX)).toEqual(new Uint8Array(0))
  })

  it('[RB34] in Snappy keep to what they say of themselves', () => {
    const bad = [
      '',
      '05',
      '05 10 68656c6c',
      '06 10 68656c6c6f',
      '04 10 68656c6c6f',
      '08 00 61 15 03',
      '08 00 61 15 00',
      'ffffffff0f 00 61',
      'ffffffffff01',
    ]
    for (const digits of bad) expect([digits, codeOf(() => decompress('snappy', unhex(digits), MAX))]).toEqual([digits, 'malformed'])
    // A claim of 64 MiB in seven bytes makes no room.
    expect(codeOf(() => decompress('snappy', unhex('80808020 00 61'), 100_000_000))).toBe('malformed')
  })

  it('[RB35] are LZ4 frames with a right header checksum, in independent blocks or not', () => {
    const hello = `${u32(0x8000_0005)} 68656c6c6f`
    expect(decompress('lz4', frame(0x60, 0x40, '', `${hello} ${u32(0)}`), MAX)).toEqual(text('hello'))
    // A second block that copies from the first: allowed unless the frame says that they are independent.
    const copies = `${hello} ${u32(9)} 01 0500 50 20 61 67 61 69 ${u32(0)}`
    expect(decompress('lz4', frame(0x40, 0x40, '', copies), MAX)).toEqual(text('hellohello agai'))
    expect(codeOf(() => decompress('lz4', frame(0x60, 0x40, '', copies), MAX))).toBe('malformed')
    // With checksums of blocks and content, and the size of the content.
    const sum = u32(compute.xxhash32(text('hello')))
    const size = `${u32(5)} ${u32(0)}`
    expect(decompress('lz4', frame(0x7c, 0x70, size, `${hello} ${sum} ${u32(0)} ${sum}`), MAX)).toEqual(text('hello'))
    expect(codeOf(() => decompress('lz4', frame(0x7c, 0x70, size, `${hello} ${u32(1)} ${u32(0)} ${sum}`), MAX))).toBe('malformed')
    expect(codeOf(() => decompress('lz4', frame(0x7c, 0x70, size, `${hello} ${sum} ${u32(0)} ${u32(1)}`), MAX))).toBe('malformed')
    expect(codeOf(() => decompress('lz4', frame(0x68, 0x40, `${u32(6)} ${u32(0)}`, `${hello} ${u32(0)}`), MAX))).toBe('malformed')
    // Several frames, and one to pass over.
    const two = unhex(
      `${hex(frame(0x60, 0x40, '', `${hello} ${u32(0)}`))} 502a4d18 ${u32(2)} ffff ${hex(frame(0x60, 0x40, '', `${hello} ${u32(0)}`))}`,
    )
    expect(decompress('lz4', two, MAX)).toEqual(text('hellohello'))
    const wrong = frame(0x60, 0x40, '', `${hello} ${u32(0)}`)
    wrong[6]! ^= 1
    expect(codeOf(() => decompress('lz4', wrong, MAX))).toBe('malformed')
    expect(codeOf(() => decompress('lz4', frame(0x61, 0x40, u32(7), `${hello} ${u32(0)}`), MAX))).toBe('unsupported_compression')
    for (const flags of [0x20, 0xa0, 0x62])
      expect(codeOf(() => decompress('lz4', frame(flags, 0x40, '', `${hello} ${u32(0)}`), MAX))).toBe('malformed')
    for (const block of [0x30, 0x80, 0x41])
      expect(codeOf(() => decompress('lz4', frame(0x60, block, '', `${hello} ${u32(0)}`), MAX))).toBe('malformed')
    // The frame that is written: version 1, independent blocks of 64 KiB, no checksums but the header's.
    expect(hex(compress('lz4', text('hello')))).toBe(hex(frame(0x60, 0x40, '', `${hello} ${u32(0)}`)))
  })
})

describe('a batch that is filtered', () => {
  const records: readonly NewRecord[] = Array.from({ length: 10 }, (_, index) => ({
    timestampMs: T + index,
    key: text(`k${index % 3}`),
    value: text(`value ${index}`),
    headers: [{ key: 'h', value: text('1') }],
  }))
  const producer = { id: 5, epoch: 2, baseSequence: 30 }

  it.each(['none', ...names] as const)('[RB36] keeps the place, times and producer of what stays (%s)', codec => {
    const bytes = encodeBatch(records, { crc32c, codec, compress, producer, baseOffset: offset(1_000) })
    const before = decodeRecords(bytes, { decompress })
    const filtered = filterBatch(bytes, ({ offset: at }) => at % 3 === 0, { crc32c, compress, decompress })
    const header = checkBatch(filtered, 0, crc32c)
    expect(decodeRecords(filtered, { decompress })).toEqual(before.filter(({ offset: at }) => at % 3 === 0))
    expect(header).toMatchObject({
      baseOffset: 1_000,
      lastOffset: 1_009,
      count: 3,
      codec,
      producerId: 5,
      producerEpoch: 2,
      baseSequence: 30,
    })
    expect(header.maxTimestampMs).toBe(T + 8)
    expect(filterBatch(bytes, () => true, { crc32c, compress, decompress })).toEqual(bytes)
  })

  it('[RB36] may be left with nothing in it', () => {
    const bytes = encodeBatch(records, { crc32c, codec: 'lz4', compress, producer })
    const filtered = filterBatch(bytes, () => false, { crc32c, compress, decompress })
    expect(checkBatch(filtered, 0, crc32c)).toMatchObject({ lastOffset: 9, count: 0, codec: 'none', producerId: 5, sizeBytes: 61 })
    expect(decodeRecords(filtered)).toEqual([])
    expect(scanRecords(filtered)).toEqual({ maxTimestampMs: -1, keyless: [] })
  })
})
