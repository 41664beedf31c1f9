// The compute port: hashes and secrets that need native or WebAssembly code. All synchronous; whatever loads
// asynchronously is ready before the first event of a process.

/** A hash fed in pieces; a fresh one per value. */
export interface Hash32 {
  update(bytes: Uint8Array): Hash32
  digest(): number
}

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
  /** `length` bytes fit for secrets and nonces. In the simulator they come from the seed. */
  secureBytes(length: number): Uint8Array
}
