// The compute port: hashes, compression and secrets that need native or WebAssembly code. All synchronous; whatever loads
// asynchronously is ready before the first event of a process.

/** A hash fed in pieces; a fresh one per value. */
export interface Hash32 {
  update(bytes: Uint8Array): Hash32
  digest(): number
}

/** `malformed`: not what the codec makes. `too_large`: more than was allowed comes out of it. `unsupported`: not on this machine. */
export class CompressionError extends Error {
  override readonly name = 'CompressionError'
  readonly code: 'malformed' | 'too_large' | 'unsupported'
  constructor(code: CompressionError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** gzip (RFC 1952) and Zstandard (RFC 8878). */
export type NativeCodec = 'gzip' | 'zstd'

export interface Compute {
  /** XXH32 with seed 0 of `bytes` from `start` to `end` (all of them), as an unsigned 32-bit integer. */
  xxhash32(bytes: Uint8Array, start?: number, end?: number): number
  /** XXH32 with seed 0 over several pieces, equal to `xxhash32` of their concatenation. */
  xxhash32Stream(): Hash32
  /**
   * CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes`, as an unsigned 32-bit integer. Given the checksum of what
   * comes before them, it is that of both together.
   */
  crc32c(bytes: Uint8Array, before?: number): number
  /** HMAC-SHA-256 (RFC 2104, FIPS 180-4), 32 bytes. */
  hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array
  /** Compresses at the codec's default level. The bytes may be others with another Node.js. */
  compress(codec: NativeCodec, bytes: Uint8Array): Uint8Array
  /** Throws a CompressionError; never makes more than `sizeBytesMax`, which is positive. Several gzip members in a row are one; of zstd only the first frame is read. */
  decompress(codec: NativeCodec, bytes: Uint8Array, sizeBytesMax: number): Uint8Array
  /** `length` bytes fit for secrets and nonces. In the simulator they come from the seed. */
  secureBytes(length: number): Uint8Array
}
