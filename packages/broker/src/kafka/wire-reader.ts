// Reads Kafka's primitive types from bytes that nobody vouches for (kafka.apache.org/protocol, "Protocol Primitive Types"):
// numbers are big-endian, lengths come first, and the flexible versions (KIP-482) write lengths as varints, one too high.
import { ELEMENTS_MAX, STRING_BYTES_MAX } from './limits.ts'
import { WireError } from './wire-error.ts'

const HIGH = 0x1_0000_0000
/** Up to this length a loop over ASCII is faster than a call of the decoder. */
const SHORT_STRING_BYTES = 32
const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const lenientText = new TextDecoder('utf-8', { ignoreBOM: true })
/** Two hexadecimal digits for each byte. */
const hexOfByte: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Never reads past `end`. Every method throws a WireError when the bytes are not what it is for. */
export class WireReader {
  readonly end: number
  at: number
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #elementsLeft = ELEMENTS_MAX

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, end)
    this.at = start
    this.end = end
  }

  get remaining(): number {
    return this.end - this.at
  }

  int8(): number {
    return this.#view.getInt8(this.#advance(1))
  }

  bool(): boolean {
    return this.#view.getInt8(this.#advance(1)) !== 0
  }

  int16(): number {
    return this.#view.getInt16(this.#advance(2))
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2))
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4))
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4))
  }

  /** A signed 64-bit integer that a double holds exactly; others are refused. */
  int64(): number {
    const start = this.#advance(8)
    const value = this.#view.getInt32(start) * HIGH + this.#view.getUint32(start + 4)
    if (!Number.isSafeInteger(value)) throw new WireError('malformed', 'a number with more than 53 bits')
    return value
  }

  /** The same, with what a double cannot hold exactly brought to the nearest end of what it can. */
  int64Clamped(): number {
    const start = this.#advance(8)
    const value = this.#view.getInt32(start) * HIGH + this.#view.getUint32(start + 4)
    return Math.min(Number.MAX_SAFE_INTEGER, Math.max(Number.MIN_SAFE_INTEGER, value))
  }

  float64(): number {
    return this.#view.getFloat64(this.#advance(8))
  }

  /** 32 lower-case hexadecimal digits. */
  uuid(): string {
    const start = this.#advance(16)
    let text = ''
    for (let at = start; at < start + 16; at++) text += hexOfByte[this.#bytes[at] as number] as string
    return text
  }

  /** An unsigned varint of at most 32 bits (KIP-482). */
  varint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[this.#advance(1)] as number
      // The fifth byte has room for four bits, and is the last.
      if (shift === 28 && byte > 0x0f) throw new WireError('malformed', 'a varint of more than 32 bits')
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
  }

  /** The length of a string: -1 is null. */
  stringLength(flexible: boolean): number {
    const length = flexible ? this.varint() - 1 : this.int16()
    if (length < -1) throw new WireError('malformed', `a string of ${length} bytes`)
    if (length > STRING_BYTES_MAX) throw new WireError('too_large', `a string of ${length} bytes, at most ${STRING_BYTES_MAX}`)
    return length
  }

  /** The length of bytes, records or an array: -1 is null. */
  length(flexible: boolean): number {
    const length = flexible ? this.varint() - 1 : this.int32()
    if (length < -1) throw new WireError('malformed', `a length of ${length}`)
    return length
  }

  /** A view of the next `length` bytes. */
  take(length: number): Uint8Array {
    const start = this.#advance(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** The next `length` bytes as UTF-8, which they have to be. */
  text(length: number): string {
    const start = this.#advance(length)
    if (length <= SHORT_STRING_BYTES) {
      let text = ''
      let at = start
      for (; at < start + length; at++) {
        const byte = this.#bytes[at] as number
        if (byte >= 0x80) break
        text += String.fromCharCode(byte)
      }
      if (at === start + length) return text
    }
    try {
      return strictText.decode(this.#bytes.subarray(start, start + length))
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      throw new WireError('malformed', 'a string that is not UTF-8')
    }
  }

  /** The same for text that is only shown: what is not UTF-8 is replaced. */
  shownText(length: number): string {
    return lenientText.decode(this.take(length))
  }

  /** Asks whether `count` elements of at least `bytesMin` each can follow, before room is made for them. */
  claim(count: number, bytesMin: number): void {
    if (count * bytesMin > this.remaining) throw new WireError('truncated', `${count} elements in ${this.remaining} bytes`)
    this.#elementsLeft -= count
    if (this.#elementsLeft < 0) throw new WireError('too_large', `more than ${ELEMENTS_MAX} elements in one message`)
  }

  #advance(length: number): number {
    const start = this.at
    if (length > this.end - start) throw new WireError('truncated', `${length} bytes expected, ${this.end - start} left`)
    this.at = start + length
    return start
  }
}
