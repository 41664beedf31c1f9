// Cuts a stream of bytes into frames. Whole frames are decoded in place; a frame that spans chunks is gathered in one
// buffer of its exact size, allocated once and only after its length was checked.
import type { Frame, FrameCodec } from './frame.ts'
import { frameLength } from './frame.ts'

const PREFIX_BYTES = 4

/** Feeds on chunks and hands over frames, in order, for as long as `onFrame` answers true. */
export class FrameReader {
  /** Largest frame accepted, in bytes; raised once the hello is done. */
  frameBytesMax: number
  readonly #codec: FrameCodec
  readonly #onFrame: (frame: Frame) => boolean
  /** The frame being gathered, and how much of it is there. While its length is unknown it is PREFIX_BYTES long. */
  #partial: Uint8Array | undefined
  #filled = 0
  /** Frames that were gathered so far, the present one included. */
  #gathered = 0
  /** What arrived while the consumer had said stop: the rest of one chunk, or more when the port could not stop at once. */
  #held: Uint8Array | undefined
  #stopped = false

  constructor(codec: FrameCodec, frameBytesMax: number, onFrame: (frame: Frame) => boolean) {
    this.#codec = codec
    this.frameBytesMax = frameBytesMax
    this.#onFrame = onFrame
  }

  /** Bytes kept for frames that are not whole yet or not wanted yet. */
  get bufferedBytes(): number {
    return (this.#partial?.byteLength ?? 0) + (this.#held?.byteLength ?? 0)
  }

  /** The number of the frame of which more is to come; undefined between frames, and while the consumer has said stop. */
  get gathering(): number | undefined {
    return this.#partial === undefined ? undefined : this.#gathered
  }

  /** Takes the next bytes of the stream, which it may overwrite. Throws a ProtocolError when they cannot be frames. */
  push(bytes: Uint8Array): void {
    // Node gives a Buffer, whose views are Buffers too: dearer, and with a `slice` that does not copy.
    const chunk = bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (this.#stopped) {
      this.#held = this.#held === undefined ? chunk : joined(this.#held, chunk)
      return
    }
    let at = this.#partial === undefined ? 0 : this.#gather(chunk)
    while (!this.#isStopped()) {
      const length = frameLength(chunk, at, chunk.byteLength, this.frameBytesMax)
      if (length === undefined || at + length > chunk.byteLength) {
        if (at < chunk.byteLength) this.#begin(chunk, at, length ?? PREFIX_BYTES)
        return
      }
      this.#deliver(chunk, at, at + length)
      at += length
    }
    if (at < chunk.byteLength) this.#held = chunk.subarray(at)
  }

  /** Goes on after `onFrame` answered false. */
  resume(): void {
    if (!this.#stopped) return
    this.#stopped = false
    const held = this.#held
    this.#held = undefined
    if (held !== undefined) this.push(held)
  }

  #deliver(bytes: Uint8Array, start: number, end: number): void {
    this.#stopped = !this.#onFrame(this.#codec.decode(bytes, start, end))
  }

  /** Not a field access: `onFrame` changes it behind the back of the loop. */
  #isStopped(): boolean {
    return this.#stopped
  }

  /** Starts to gather the incomplete frame at the end of `chunk`. */
  #begin(chunk: Uint8Array, at: number, length: number): void {
    this.#gathered++
    this.#partial = new Uint8Array(length)
    this.#partial.set(at === 0 ? chunk : chunk.subarray(at), 0)
    this.#filled = chunk.byteLength - at
  }

  /** Adds to the frame being gathered and delivers it once it is whole; answers how much of `chunk` it took. */
  #gather(chunk: Uint8Array): number {
    let at = 0
    for (;;) {
      const partial = this.#partial as Uint8Array
      const taken = Math.min(partial.byteLength - this.#filled, chunk.byteLength - at)
      partial.set(taken === chunk.byteLength ? chunk : chunk.subarray(at, at + taken), this.#filled)
      this.#filled += taken
      at += taken
      if (this.#filled < partial.byteLength) return at
      // The bound again: it may be another one than when the frame began.
      const length = frameLength(partial, 0, this.#filled, this.frameBytesMax) as number
      if (length > partial.byteLength) {
        this.#partial = new Uint8Array(length)
        this.#partial.set(partial, 0)
        continue
      }
      this.#partial = undefined
      this.#filled = 0
      this.#deliver(partial, 0, length)
      return at
    }
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.byteLength + b.byteLength)
  both.set(a, 0)
  both.set(b, a.byteLength)
  return both
}
