// MurmurHash2 as Kafka has it (apache/kafka `Utils.murmur2`, seed 0x9747b28c): keys go to the partitions that Java’s clients choose.
const SEED = 0x9747b28c
const M = 0x5bd1e995
const R = 24

/** The hash as a signed 32-bit integer. */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes
  const byte = (at: number): number => bytes[at] as number
  let hash = SEED ^ length
  const whole = length & ~3
  for (let at = 0; at < whole; at += 4) {
    let word = byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24)
    word = Math.imul(word, M)
    word ^= word >>> R
    hash = Math.imul(hash, M) ^ Math.imul(word, M)
  }
  const rest = length - whole
  if (rest === 3) hash ^= byte(whole + 2) << 16
  if (rest >= 2) hash ^= byte(whole + 1) << 8
  if (rest >= 1) hash = Math.imul(hash ^ byte(whole), M)
  hash = Math.imul(hash ^ (hash >>> 13), M)
  return hash ^ (hash >>> 15)
}
