// Frames: their layout, what is refused, and that no changed bit gets past the checksum.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ErrorCode, ProtocolError } from './errors.ts'
import { fakeCompute } from './fakes.ts'
import { FRAME_VERSION, type Frame, FrameCodec, flag, frameLength, NO_ATTACHMENT } from './frame.ts'
import { HEADER_BYTES } from './limits.ts'

const codec = new FrameCodec(fakeCompute)

function encode(flags: number, key: number, id: number, body: readonly unknown[], attachment = NO_ATTACHMENT): Uint8Array {
  const head = codec.encodeHead(flags, key, id, body, attachment)
  return Uint8Array.from([...head, ...attachment])
}

const decode = (bytes: Uint8Array): Frame => codec.decode(bytes.slice(), 0, bytes.byteLength)

/** `bytes` with a checksum that matches them, as a hostile peer would send. */
function resealed(bytes: Uint8Array): Uint8Array {
  const sealed = bytes.slice()
  sealed.fill(0, 16, 20)
  new DataView(sealed.buffer).setUint32(16, fakeCompute.xxhash32(sealed))
  return sealed
}

function codeOf(act: () => unknown): ErrorCode | 'none' {
  try {
    act()
    return 'none'
  } catch (error) {
    if (error instanceof ProtocolError) return error.code
    throw error
  }
}

describe('a frame', () => {
  it('[FR1] is length, version, flags, key, id, body length, checksum, body and attachment, big-endian', () => {
    const bytes = encode(flag.request, 0x0203, 0x04050607, [1, 'a'], Uint8Array.of(9, 8))
    expect([...bytes.subarray(0, 16)]).toEqual([0, 0, 0, 22, FRAME_VERSION, flag.request, 2, 3, 4, 5, 6, 7, 0, 0, 0, 4])
    expect([...bytes.subarray(HEADER_BYTES)]).toEqual([0x92, 1, 0xa1, 0x61, 9, 8])
    const unsealed = bytes.slice()
    unsealed.fill(0, 16, 20)
    expect(new DataView(bytes.buffer).getUint32(16)).toBe(fakeCompute.xxhash32(unsealed))
  })

  it('[FR1] is read back as it was made', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(flag.request, flag.response, flag.oneWay, flag.streamItem),
        fc.nat(0xffff),
        fc.nat(0xffff_ffff),
        fc.array(fc.oneof(fc.integer(), fc.string(), fc.boolean()), { maxLength: 10 }),
        fc.uint8Array({ maxLength: 50 }),
        (flags, messageKey, correlationId, body, attachment) => {
          const bytes = encode(flags, messageKey, correlationId, body, attachment)
          expect(decode(bytes)).toEqual({ flags, messageKey, correlationId, body, attachment, bytes: bytes.byteLength })
        },
      ),
      { seed: 1, numRuns: 300 },
    )
  })

  it('[FR4] with any bit changed is refused', () => {
    const bytes = encode(flag.response, 0x0301, 77, ['broker-1', 12, true], Uint8Array.of(1, 2, 3))
    for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
      const changed = bytes.slice()
      changed[bit >>> 3] = (changed[bit >>> 3] as number) ^ (1 << (bit & 7))
      // A changed length is a frame of another size: its checksum is over other bytes.
      const outcome = codeOf(() => decode(changed))
      expect(['bad_checksum', 'bad_frame']).toContain(outcome)
    }
  })

  it('[FR5] of another version, with flags that make no sense, or a body longer than itself is refused', () => {
    const bytes = encode(flag.request, 1, 1, [])
    const changed = (at: number, byte: number): Uint8Array => resealed(bytes.with(at, byte))
    expect(codeOf(() => decode(changed(4, FRAME_VERSION + 1)))).toBe('bad_frame')
    for (let flags = 0; flags < 256; flags++) {
      const legal = [1, 2, 6, 8, 16, 32, 36, 64, 128].includes(flags)
      expect([flags, codeOf(() => decode(changed(5, flags)))]).toEqual([flags, legal ? 'none' : 'bad_frame'])
    }
    expect(codeOf(() => decode(changed(15, 2)))).toBe('bad_frame')
    expect(codeOf(() => decode(changed(12, 0xff)))).toBe('bad_frame')
  })

  it('[FR5] whose body is no array is refused, whatever its checksum says', () => {
    const bytes = encode(flag.request, 1, 1, [])
    for (const body of [0xc0, 0x80, 0xa0, 5, 0xc1]) expect(codeOf(() => decode(resealed(bytes.with(HEADER_BYTES, body))))).toBe('bad_frame')
    expect(codeOf(() => decode(resealed(bytes.with(15, 0))))).toBe('bad_frame')
  })

  it('[FR2] has a length that is judged before anything else', () => {
    const prefix = (length: number): Uint8Array => {
      const bytes = new Uint8Array(4)
      new DataView(bytes.buffer).setUint32(0, length)
      return bytes
    }
    const judge = (length: number): number | undefined => frameLength(prefix(length), 0, 4, 4_096)
    expect(judge(4_092)).toBe(4_096)
    expect(codeOf(() => judge(4_093))).toBe('message_too_large')
    expect(codeOf(() => judge(0xffff_ffff))).toBe('message_too_large')
    expect(judge(16)).toBe(20)
    for (const length of [0, 1, 15]) expect(codeOf(() => judge(length))).toBe('bad_frame')
    expect(frameLength(prefix(20), 0, 3, 4_096)).toBeUndefined()
  })

  it('[FR9] with a large body leaves no large scratch buffer behind', () => {
    codec.encodeHead(flag.request, 1, 1, ['x'.repeat(3_000_000)], NO_ATTACHMENT)
    expect(codec.encodeHead(flag.request, 1, 1, ['x'], NO_ATTACHMENT).buffer.byteLength).toBeLessThan(100_000)
  })
})
