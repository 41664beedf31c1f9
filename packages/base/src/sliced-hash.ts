// XXH32 over a WebAssembly module, for both Compute implementations. The module copies its input into linear memory
// that never shrinks, so a large input goes through in slices and the memory stays at its first 64 KiB page.
import type { Compute, Hash32 } from './ports/compute.ts'

/** What is needed of xxhash-wasm, once it is loaded. */
export interface Xxhash32Module {
  h32Raw(bytes: Uint8Array): number
  create32(): { update(bytes: Uint8Array): unknown; digest(): number }
}

// One page; a stream shares it with its 48 bytes of state.
const WHOLE_BYTES_MAX = 65_536
const SLICE_BYTES = 32_768
/** Up to this many bytes the way into the module, and the view it needs, cost more than the hash itself. */
const SHORT_BYTES_MAX = 256

/** XXH32 with seed 0, in constant memory. */
export function slicedXxhash32(module: Xxhash32Module): Pick<Compute, 'xxhash32' | 'xxhash32Stream'> {
  const stream = (): Hash32 => new SlicedHash(module.create32())
  return {
    xxhash32(bytes, start = 0, end = bytes.length) {
      if (end - start <= SHORT_BYTES_MAX) return shortXxhash32(bytes, start, end)
      const part = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end)
      return part.length <= WHOLE_BYTES_MAX ? module.h32Raw(part) : stream().update(part).digest()
    },
    xxhash32Stream: stream,
  }
}

class SlicedHash implements Hash32 {
  readonly #state: ReturnType<Xxhash32Module['create32']>

  constructor(state: ReturnType<Xxhash32Module['create32']>) {
    this.#state = state
  }

  update(bytes: Uint8Array): Hash32 {
    if (bytes.length <= SLICE_BYTES) this.#state.update(bytes)
    else for (let at = 0; at < bytes.length; at += SLICE_BYTES) this.#state.update(bytes.subarray(at, at + SLICE_BYTES))
    return this
  }

  digest(): number {
    return this.#state.digest()
  }
}

const P1 = 0x9e3779b1 | 0
const P2 = 0x85ebca77 | 0
const P3 = 0xc2b2ae3d | 0
const P4 = 0x27d4eb2f | 0
const P5 = 0x165667b1 | 0

function lane(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)
}

function round(accumulator: number, input: number): number {
  const sum = (accumulator + Math.imul(input, P2)) | 0
  return Math.imul((sum << 13) | (sum >>> 19), P1)
}

/** XXH32 with seed 0, in plain code (Collet, "xxHash fast digest algorithm", section "XXH32 algorithm"). */
function shortXxhash32(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  let hash = P5
  if (end - start >= 16) {
    let a = (P1 + P2) | 0
    let b = P2
    let c = 0
    let d = -P1 | 0
    for (; at + 16 <= end; at += 16) {
      a = round(a, lane(bytes, at))
      b = round(b, lane(bytes, at + 4))
      c = round(c, lane(bytes, at + 8))
      d = round(d, lane(bytes, at + 12))
    }
    hash = (((a << 1) | (a >>> 31)) + ((b << 7) | (b >>> 25)) + ((c << 12) | (c >>> 20)) + ((d << 18) | (d >>> 14))) | 0
  }
  hash = (hash + end - start) | 0
  for (; at + 4 <= end; at += 4) {
    hash = (hash + Math.imul(lane(bytes, at), P3)) | 0
    hash = Math.imul((hash << 17) | (hash >>> 15), P4)
  }
  for (; at < end; at++) {
    hash = (hash + Math.imul(bytes[at] as number, P5)) | 0
    hash = Math.imul((hash << 11) | (hash >>> 21), P1)
  }
  hash = Math.imul(hash ^ (hash >>> 15), P2)
  hash = Math.imul(hash ^ (hash >>> 13), P3)
  return (hash ^ (hash >>> 16)) >>> 0
}
