// The compute port without native code: what an application installs runs wherever its Node does. Hashes of frames come from
// WebAssembly as everywhere; CRC-32C, of which a client needs little, from a table.
import { createHmac, randomBytes } from 'node:crypto'
import zlib from 'node:zlib'
import { type Compute, present, slicedXxhash32, zlibCompression } from '@atoll/base'
import xxhash from 'xxhash-wasm'

/** Castagnoli's polynomial with its bits reversed (RFC 3720 appendix B.4). */
const POLYNOMIAL = 0x82f63b78

/** Eight tables of 256: what a byte does to the remainder from up to seven bytes further on (Kounavis and Berry 2005, "slicing-by-8"). */
const tables = new Uint32Array(8 * 256)
for (let byte = 0; byte < 256; byte++) {
  let remainder = byte
  for (let bit = 0; bit < 8; bit++) remainder = (remainder & 1) === 0 ? remainder >>> 1 : (remainder >>> 1) ^ POLYNOMIAL
  tables[byte] = remainder
}
for (let at = 256; at < tables.length; at++) {
  const before = tables[at - 256] as number
  tables[at] = (tables[before & 0xff] as number) ^ (before >>> 8)
}
const look = (table: number, byte: number): number => tables[(table << 8) | (byte & 0xff)] as number

export function crc32c(bytes: Uint8Array, before = 0): number {
  let crc = ~before
  const { length } = bytes
  const byte = (at: number): number => bytes[at] as number
  let at = 0
  for (; at + 8 <= length; at += 8) {
    const low = crc ^ (byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24))
    crc =
      look(7, low) ^
      look(6, low >>> 8) ^
      look(5, low >>> 16) ^
      look(4, low >>> 24) ^
      look(3, byte(at + 4)) ^
      look(2, byte(at + 5)) ^
      look(1, byte(at + 6)) ^
      look(0, byte(at + 7))
  }
  for (; at < length; at++) crc = look(0, crc ^ byte(at)) ^ (crc >>> 8)
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
