// Reads bodies: msgpack as far as tables use it, which is nil, bool, integers, floats, str, bin and array. Maps and
// extensions are in no table and refused (msgpack specification, "Formats"). Decoding allocates by what lengths claim,
// so every claim is checked against the bytes that are there before anything is made of it; depth and the number of
// values are bounded too. One pass, and nothing but `bad_frame` is ever thrown.
import { ProtocolError } from './errors.ts'
import { BODY_VALUES_MAX, NESTING_DEPTH_MAX } from './limits.ts'

/** Strings up to this many bytes are put together here; the decoder's call costs more than they do. */
const SHORT_STRING_BYTES = 40
const TWO_32 = 4_294_967_296

function refuse(what: string): never {
  throw new ProtocolError('bad_frame', `body: ${what}`)
}

export interface ReaderBounds {
  readonly depthMax: number
  readonly valuesMax: number
}

export class MsgpackReader {
  readonly #depthMax: number
  readonly #valuesMax: number
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  readonly #float = new DataView(new ArrayBuffer(8))
  #bytes: Uint8Array = new Uint8Array(0)
  #at = 0
  #end = 0
  #depth = 0
  #valuesLeft = 0

  constructor({ depthMax, valuesMax }: ReaderBounds = { depthMax: NESTING_DEPTH_MAX, valuesMax: BODY_VALUES_MAX }) {
    this.#depthMax = depthMax
    this.#valuesMax = valuesMax
  }

  /**
   * The one value that takes all of `bytes` from `start` to `end`; binary values are views of `bytes`. Throws `bad_frame`.
   * Time is linear in the bytes; memory is too, and at most a constant per value.
   */
  read(bytes: Uint8Array, start: number, end: number): unknown {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
    this.#depth = 0
    this.#valuesLeft = this.#valuesMax
    const value = this.#value()
    if (this.#at !== end) refuse(`${end - this.#at} bytes too many`)
    return value
  }

  #value(): unknown {
    if (this.#at >= this.#end) refuse('cut short')
    const first = this.#bytes[this.#at++] as number
    if (first < 0x80) return first
    if (first >= 0xe0) return first - 0x100
    if (first < 0x90) refuse('a map')
    if (first < 0xa0) return this.#array(first & 0x0f)
    if (first < 0xc0) return this.#string(first & 0x1f)
    switch (first) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
        return this.#binary(this.#unsigned(1))
      case 0xc5:
        return this.#binary(this.#unsigned(2))
      case 0xc6:
        return this.#binary(this.#unsigned(4))
      case 0xca:
        return this.#float32()
      case 0xcb:
        return this.#float64()
      case 0xcc:
        return this.#unsigned(1)
      case 0xcd:
        return this.#unsigned(2)
      case 0xce:
        return this.#unsigned(4)
      case 0xcf:
        return this.#unsigned(4) * TWO_32 + this.#unsigned(4)
      case 0xd0:
        return (this.#unsigned(1) << 24) >> 24
      case 0xd1:
        return (this.#unsigned(2) << 16) >> 16
      case 0xd2:
        return this.#unsigned(4) | 0
      case 0xd3:
        return (this.#unsigned(4) | 0) * TWO_32 + this.#unsigned(4)
      case 0xd9:
        return this.#string(this.#unsigned(1))
      case 0xda:
        return this.#string(this.#unsigned(2))
      case 0xdb:
        return this.#string(this.#unsigned(4))
      case 0xdc:
        return this.#array(this.#unsigned(2))
      case 0xdd:
        return this.#array(this.#unsigned(4))
      default:
        return refuse(`format 0x${first.toString(16)}`)
    }
  }

  /** Moves past `length` bytes that must be there; answers where they begin. */
  #take(length: number): number {
    const at = this.#at
    if (length > this.#end - at) refuse('cut short')
    this.#at = at + length
    return at
  }

  #unsigned(width: 1 | 2 | 4): number {
    let at = this.#take(width)
    const bytes = this.#bytes
    let value = bytes[at++] as number
    for (let left = width - 1; left > 0; left--) value = value * 256 + (bytes[at++] as number)
    return value
  }

  #float32(): number {
    this.#float.setUint32(0, this.#unsigned(4))
    return this.#float.getFloat32(0)
  }

  #float64(): number {
    this.#float.setUint32(0, this.#unsigned(4))
    this.#float.setUint32(4, this.#unsigned(4))
    return this.#float.getFloat64(0)
  }

  #binary(length: number): Uint8Array {
    const at = this.#take(length)
    return this.#bytes.subarray(at, at + length)
  }

  #string(length: number): string {
    const at = this.#take(length)
    return (length <= SHORT_STRING_BYTES ? this.#shortAscii(at, at + length) : undefined) ?? this.#text(at, at + length)
  }

  #text(at: number, end: number): string {
    try {
      return this.#utf8.decode(this.#bytes.subarray(at, end))
    } catch {
      // What the decoder throws says only that the bytes are not UTF-8.
      return refuse('a string that is not UTF-8')
    }
  }

  /** Undefined as soon as a byte is not ASCII. */
  #shortAscii(at: number, end: number): string | undefined {
    const bytes = this.#bytes
    let text = ''
    for (; at + 4 <= end; at += 4) {
      const a = bytes[at] as number
      const b = bytes[at + 1] as number
      const c = bytes[at + 2] as number
      const d = bytes[at + 3] as number
      if ((a | b | c | d) >= 0x80) return undefined
      text += String.fromCharCode(a, b, c, d)
    }
    for (; at < end; at++) {
      const a = bytes[at] as number
      if (a >= 0x80) return undefined
      text += String.fromCharCode(a)
    }
    return text
  }

  #array(length: number): unknown[] {
    // Each element takes a byte at least, so an honest length never exceeds what is left.
    if (length > this.#end - this.#at) refuse(`an array of ${length} values in ${this.#end - this.#at} bytes`)
    if (this.#depth >= this.#depthMax) refuse(`arrays nested deeper than ${this.#depthMax}`)
    this.#valuesLeft -= length
    if (this.#valuesLeft < 0) refuse(`more than ${this.#valuesMax} values`)
    this.#depth++
    const values = new Array<unknown>(length)
    for (let i = 0; i < length; i++) values[i] = this.#value()
    this.#depth--
    return values
  }
}
