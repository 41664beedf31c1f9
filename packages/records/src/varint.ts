// Protocol Buffers' zigzag varints, as records use them: 7 bits to a byte, the low ones first. Kafka allows 64 bits for
// a timestamp delta; what does not fit a double's 53 is refused, since no clock of this era needs it.
import { RecordsError } from './records-error.ts'

/** Bytes that `value` takes; any integer of up to 53 bits. */
export function varintSize(value: number): number {
  let rest = zigzag(value)
  let size = 1
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80)
    size++
  }
  return size
}

/** Writes `value` and answers the place after it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = zigzag(value)
  let place = at
  while (rest >= 0x80) {
    bytes[place++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  bytes[place++] = rest
  return place
}

/** Reads through bytes that nobody vouches for; every read that would leave them is an error. */
export class RecordReader {
  readonly bytes: Uint8Array
  readonly end: number
  at: number

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  byte(): number {
    if (this.at >= this.end) throw new RecordsError('malformed', 'a record ends in the middle of a field')
    return this.bytes[this.at++] as number
  }

  /** An integer of at most 53 bits. */
  varint(): number {
    const first = this.byte()
    if (first < 0x80) return unzigzag(first)
    let value = first & 0x7f
    for (let scale = 0x80; ; scale *= 0x80) {
      const next = this.byte()
      value += (next & 0x7f) * scale
      if (!Number.isSafeInteger(value)) throw new RecordsError('malformed', 'a number of a record has more than 53 bits')
      // A last byte of 0 says nothing: one number, one form.
      if (next < 0x80) return next === 0 ? overlong() : unzigzag(value)
    }
  }

  /** The next `length` bytes, as a view. */
  take(length: number): Uint8Array {
    if (length < 0 || length > this.end - this.at) throw new RecordsError('malformed', 'a field of a record is longer than the record')
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  /** Passes over bytes with their length before them, and answers it; -1 stands for null. */
  skipNullable(): number {
    const length = this.varint()
    if (length < -1 || length > this.end - this.at) throw new RecordsError('malformed', 'a field of a record is longer than the record')
    if (length > 0) this.at += length
    return length
  }

  /** Bytes with their length before them; -1 stands for null. */
  nullable(): Uint8Array | null {
    const length = this.varint()
    return length === -1 ? null : this.take(length)
  }
}

function overlong(): never {
  throw new RecordsError('malformed', 'a number of a record is longer than it need be')
}

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}

function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}
