// The randomness port on Node.js: a fast generator, seeded by the operating system.
import { randomBytes } from 'node:crypto'
import type { Random } from '@atoll/base'
import { SeededRandom } from '@atoll/base'

/** Randomness that differs from process to process. For jitter and shuffles; secrets come from Compute.secureBytes. */
export function systemRandom(): Random {
  const seed = randomBytes(16)
  // An all-zero state would give zeros for ever, hence the last bit.
  return new SeededRandom(seed.readUInt32LE(0), seed.readUInt32LE(4), seed.readUInt32LE(8), seed.readUInt32LE(12) | 1)
}
