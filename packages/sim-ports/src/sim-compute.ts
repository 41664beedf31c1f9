// The compute port of simulated processes: the real hashes and codecs, and secrets from the seed.
import { createHmac } from 'node:crypto'
import zlib from 'node:zlib'
import type { Compute, Random } from '@atoll/base'
import { slicedXxhash32, zlibCompression } from '@atoll/base'
import { crc32c } from '@node-rs/crc32'
import xxhash from 'xxhash-wasm'
import type { Scheduler } from './scheduler.ts'
import type { SimProcess } from './sim-process.ts'

/** The hashes that need no seed; loaded before the first event, shared by all nodes. */
export type SimHashes = Pick<Compute, 'xxhash32' | 'xxhash32Stream' | 'crc32c' | 'hmacSha256' | 'compress' | 'decompress'>

export async function createSimHashes(): Promise<SimHashes> {
  return {
    ...slicedXxhash32(await xxhash()),
    ...zlibCompression(zlib),
    crc32c: (bytes, before) => crc32c(bytes, before),
    hmacSha256: (key, message) => new Uint8Array(createHmac('sha256', key).update(message).digest()),
  }
}

export function simCompute(scheduler: Scheduler, process: SimProcess, hashes: SimHashes, random: Random): Compute {
  return {
    ...hashes,
    secureBytes(length) {
      scheduler.permits(process, 'compute.secureBytes')
      return random.bytes(length)
    },
  }
}
