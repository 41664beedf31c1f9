// Writes Kafka's primitive types, and answers the pieces of one message. Record batches among them are never copied: they
// stand between pieces of a block into which all the rest is written. Blocks are filled once and never reused, because
// the network may still hold what was written.
import { assert } from '@atoll/base'
import { BLOCK_BYTES, COPY_BYTES_MAX, STRING_BYTES_MAX } from './limits.ts'

const HIGH = 0x1_0000_0000
const SHORT_STRING_LENGTH = 32
const text = new TextEncoder()

/** One message at a time: `begin`, the fields, `finish`. Everything it is given is ours, so a value out of range is a bug. */
export class WireWriter {
  #block = new Uint8Array(0)
  #view = new DataView(this.#block.buffer)
  /** The piece that is being written begins here in the block, and ends at `#at`. */
  #start = 0
  #at = 0
  #pieces: Uint8Array[] = []
  #piecesBytes = 0

  /** Begins a message, with room for its length. */
  begin(): void {
    this.#start = this.#at
    this.#pieces = []
    this.#piecesBytes = 0
    this.int32(0)
  }

  /** Ends the message: its length is written in front, and the pieces are the caller's. */
  finish(): Uint8Array[] {
    this.#cut()
    const pieces = this.#pieces
    const [first] = pieces
    assert(first !== undefined && first.length >= 4, 'the first piece begins with the length')
    new DataView(first.buffer, first.byteOffset, 4).setInt32(0, this.#piecesBytes - 4)
    this.#pieces = []
    return pieces
  }

  int8(value: number): void {
    assert((value << 24) >> 24 === value, 'an int8')
    this.#room(1)
    this.#view.setInt8(this.#at++, value)
  }

  bool(value: boolean): void {
    this.#room(1)
    this.#block[this.#at++] = value ? 1 : 0
  }

  int16(value: number): void {
    assert((value << 16) >> 16 === value, 'an int16')
    this.#room(2)
    this.#view.setInt16(this.#at, value)
    this.#at += 2
  }

  uint16(value: number): void {
    assert((value & 0xffff) === value, 'a uint16')
    this.#room(2)
    this.#view.setUint16(this.#at, value)
    this.#at += 2
  }

  int32(value: number): void {
    assert((value | 0) === value, 'an int32')
    this.#room(4)
    this.#view.setInt32(this.#at, value)
    this.#at += 4
  }

  uint32(value: number): void {
    assert(value >>> 0 === value, 'a uint32')
    this.#room(4)
    this.#view.setUint32(this.#at, value)
    this.#at += 4
  }

  int64(value: number): void {
    assert(Number.isSafeInteger(value), 'an int64 that a double holds')
    this.#room(8)
    this.#view.setInt32(this.#at, Math.floor(value / HIGH))
    this.#view.setUint32(this.#at + 4, value >>> 0)
    this.#at += 8
  }

  float64(value: number): void {
    this.#room(8)
    this.#view.setFloat64(this.#at, value)
    this.#at += 8
  }

  uuid(value: string): void {
    assert(value.length === 32, 'a uuid is 32 hexadecimal digits')
    this.#room(16)
    for (let digit = 0; digit < 32; digit += 8) {
      this.#view.setUint32(this.#at, Number.parseInt(value.slice(digit, digit + 8), 16))
      this.#at += 4
    }
  }

  varint(value: number): void {
    this.#room(5)
    let rest = value
    while (rest >= 0x80) {
      this.#block[this.#at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#block[this.#at++] = rest
  }

  /** The length of bytes, records or an array; -1 is null. */
  length(value: number, flexible: boolean): void {
    if (flexible) this.varint(value + 1)
    else this.int32(value)
  }

  nullString(flexible: boolean): void {
    if (flexible) this.varint(0)
    else this.int16(-1)
  }

  string(value: string, flexible: boolean): void {
    const { length } = value
    // Three bytes hold any UTF-16 code unit; ASCII of up to 126 characters has a length of one byte or two.
    this.#room(length * 3 + 5)
    const lengthBytes = flexible ? (length < 0x7f ? 1 : length < 0x3fff ? 2 : 3) : 2
    const start = this.#at + lengthBytes
    const written = length <= SHORT_STRING_LENGTH ? this.#ascii(value, start) : this.#utf8(value, start)
    assert(written <= STRING_BYTES_MAX, 'a string within its bound')
    if (flexible) {
      const needed = written < 0x7f ? 1 : written < 0x3fff ? 2 : 3
      if (needed !== lengthBytes) this.#block.copyWithin(this.#at + needed, start, start + written)
      this.varint(written + 1)
    } else this.int16(written)
    this.#at += written
  }

  /** Copies them. */
  bytes(value: Uint8Array): void {
    this.#room(value.length)
    this.#block.set(value, this.#at)
    this.#at += value.length
  }

  /** Record batches, one after the other: large ones become pieces of their own, which nobody may change from here on. */
  batches(value: readonly Uint8Array[]): void {
    for (const batch of value) {
      if (batch.length <= COPY_BYTES_MAX) this.bytes(batch)
      else {
        this.#cut()
        this.#pieces.push(batch)
        this.#piecesBytes += batch.length
      }
    }
  }

  /** What `write` writes, with its size in front as a varint. It contains no record batches. */
  sized(write: () => void): void {
    const pieces = this.#pieces.length
    this.#room(1)
    // From the beginning of the piece, since writing may move it to another block.
    const before = this.#at - this.#start
    // Most take less than 128 bytes.
    this.#at++
    write()
    assert(this.#pieces.length === pieces, 'no batches where a size stands in front')
    const size = this.#at - this.#start - before - 1
    const extra = size < 0x80 ? 0 : size < 0x4000 ? 1 : size < 0x20_0000 ? 2 : size < 0x1000_0000 ? 3 : 4
    this.#room(extra + 5)
    const start = this.#start + before
    if (extra > 0) this.#block.copyWithin(start + 1 + extra, start + 1, start + 1 + size)
    this.#at = start
    this.varint(size)
    this.#at += size
  }

  #ascii(value: string, start: number): number {
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index)
      if (code >= 0x80) return this.#utf8(value, start)
      this.#block[start + index] = code
    }
    return value.length
  }

  #utf8(value: string, start: number): number {
    return text.encodeInto(value, this.#block.subarray(start)).written
  }

  /** Makes a piece of what was written since the last one. */
  #cut(): void {
    if (this.#at === this.#start) return
    this.#pieces.push(this.#block.subarray(this.#start, this.#at))
    this.#piecesBytes += this.#at - this.#start
    this.#start = this.#at
  }

  /** Makes sure that `bytes` more fit behind what was written; the piece moves to another block if need be. */
  #room(bytes: number): void {
    if (bytes <= this.#block.length - this.#at) return
    const written = this.#at - this.#start
    const block = new Uint8Array(Math.max(BLOCK_BYTES, 2 * (written + bytes)))
    block.set(this.#block.subarray(this.#start, this.#at))
    this.#block = block
    this.#view = new DataView(block.buffer)
    this.#start = 0
    this.#at = written
  }
}
