// Cuts a stream of bytes into requests: four bytes of length, then so many. A request that lies within what arrived at once
// is handed over in place; one that does not is gathered in a buffer of its size, made only after its length was
// checked and, when it is large, room was given for it.
import { LARGE_REQUEST_BYTES, REQUEST_BYTES_MIN } from './limits.ts'
import { WireError } from './wire-error.ts'

const PREFIX_BYTES = 4

export interface RequestFramesOptions {
  readonly sizeBytesMax: number
  /** A whole request, and what was taken for it of the memory. False: stop until `resume`. */
  readonly onRequest: (request: Uint8Array, takenBytes: number) => boolean
  /** Asks for room for a large request. False: stop until `resume`, which is called when it was given. */
  readonly takeMemory: (bytes: number) => boolean
}

export class RequestFrames {
  readonly #options: RequestFramesOptions
  /** Of the request that comes next; 0 until all its four bytes are there. */
  #length = 0
  readonly #prefix = new Uint8Array(PREFIX_BYTES)
  #prefixBytes = 0
  /** What was taken of the memory for it. */
  #takenBytes = 0
  #body: Uint8Array | undefined
  #bodyBytes = 0
  #stopped = false
  /** What arrived after a stop: the rest of one chunk, or more when the port could not stop at once. */
  #held: Uint8Array[] = []

  constructor(options: RequestFramesOptions) {
    this.#options = options
  }

  get isStopped(): boolean {
    return this.#stopped
  }

  /** A request has begun and is not whole. */
  get isWithin(): boolean {
    return this.#prefixBytes > 0
  }

  /** Of the request that is being read, once it is known; else 0. */
  get length(): number {
    return this.#length
  }

  /** Taken of the memory for a request that is not whole. */
  get takenBytes(): number {
    return this.#takenBytes
  }

  /** Throws a WireError when the bytes cannot be requests. */
  push(bytes: Uint8Array): void {
    // Node gives a Buffer, whose views are Buffers too: dearer, and with a `slice` that does not copy.
    const chunk = bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (this.#stopped) this.#held.push(chunk)
    else this.#cut(chunk, 0)
  }

  /** Goes on after a stop. */
  resume(): void {
    this.#stopped = false
    const held = this.#held
    this.#held = []
    for (const chunk of held) this.push(chunk)
  }

  #cut(chunk: Uint8Array, start: number): void {
    let at = start
    while (at < chunk.length && !this.#stopped) {
      if (this.#length > 0) {
        at = this.#readBody(chunk, at)
        continue
      }
      at = this.#readPrefix(chunk, at)
      if (this.#prefixBytes === PREFIX_BYTES) this.#stopped = !this.#begin()
    }
    if (at < chunk.length) this.#held.push(at === 0 ? chunk : chunk.subarray(at))
  }

  /** Answers the place after what it took of the chunk. */
  #readPrefix(chunk: Uint8Array, start: number): number {
    let at = start
    while (this.#prefixBytes < PREFIX_BYTES && at < chunk.length) this.#prefix[this.#prefixBytes++] = chunk[at++] as number
    return at
  }

  /** All of the length is there. False: its room is not. */
  #begin(): boolean {
    const length = new DataView(this.#prefix.buffer).getInt32(0)
    const { sizeBytesMax } = this.#options
    if (length < REQUEST_BYTES_MIN || length > sizeBytesMax)
      throw new WireError(length > sizeBytesMax ? 'too_large' : 'malformed', `a request of ${length} bytes, at most ${sizeBytesMax}`)
    this.#length = length
    if (length <= LARGE_REQUEST_BYTES) return true
    this.#takenBytes = length
    return this.#options.takeMemory(length)
  }

  /** Answers the place after what it took of the chunk. */
  #readBody(chunk: Uint8Array, start: number): number {
    const length = this.#length
    if (this.#body === undefined) {
      if (chunk.length - start >= length) {
        this.#deliver(chunk.subarray(start, start + length))
        return start + length
      }
      this.#body = new Uint8Array(length)
    }
    const taken = Math.min(length - this.#bodyBytes, chunk.length - start)
    this.#body.set(chunk.subarray(start, start + taken), this.#bodyBytes)
    this.#bodyBytes += taken
    if (this.#bodyBytes === length) this.#deliver(this.#body)
    return start + taken
  }

  #deliver(request: Uint8Array): void {
    const takenBytes = this.#takenBytes
    this.#length = 0
    this.#prefixBytes = 0
    this.#takenBytes = 0
    this.#body = undefined
    this.#bodyBytes = 0
    this.#stopped = !this.#options.onRequest(request, takenBytes)
  }
}
