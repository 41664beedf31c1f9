// Rules RB1 to RB23: the codec against bytes that kafkajs 2.2.4 encoded, against itself, and against hostile bytes.
import { crc32c } from '@node-rs/crc32'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  batchSize,
  checkBatch,
  checkProduced,
  controlType,
  type Decompress,
  decodeRecords,
  encodeBatch,
  encodeControlBatch,
  leaderEpoch,
  type NewRecord,
  offset,
  placeBatch,
  RecordsError,
  readBatchHeader,
  recordSizeMax,
  scanRecords,
  sequenceAfter,
  setAppendTime,
  setBatchSize,
  setMaxTimestamp,
  splitBatches,
} from './index.ts'

const T = 1_700_000_000_000
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const options = { crc32c }

/** The code of the RecordsError that `act` throws; a different error goes on. */
function codeOf(act: () => unknown): string {
  try {
    act()
    return 'none'
  } catch (error) {
    if (error instanceof RecordsError) return error.code
    throw error
  }
}

const golden = {
  transactional: {
    records: [
      { timestampMs: T, key: text('k1'), value: text('hello') },
      {
        timestampMs: T + 1_500,
        key: null,
        value: text('a'.repeat(70)),
        headers: [
          { key: 'trace', value: text('abc') },
          { key: 'n', value: text('1') },
        ],
      },
      { timestampMs: T - 20, key: new Uint8Array(0), value: null },
    ] satisfies NewRecord[],
    bytes:
      '0000001cbe991a14000000a400000007029cc0475d0010000000020000018bcfe568000000018bcfe56ddc0000000000000fa100030000002a00000003' +
      `1a000000046b310a68656c6c6f00b80100b81702018c01${'61'.repeat(70)}040a747261636506616263026e02310c002704000100`,
  },
  plain: {
    records: [{ timestampMs: T, value: text('x') }] satisfies NewRecord[],
    bytes:
      '000000000000000000000039ffffffff0227293eff0000000000000000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff00000001' +
      '0e00000001027800',
  },
}

const recordOf: fc.Arbitrary<NewRecord> = fc.record({
  timestampMs: fc.integer({ min: T - 10_000_000_000, max: T + 10_000_000_000 }),
  key: fc.option(fc.uint8Array({ maxLength: 40 })),
  value: fc.option(fc.uint8Array({ maxLength: 300 })),
  headers: fc.array(fc.record({ key: fc.string({ maxLength: 20 }), value: fc.option(fc.uint8Array({ maxLength: 20 })) }), { maxLength: 3 }),
})
const recordsOf = fc.array(recordOf, { minLength: 1, maxLength: 8 })

describe('the format', () => {
  it('[RB1] is that of kafkajs', () => {
    const transactional = encodeBatch(golden.transactional.records, {
      ...options,
      baseOffset: offset(123_456_789_012),
      leaderEpoch: leaderEpoch(7),
      producer: { id: 4_001, epoch: 3, baseSequence: 42 },
      transactional: true,
    })
    expect(hex(transactional)).toBe(golden.transactional.bytes)
    expect(hex(encodeBatch(golden.plain.records, options))).toBe(golden.plain.bytes)
  })

  it('[RB1] is read as kafkajs meant it', () => {
    const bytes = Buffer.from(golden.transactional.bytes, 'hex')
    expect(checkBatch(bytes, 0, crc32c)).toEqual({
      baseOffset: 123_456_789_012,
      lastOffset: 123_456_789_014,
      sizeBytes: bytes.length,
      leaderEpoch: 7,
      crc: 0x9cc0475d,
      codec: 'none',
      timestampType: 'create',
      transactional: true,
      control: false,
      hasDeleteHorizon: false,
      baseTimestampMs: T,
      maxTimestampMs: T + 1_500,
      producerId: 4_001,
      producerEpoch: 3,
      baseSequence: 42,
      count: 3,
    })
    expect(decodeRecords(bytes).map(({ offset: at, timestampMs }) => [at, timestampMs])).toEqual([
      [123_456_789_012, T],
      [123_456_789_013, T + 1_500],
      [123_456_789_014, T - 20],
    ])
  })

  it('[RB2] gives back what went in', () => {
    fc.assert(
      fc.property(recordsOf, fc.nat(2 ** 40), (records, base) => {
        const bytes = encodeBatch(records, { ...options, baseOffset: offset(base) })
        expect(checkBatch(bytes, 0, crc32c).maxTimestampMs).toBe(Math.max(-1, ...records.map(({ timestampMs }) => timestampMs)))
        const decoded = decodeRecords(bytes)
        expect(decoded.map(record => record.offset)).toEqual(records.map((_, index) => base + index))
        expect(decoded.map(({ offset: _, ...record }) => record)).toEqual(records)
      }),
      { seed: 11 },
    )
  })

  it('[RB3] keeps its checksum when the batch is placed', () => {
    const bytes = encodeBatch(golden.plain.records, options)
    const { crc } = readBatchHeader(bytes)
    placeBatch(bytes, 0, offset(2 ** 45), leaderEpoch(9))
    expect(checkBatch(bytes, 0, crc32c)).toMatchObject({ baseOffset: 2 ** 45, lastOffset: 2 ** 45, leaderEpoch: 9, crc })
    expect(decodeRecords(bytes)[0]?.offset).toBe(2 ** 45)
    setBatchSize(bytes, 0, bytes.length + 1)
    expect(codeOf(() => checkBatch(bytes, 0, crc32c))).toBe('truncated')
  })

  it('[RB4] has one time for all records once the broker set it', () => {
    const bytes = encodeBatch(golden.transactional.records, options)
    setAppendTime(bytes, 0, T + 99, crc32c)
    expect(checkBatch(bytes, 0, crc32c)).toMatchObject({ timestampType: 'append', maxTimestampMs: T + 99 })
    expect(decodeRecords(bytes).map(({ timestampMs }) => timestampMs)).toEqual([T + 99, T + 99, T + 99])
  })

  it('[RB5] may have more offsets than records', () => {
    const bytes = encodeBatch(golden.transactional.records, options)
    // What compaction leaves: fewer records, the same span.
    new DataView(bytes.buffer).setInt32(23, 9)
    expect(decodeRecords(bytes).map(record => record.offset)).toEqual([0, 1, 2])
    const empty = bytes.slice(0, 61)
    new DataView(empty.buffer).setInt32(57, 0)
    setBatchSize(empty, 0, 61)
    setMaxTimestamp(empty, 0, T, crc32c)
    expect(checkBatch(empty, 0, crc32c)).toMatchObject({ count: 0, lastOffset: 9 })
    expect(decodeRecords(empty)).toEqual([])
  })

  it('[RB6] has a size that is known before', () => {
    fc.assert(
      fc.property(recordsOf, records => {
        expect(encodeBatch(records, options).length).toBe(batchSize(records))
        const bound = records.reduce((sum, record) => sum + recordSizeMax(record), 61)
        expect(bound).toBeGreaterThanOrEqual(batchSize(records))
      }),
      { seed: 12 },
    )
  })

  it('[RB7] ends transactions with a control batch', () => {
    const bytes = encodeControlBatch('commit', 5, T, { id: 9, epoch: 2 }, options)
    expect(checkBatch(bytes, 0, crc32c)).toMatchObject({ control: true, transactional: true, producerId: 9, baseSequence: -1, count: 1 })
    const [record] = decodeRecords(bytes)
    expect(hex(record!.key!)).toBe('00000001')
    expect(hex(record!.value!)).toBe('000000000005')
    expect(controlType(record!.key)).toBe('commit')
    expect([controlType(Uint8Array.of(0, 0, 0, 0)), controlType(Uint8Array.of(0, 9, 0, 9)), controlType(null)]).toEqual([
      'abort',
      undefined,
      undefined,
    ])
  })

  it('[RB8] counts sequences around', () => {
    expect([sequenceAfter(0, 3), sequenceAfter(2 ** 31 - 1, 1), sequenceAfter(2 ** 31 - 2, 4)]).toEqual([3, 0, 2])
  })
})

describe('bytes from outside', () => {
  it('[RB10] of any kind are decoded or refused', () => {
    const whole = encodeBatch(golden.transactional.records, options)
    const attempt = (bytes: Uint8Array): void => {
      codeOf(() => checkBatch(bytes, 0, crc32c))
      codeOf(() => decodeRecords(bytes))
      codeOf(() => splitBatches(bytes))
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => attempt(bytes)),
      { seed: 13, numRuns: 500 },
    )
    const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(damage, changes => {
        const bytes = whole.slice()
        for (const [place, value] of changes) bytes[place] = value
        attempt(bytes)
      }),
      { seed: 14, numRuns: 3_000 },
    )
    for (let length = 0; length < whole.length; length++) attempt(whole.slice(0, length))
  })

  it('[RB10] are scanned with the same result as they are decoded', () => {
    const whole = encodeBatch(golden.transactional.records, options)
    fc.assert(
      fc.property(fc.nat({ max: whole.length - 62 }), fc.nat({ max: 255 }), (place, value) => {
        const bytes = whole.slice()
        bytes[61 + place] = value
        expect(codeOf(() => scanRecords(bytes))).toBe(codeOf(() => decodeRecords(bytes)))
      }),
      { seed: 4, numRuns: 2_000 },
    )
  })

  it('[RB10] justify what is allocated for them', () => {
    const bytes = encodeBatch(golden.plain.records, options)
    const fields = new DataView(bytes.buffer)
    fields.setInt32(23, 0x7ffffffe)
    fields.setInt32(57, 0x7fffffff)
    expect(codeOf(() => decodeRecords(bytes))).toBe('malformed')
    const headers = encodeBatch(golden.plain.records, options)
    // The count of headers, in the last byte.
    headers[headers.length - 1] = 0x7e
    expect(codeOf(() => decodeRecords(headers))).toBe('malformed')
  })

  it('[RB11] give themselves away by a flipped bit', () => {
    const whole = encodeBatch(golden.transactional.records, options)
    for (let place = 17; place < whole.length; place++) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = whole.slice()
        bytes[place]! ^= 1 << bit
        expect(
          codeOf(() => checkBatch(bytes, 0, crc32c)),
          `byte ${place}`,
        ).not.toBe('none')
      }
    }
  })

  it('[RB12] hold no number above 53 bits and none that is padded', () => {
    for (const place of [0, 27, 35, 43]) {
      const bytes = encodeBatch(golden.plain.records, options)
      new DataView(bytes.buffer).setBigInt64(place, 2n ** 60n)
      expect(
        codeOf(() => readBatchHeader(bytes)),
        `at ${place}`,
      ).toBe('malformed')
    }
    const padded = Buffer.from(`${golden.plain.bytes.slice(0, 122)}10000080000001027800`, 'hex')
    setBatchSize(padded, 0, padded.length)
    expect(codeOf(() => decodeRecords(padded))).toBe('malformed')
    const endless = Buffer.from(`${golden.plain.bytes.slice(0, 122)}${'ff'.repeat(12)}`, 'hex')
    setBatchSize(endless, 0, endless.length)
    expect(codeOf(() => decodeRecords(endless))).toBe('malformed')
  })

  it('[RB13] need a codec that is there', () => {
    const compress = (_codec: string, bytes: Uint8Array): Uint8Array => bytes.map(byte => byte ^ 0xff)
    const bytes = encodeBatch(golden.plain.records, { ...options, codec: 'zstd', compress })
    expect(checkBatch(bytes, 0, crc32c).codec).toBe('zstd')
    expect(codeOf(() => decodeRecords(bytes))).toBe('unsupported_compression')
    expect(codeOf(() => encodeBatch(golden.plain.records, { ...options, codec: 'lz4' }))).toBe('unsupported_compression')
    const decompress: Decompress = (codec, body) => compress(codec, body)
    expect(decodeRecords(bytes, { decompress })[0]?.value).toEqual(text('x'))
    expect(codeOf(() => decodeRecords(bytes, { decompress, decompressedBytesMax: 7 }))).toBe('too_large')
    const unknown = bytes.slice()
    unknown[22] = 5
    expect(codeOf(() => readBatchHeader(unknown))).toBe('unsupported_compression')
  })

  it('[RB14] are told apart in a row', () => {
    const one = encodeBatch(golden.plain.records, options)
    const two = encodeBatch(golden.transactional.records, { ...options, baseOffset: offset(1) })
    const both = Buffer.concat([one, two])
    expect(splitBatches(both).map(({ start, header }) => [start, header.baseOffset])).toEqual([
      [0, 0],
      [one.length, 1],
    ])
    for (const cut of [1, 50, two.length - 5]) expect(splitBatches(both.subarray(0, both.length - cut))).toHaveLength(1)
    expect(splitBatches(new Uint8Array(0))).toEqual([])
    const senseless = both.slice()
    new DataView(senseless.buffer, senseless.byteOffset).setInt32(8, -5)
    expect(codeOf(() => splitBatches(senseless))).toBe('malformed')
  })
})

describe('a produced batch', () => {
  const rules = { crc32c, batchBytesMax: 1_000, keysRequired: false }
  const produced = (change: (bytes: Uint8Array) => void): string => {
    const bytes = encodeBatch(golden.transactional.records, { ...options, producer: { id: 1, epoch: 0, baseSequence: 0 } })
    change(bytes)
    setMaxTimestamp(bytes, 0, T, crc32c)
    return codeOf(() => checkProduced(bytes, rules))
  }
  const set16 = (place: number, value: number) => (bytes: Uint8Array) => new DataView(bytes.buffer).setInt16(place, value)
  const set32 = (place: number, value: number) => (bytes: Uint8Array) => new DataView(bytes.buffer).setInt32(place, value)

  it('[RB20] is one, from 0, without gaps, and not too large', () => {
    expect(produced(() => {})).toBe('none')
    expect(produced(bytes => placeBatch(bytes, 0, offset(1), leaderEpoch(-1)))).toBe('invalid_record')
    expect(produced(set32(23, 5))).toBe('invalid_record')
    expect(produced(set32(57, 0))).toBe('invalid_record')
    const one = encodeBatch(golden.plain.records, options)
    expect(codeOf(() => checkProduced(Buffer.concat([one, one]), rules))).toBe('invalid_record')
    expect(codeOf(() => checkProduced(one, { ...rules, batchBytesMax: one.length - 1 }))).toBe('too_large')
  })

  it('[RB21] sets only what clients may set', () => {
    for (const bit of [0x08, 0x20, 0x40]) expect(produced(set16(21, bit)), `bit ${bit}`).toBe('invalid_record')
    expect(produced(set32(53, -1))).toBe('invalid_record')
    expect(produced(set16(51, -1))).toBe('invalid_record')
    const nobody = encodeBatch(golden.plain.records, { ...options, transactional: true })
    expect(codeOf(() => checkProduced(nobody, rules))).toBe('invalid_record')
  })

  it('[RB22] has a key in every record where the topic is compacted', () => {
    const bytes = encodeBatch(golden.transactional.records, options)
    let indexes: readonly number[] = []
    try {
      checkProduced(bytes, { ...rules, keysRequired: true })
    } catch (error) {
      indexes = (error as RecordsError).recordIndexes
    }
    expect(indexes).toEqual([1])
  })

  it('[RB24] is held to all of this when it is compressed', () => {
    const reversed = (_codec: string, bytes: Uint8Array): Uint8Array => bytes.toReversed()
    const encode = (codec: 'zstd' | 'lz4', records: readonly NewRecord[] = golden.transactional.records): Uint8Array =>
      encodeBatch(records, { ...options, codec, compress: reversed })
    const decompress: Decompress = reversed
    const strict = { ...rules, decompress, keysRequired: true }
    expect(codeOf(() => checkProduced(encode('lz4'), rules))).toBe('unsupported_compression')
    expect(checkProduced(encode('lz4'), { ...rules, decompress }).maxTimestampMs).toBe(T + 1_500)
    expect(codeOf(() => checkProduced(encode('lz4'), strict))).toBe('invalid_record')
    expect(codeOf(() => checkProduced(encode('zstd'), { ...rules, decompress, zstdAllowed: false }))).toBe('unsupported_compression')
    expect(codeOf(() => checkProduced(encode('zstd'), { ...rules, decompress }))).toBe('none')
    expect(codeOf(() => checkProduced(encode('lz4'), { ...rules, decompress, decompressedBytesMax: 50 }))).toBe('too_large')
  })

  it('[RB20] has records at each of its offsets, in order, and nothing behind them', () => {
    const one = encodeBatch(golden.plain.records, options)
    const body = one.subarray(61)
    const withBody = (count: number, ...records: readonly Uint8Array[]): string => {
      const bytes = new Uint8Array(Buffer.concat([one.subarray(0, 61), ...records]))
      const fields = new DataView(bytes.buffer)
      fields.setInt32(23, count - 1)
      fields.setInt32(57, count)
      setBatchSize(bytes, 0, bytes.length)
      setMaxTimestamp(bytes, 0, T, crc32c)
      return codeOf(() => checkProduced(bytes, rules))
    }
    const at = (delta: number): Uint8Array => body.map((byte, index) => (index === 3 ? delta * 2 : byte))
    expect(withBody(2, at(0), at(1))).toBe('none')
    expect(withBody(2, at(1), at(0))).toBe('malformed')
    expect(withBody(2, at(0), at(0))).toBe('malformed')
    expect(withBody(2, at(0), at(2))).toBe('malformed')
    expect(withBody(1, at(0), at(1))).toBe('malformed')
    expect(withBody(3, at(0), at(1))).toBe('malformed')
  })

  it('[RB23] is as late as its latest record', () => {
    const bytes = encodeBatch(golden.transactional.records, options)
    setMaxTimestamp(bytes, 0, T + 1_000_000, crc32c)
    expect(checkProduced(bytes, rules)).toMatchObject({ header: { maxTimestampMs: T + 1_000_000 }, maxTimestampMs: T + 1_500 })
  })
})
