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

/** XXH32 with seed 0, in constant memory. */
export function slicedXxhash32(module: Xxhash32Module): Pick<Compute, 'xxhash32' | 'xxhash32Stream'> {
  const stream = (): Hash32 => new SlicedHash(module.create32())
  return {
    // The hottest call of a process: nothing but a comparison before the module.
    xxhash32: bytes => (bytes.length <= WHOLE_BYTES_MAX ? module.h32Raw(bytes) : stream().update(bytes).digest()),
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
