// The contract of the Compute port: published test vectors, pieces that hash like the whole, compression with a bound.
import { CompressionError, type Compute } from '@atoll/base'
import { expect, it } from 'vitest'
import { pattern } from './world.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

export function computeContract(run: (body: (compute: Compute) => void) => Promise<void>): void {
  it('XXH32 has its published values', () =>
    run(compute => {
      expect(compute.xxhash32(new Uint8Array(0))).toBe(0x02cc5d05)
      expect(compute.xxhash32(text('a'))).toBe(0x550d7456)
      expect(compute.xxhash32(text('abc'))).toBe(0x32d153ff)
      expect(compute.xxhash32(text('Nobody inspects the spammish repetition'))).toBe(0xe2293b2f)
    }))

  it('XXH32 of pieces is that of the whole, large ones included', () =>
    run(compute => {
      for (const length of [0, 1, 15, 16, 100, 255, 256, 257, 1_000, 32_768, 65_535, 65_536, 65_537, 1_000_003]) {
        const whole = pattern(length)
        const expected = compute.xxhash32(whole)
        expect(compute.xxhash32Stream().update(whole).digest()).toBe(expected)
        const around = pattern(length + 20)
        around.set(whole, 7)
        expect(compute.xxhash32(around, 7, 7 + length)).toBe(expected)
        const at = length >> 1
        expect(compute.xxhash32Stream().update(whole.subarray(0, at)).update(whole.subarray(at)).digest()).toBe(expected)
      }
    }))

  it('two streams at once do not disturb each other', () =>
    run(compute => {
      const [left, right] = [compute.xxhash32Stream(), compute.xxhash32Stream()]
      left.update(text('ab'))
      right.update(text('xy'))
      left.update(text('c'))
      expect(compute.xxhash32(text('abc'))).toBe(left.digest())
      expect(compute.xxhash32(text('xy'))).toBe(right.digest())
    }))

  it('CRC-32C has the values of RFC 3720', () =>
    run(compute => {
      expect(compute.crc32c(new Uint8Array(0))).toBe(0)
      expect(compute.crc32c(text('123456789'))).toBe(0xe3069283)
      expect(compute.crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
      expect(compute.crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
      expect(compute.crc32c(Uint8Array.from({ length: 32 }, (_, index) => index))).toBe(0x46dd794e)
    }))

  it('CRC-32C of pieces is that of the whole', () =>
    run(compute => {
      for (const length of [1, 61, 4_096, 100_003]) {
        const whole = pattern(length)
        const at = length >> 1
        expect(compute.crc32c(whole.subarray(at), compute.crc32c(whole.subarray(0, at)))).toBe(compute.crc32c(whole))
      }
    }))

  it.each(['gzip', 'zstd'] as const)('%s gives back what went in, and never more than the bound', codec =>
    run(compute => {
      for (const length of [1, 100, 100_003]) {
        const whole = pattern(length)
        const packed = compute.compress(codec, whole)
        expect(compute.decompress(codec, packed, length)).toEqual(whole)
        const code = (bytes: Uint8Array, max: number): string => {
          try {
            compute.decompress(codec, bytes, max)
            return 'none'
          } catch (error) {
            return error instanceof CompressionError ? error.code : String(error)
          }
        }
        if (length > 1) expect(code(packed, length - 1)).toBe('too_large')
        expect(code(packed.subarray(0, packed.length - 1), length)).toBe('malformed')
        expect(code(pattern(length), length)).toBe('malformed')
        expect(code(new Uint8Array(0), length)).toBe('malformed')
        const twice = new Uint8Array(Buffer.concat([packed, packed]))
        expect(compute.decompress(codec, twice, 2 * length).length).toBe(codec === 'gzip' ? 2 * length : length)
      }
    }),
  )

  it('HMAC-SHA-256 has the values of RFC 4231', () =>
    run(compute => {
      const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
      expect(hex(compute.hmacSha256(text('Jefe'), text('what do ya want for nothing?')))).toBe(
        '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
      )
      expect(hex(compute.hmacSha256(new Uint8Array(20).fill(0x0b), text('Hi There')))).toBe(
        'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
      )
    }))

  it('secure bytes have the length asked for and do not repeat', () =>
    run(compute => {
      expect(compute.secureBytes(0).length).toBe(0)
      const draws = new Set(Array.from({ length: 100 }, () => Buffer.from(compute.secureBytes(16)).toString('hex')))
      expect(draws.size).toBe(100)
    }))
}
