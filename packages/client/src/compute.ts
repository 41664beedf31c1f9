// The compute port without native code: what an application installs runs wherever its Node does. Hashes of frames come from
// WebAssembly as everywhere; CRC-32C, of which a client needs little, from a table.
import { createHmac, randomBytes } from 'node:crypto'
import zlib from 'node:zlib'
import { type Compute, present, slicedXxhash32, zlibCompression } from '@atoll/base'
import xxhash from 'xxhash-wasm'

/** Castagnoli's polynomial with its bits reversed (RFC 3720 appendix B.4). */
const POLYNOMIAL = 0x82f63b78

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte
  for (let bit = 0; bit < 8; bit++) remainder = (remainder & 1) === 0 ? remainder >>> 1 : (remainder >>> 1) ^ POLYNOMIAL
  return remainder
})

export function crc32c(bytes: Uint8Array, before = 0): number {
  let crc = ~before
  for (const byte of bytes) crc = (table[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8)
  return ~crc >>> 0
}

/** The port, of use once `load` has resolved; nobody has to wait for WebAssembly before the first call. */
export function lazyCompute(): { readonly compute: Compute; readonly load: () => Promise<void> } {
  let hashes: ReturnType<typeof slicedXxhash32> | undefined
  const compute: Compute = {
    ...zlibCompression(zlib),
    xxhash32: (bytes, start, end) => present(hashes, 'compiled WebAssembly').xxhash32(bytes, start, end),
    xxhash32Stream: () => present(hashes, 'compiled WebAssembly').xxhash32Stream(),
    crc32c,
    hmacSha256: (key, message) => createHmac('sha256', key).update(message).digest(),
    secureBytes: length => randomBytes(length),
  }
  const load = async (): Promise<void> => {
    hashes ??= slicedXxhash32(await xxhash())
  }
  return { compute, load }
}
