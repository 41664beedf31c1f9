// LZ4 blocks (lz4 doc/lz4_Block_format.md): sequences of literals and of copies from up to 65,535 bytes back. Written here
// because the libraries at hand take a length from the bytes and make room for it, where a broker wants a bound; and every
// process would load them.
import { RecordsError } from './records-error.ts'

const MATCH_BYTES_MIN = 4
/** The last match begins so many bytes before the end, and the last of them are literals. */
const LAST_MATCH_BYTES = 12
const LAST_LITERALS = 5
const OFFSET_MAX = 0xffff
const HASH_BITS = 13
/** Without a match for so long, the search takes larger steps: noise costs little. */
const SKIP_SHIFT = 6
/** Up to so many bytes a loop is faster than a call that copies them. */
const LOOP_BYTES_MAX = 48

/** Bytes that grow as they are written, up to a bound. */
export class BoundedOutput {
  bytes: Uint8Array
  length = 0
  readonly #sizeBytesMax: number

  constructor(sizeBytes: number, sizeBytesMax: number) {
    this.#sizeBytesMax = sizeBytesMax
    this.bytes = new Uint8Array(Math.min(sizeBytes, sizeBytesMax))
  }

  /** Makes sure that `count` more fit. Throws `too_large` when they may not. */
  room(count: number): void {
    const needed = this.length + count
    if (needed <= this.bytes.length) return
    if (needed > this.#sizeBytesMax) throw new RecordsError('too_large', `more than ${this.#sizeBytesMax} bytes when decompressed`)
    const wider = new Uint8Array(Math.min(this.#sizeBytesMax, Math.max(needed, 2 * this.bytes.length)))
    wider.set(this.bytes.subarray(0, this.length))
    this.bytes = wider
  }

  /** Appends `count` bytes of `input`, from `start` on. */
  append(input: Uint8Array, start: number, count: number): void {
    this.room(count)
    const { bytes, length } = this
    if (count > LOOP_BYTES_MAX) bytes.set(input.subarray(start, start + count), length)
    else for (let index = 0; index < count; index++) bytes[length + index] = input[start + index] as number
    this.length = length + count
  }

  /** Appends `count` bytes from `offset` back, which may overlap with what they make. */
  repeat(offset: number, count: number): void {
    this.room(count)
    const { bytes, length } = this
    const from = length - offset
    if (count > LOOP_BYTES_MAX && offset >= count) bytes.copyWithin(length, from, from + count)
    else for (let index = 0; index < count; index++) bytes[length + index] = bytes[from + index] as number
    this.length = length + count
  }

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }
}

/** Appends what the block from `start` to `end` stands for. Copies reach back to `oldest` in the output, not further. */
export function decodeLz4Block(input: Uint8Array, start: number, end: number, output: BoundedOutput, oldest: number): void {
  let at = start
  /** A length that does not fit its four bits goes on in bytes of up to 255. */
  const rest = (): number => {
    for (let sum = 0; ; ) {
      if (at >= end) throw malformed()
      const byte = input[at++] as number
      sum += byte
      if (byte < 255) return sum
    }
  }
  for (;;) {
    if (at >= end) throw malformed()
    const token = input[at++] as number
    const literals = token >> 4 === 15 ? 15 + rest() : token >> 4
    if (literals > end - at) throw malformed()
    output.append(input, at, literals)
    at += literals
    // The last sequence has no match.
    if (at === end) return
    if (end - at < 2) throw malformed()
    const offset = (input[at] as number) | ((input[at + 1] as number) << 8)
    at += 2
    if (offset === 0 || offset > output.length - oldest) throw malformed()
    output.repeat(offset, ((token & 15) === 15 ? 15 + rest() : token & 15) + MATCH_BYTES_MIN)
  }
}

function malformed(): RecordsError {
  return new RecordsError('malformed', 'not an LZ4 block')
}

/** A block never takes more than this. */
export function lz4BlockBytesMax(sizeBytes: number): number {
  return sizeBytes + Math.floor(sizeBytes / 255) + 16
}

/** Writes the block for the bytes of `input` from `start` to `end` at `place` and answers the place after it. `table` is overwritten. */
export function encodeLz4Block(
  input: Uint8Array,
  start: number,
  end: number,
  output: Uint8Array,
  place: number,
  table: Int32Array,
): number {
  const matchStartMax = end - LAST_MATCH_BYTES
  const matchEndMax = end - LAST_LITERALS
  let to = place
  let literalsFrom = start
  let at = start
  let misses = 0
  // Positions are kept one too high: 0 is none.
  table.fill(0)
  while (at <= matchStartMax) {
    const word = word32(input, at)
    const slot = hash(word)
    const candidate = (table[slot] as number) - 1
    table[slot] = at + 1
    if (candidate < start || at - candidate > OFFSET_MAX || word32(input, candidate) !== word) {
      at += 1 + (misses++ >> SKIP_SHIFT)
      continue
    }
    let length = MATCH_BYTES_MIN
    while (at + length < matchEndMax && input[candidate + length] === input[at + length]) length++
    to = writeSequence(input, literalsFrom, at, output, to, length - MATCH_BYTES_MIN)
    const offset = at - candidate
    output[to++] = offset & 0xff
    output[to++] = offset >> 8
    if (length - MATCH_BYTES_MIN >= 15) to = writeRest(output, to, length - MATCH_BYTES_MIN - 15)
    at += length
    literalsFrom = at
    misses = 0
  }
  return writeSequence(input, literalsFrom, end, output, to, 0)
}

/** The table that `encodeLz4Block` wants. */
export function lz4Table(): Int32Array {
  return new Int32Array(1 << HASH_BITS)
}

/** The token, and the literals from `from` to `end`. */
function writeSequence(input: Uint8Array, from: number, end: number, output: Uint8Array, place: number, match: number): number {
  const literals = end - from
  let to = place
  output[to++] = (Math.min(literals, 15) << 4) | Math.min(match, 15)
  if (literals >= 15) to = writeRest(output, to, literals - 15)
  output.set(input.subarray(from, end), to)
  return to + literals
}

function writeRest(output: Uint8Array, place: number, value: number): number {
  let to = place
  let rest = value
  for (; rest >= 255; rest -= 255) output[to++] = 255
  output[to++] = rest
  return to
}

export function word32(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)
}

/** Knuth's multiplicative hash. */
function hash(word: number): number {
  return Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS)
}
