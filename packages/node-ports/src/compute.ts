// The compute port on Node.js: XXH32 from WebAssembly, CRC-32C with the processor's own instruction, compression from zlib,
// the rest from OpenSSL.
import { createHmac, randomBytes } from 'node:crypto'
import zlib from 'node:zlib'
import type { Compute } from '@atoll/base'
import { slicedXxhash32, zlibCompression } from '@atoll/base'
import { crc32c } from '@node-rs/crc32'
import xxhash from 'xxhash-wasm'

/** Resolves once the WebAssembly is compiled; everything after that is synchronous. */
export async function createCompute(): Promise<Compute> {
  return {
    ...slicedXxhash32(await xxhash()),
    ...zlibCompression(zlib),
    crc32c: (bytes, before) => crc32c(bytes, before),
    hmacSha256: (key, message) => createHmac('sha256', key).update(message).digest(),
    secureBytes: length => randomBytes(length),
  }
}
