// Snappy (google/snappy format_description.txt), in the two forms in which clients send it: one raw block (librdkafka,
// franz-go), or the stream of blocks that Java's snappy-java makes, which is what is written here. Own code for the reasons
// of lz4-block.ts.
import { BoundedOutput, word32 } from './lz4-block.ts'
import { RecordsError } from './records-error.ts'

/** snappy-java's stream: these eight bytes, two numbers for the version, then blocks with their length in front. */
const STREAM_MAGIC = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]
const STREAM_HEADER_BYTES = 16
const STREAM_VERSION = 1
const STREAM_BLOCK_BYTES = 32_768
/** A copy of 64 bytes takes three: no block becomes more than 22 times as long. */
const RATIO_MAX = 22
const HASH_BITS = 12
const SKIP_SHIFT = 5
/** So close to the end nothing is worth a copy. */
const MARGIN_BYTES = 15

/** Throws a RecordsError. */
export function decodeSnappy(bytes: Uint8Array, sizeBytesMax: number): Uint8Array {
  const isStream = bytes.length >= STREAM_HEADER_BYTES && STREAM_MAGIC.every((byte, index) => bytes[index] === byte)
  if (!isStream) {
    const output = new BoundedOutput(Math.min(sizeBytesMax, 4 * bytes.length), sizeBytesMax)
    decodeBlock(bytes, 0, bytes.length, output)
    return output.finish()
  }
  const fields = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const output = new BoundedOutput(4 * bytes.length, sizeBytesMax)
  for (let at = STREAM_HEADER_BYTES; at < bytes.length; ) {
    if (bytes.length - at < 4) throw malformed()
    const size = fields.getInt32(at)
    at += 4
    if (size < 0 || size > bytes.length - at) throw malformed()
    decodeBlock(bytes, at, at + size, output)
    at += size
  }
  return output.finish()
}

function decodeBlock(input: Uint8Array, start: number, end: number, output: BoundedOutput): void {
  let at = start
  const byte = (): number => {
    if (at >= end) throw malformed()
    return input[at++] as number
  }
  let size = 0
  for (let shift = 0; ; shift += 7) {
    const next = byte()
    if (shift === 28 && next > 0x0f) throw malformed()
    size += (next & 0x7f) * 2 ** shift
    if (next < 0x80) break
  }
  // Said before anything is decoded: no room is made for a claim that the bytes cannot keep.
  if (size > (end - at) * RATIO_MAX) throw malformed()
  output.room(size)
  const oldest = output.length
  const last = oldest + size
  while (at < end) {
    const tag = byte()
    if ((tag & 3) === 0) {
      let length = tag >> 2
      if (length >= 60) {
        const lengthBytes = length - 59
        length = 0
        for (let index = 0; index < lengthBytes; index++) length += byte() * 2 ** (8 * index)
      }
      length++
      if (length > end - at || length > last - output.length) throw malformed()
      output.append(input, at, length)
      at += length
      continue
    }
    let length = (tag >> 2) + 1
    let offset: number
    if ((tag & 3) === 1) {
      length = ((tag >> 2) & 7) + 4
      offset = ((tag >> 5) << 8) | byte()
    } else if ((tag & 3) === 2) offset = byte() | (byte() << 8)
    else offset = (byte() | (byte() << 8) | (byte() << 16)) + byte() * 0x100_0000
    if (offset === 0 || offset > output.length - oldest || length > last - output.length) throw malformed()
    output.repeat(offset, length)
  }
  if (output.length !== last) throw malformed()
}

function malformed(): RecordsError {
  return new RecordsError('malformed', 'not Snappy')
}

export function encodeSnappy(bytes: Uint8Array): Uint8Array {
  const blocks = Math.ceil(bytes.length / STREAM_BLOCK_BYTES)
  const output = new Uint8Array(STREAM_HEADER_BYTES + blocks * (4 + blockBytesMax(STREAM_BLOCK_BYTES)))
  const fields = new DataView(output.buffer)
  output.set(STREAM_MAGIC)
  fields.setInt32(8, STREAM_VERSION)
  fields.setInt32(12, STREAM_VERSION)
  const table = new Int32Array(1 << HASH_BITS)
  let place = STREAM_HEADER_BYTES
  for (let start = 0; start < bytes.length; start += STREAM_BLOCK_BYTES) {
    const after = encodeBlock(bytes, start, Math.min(bytes.length, start + STREAM_BLOCK_BYTES), output, place + 4, table)
    fields.setInt32(place, after - place - 4)
    place = after
  }
  return output.slice(0, place)
}

function blockBytesMax(sizeBytes: number): number {
  return 32 + sizeBytes + Math.floor(sizeBytes / 6)
}

/** A block of at most 32 KiB, so that every copy has an offset of two bytes. */
function encodeBlock(input: Uint8Array, start: number, end: number, output: Uint8Array, place: number, table: Int32Array): number {
  let to = place
  for (let size = end - start; ; size >>= 7) {
    if (size < 0x80) {
      output[to++] = size
      break
    }
    output[to++] = (size & 0x7f) | 0x80
  }
  let literalsFrom = start
  let at = start
  let misses = 0
  table.fill(0)
  while (at < end - MARGIN_BYTES) {
    const word = word32(input, at)
    const slot = Math.imul(word, 0x1e35a7bd) >>> (32 - HASH_BITS)
    const candidate = (table[slot] as number) - 1
    table[slot] = at + 1
    if (candidate < start || word32(input, candidate) !== word) {
      at += 1 + (misses++ >> SKIP_SHIFT)
      continue
    }
    to = writeLiterals(input, literalsFrom, at, output, to)
    let length = 4
    while (at + length < end && input[candidate + length] === input[at + length]) length++
    const offset = at - candidate
    for (let left = length; left > 0; left -= 64) {
      output[to++] = ((Math.min(left, 64) - 1) << 2) | 2
      output[to++] = offset & 0xff
      output[to++] = offset >> 8
    }
    at += length
    literalsFrom = at
    misses = 0
  }
  return writeLiterals(input, literalsFrom, end, output, to)
}

function writeLiterals(input: Uint8Array, from: number, end: number, output: Uint8Array, place: number): number {
  const length = end - from
  if (length === 0) return place
  let to = place
  const rest = length - 1
  if (rest < 60) output[to++] = rest << 2
  else if (rest < 0x100) {
    output[to++] = 60 << 2
    output[to++] = rest
  } else {
    output[to++] = 61 << 2
    output[to++] = rest & 0xff
    output[to++] = rest >> 8
  }
  output.set(input.subarray(from, end), to)
  return to + length
}
