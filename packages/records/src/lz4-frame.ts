// LZ4 frames (lz4 doc/lz4_Frame_format.md), as record batches have them (KIP-57): written as Kafka's Java client does, in
// independent blocks of 64 KiB, without checksums of the content; read in all their forms but with dictionaries.
import type { Compute } from '@atoll/base'
import { BoundedOutput, decodeLz4Block, encodeLz4Block, lz4BlockBytesMax, lz4Table } from './lz4-block.ts'
import { RecordsError } from './records-error.ts'

type Xxhash32 = Compute['xxhash32']

const MAGIC = 0x184d2204
/** Sixteen magic numbers of frames that are passed over. */
const SKIPPABLE_MAGIC = 0x184d2a50
const BLOCK_BYTES = 65_536
/** Version 1, independent blocks. */
const FLAGS_WRITTEN = 0x60
/** Blocks of at most 64 KiB. */
const BLOCK_SIZE_WRITTEN = 0x40
const STORED = 0x8000_0000
const flag = {
  version: 0xc0,
  independent: 0x20,
  blockChecksum: 0x10,
  contentSize: 0x08,
  contentChecksum: 0x04,
  reserved: 0x02,
  dictionary: 0x01,
}

export function encodeLz4(bytes: Uint8Array, xxhash32: Xxhash32): Uint8Array {
  const blocks = Math.ceil(bytes.length / BLOCK_BYTES)
  const output = new Uint8Array(7 + blocks * (4 + lz4BlockBytesMax(BLOCK_BYTES)) + 4)
  const fields = new DataView(output.buffer)
  fields.setUint32(0, MAGIC, true)
  output[4] = FLAGS_WRITTEN
  output[5] = BLOCK_SIZE_WRITTEN
  output[6] = headerChecksum(output, 4, 6, xxhash32)
  const table = lz4Table()
  let place = 7
  for (let start = 0; start < bytes.length; start += BLOCK_BYTES) {
    const end = Math.min(bytes.length, start + BLOCK_BYTES)
    const after = encodeLz4Block(bytes, start, end, output, place + 4, table)
    const size = after - place - 4
    // What did not get smaller is stored as it is.
    const isStored = size >= end - start
    if (isStored) output.set(bytes.subarray(start, end), place + 4)
    fields.setUint32(place, isStored ? STORED + end - start : size, true)
    place += 4 + (isStored ? end - start : size)
  }
  fields.setUint32(place, 0, true)
  return output.slice(0, place + 4)
}

/** Throws a RecordsError. One frame or several in a row. */
export function decodeLz4(bytes: Uint8Array, sizeBytesMax: number, xxhash32: Xxhash32): Uint8Array {
  const output = new BoundedOutput(4 * bytes.length, sizeBytesMax)
  const input = new FrameInput(bytes)
  do decodeFrame(input, output, xxhash32)
  while (input.at < bytes.length)
  return output.finish()
}

function decodeFrame(input: FrameInput, output: BoundedOutput, xxhash32: Xxhash32): void {
  const magic = input.u32()
  if ((magic & 0xffff_fff0) === SKIPPABLE_MAGIC) {
    input.skip(input.u32())
    return
  }
  if (magic !== MAGIC) throw malformed('no LZ4 frame')
  const header = readHeader(input, xxhash32)
  const start = output.length
  for (;;) {
    const word = input.u32()
    if (word === 0) break
    const size = word % STORED
    if (size > header.blockBytesMax) throw malformed('a block is larger than its frame allows')
    const from = input.skip(size)
    if (header.flags & flag.blockChecksum && input.u32() !== xxhash32(input.bytes, from, from + size))
      throw malformed('a wrong block checksum')
    const before = output.length
    if (word >= STORED) output.append(input.bytes, from, size)
    else decodeLz4Block(input.bytes, from, from + size, output, header.flags & flag.independent ? before : start)
    if (output.length - before > header.blockBytesMax) throw malformed('a block holds more than its frame allows')
  }
  if (header.flags & flag.contentChecksum && input.u32() !== xxhash32(output.bytes, start, output.length))
    throw malformed('a wrong content checksum')
  if (header.contentBytes !== undefined && header.contentBytes !== output.length - start) throw malformed('a wrong content size')
}

interface FrameHeader {
  readonly flags: number
  readonly blockBytesMax: number
  readonly contentBytes: number | undefined
}

function readHeader(input: FrameInput, xxhash32: Xxhash32): FrameHeader {
  const start = input.at
  const flags = input.u8()
  const blockSize = input.u8()
  if ((flags & flag.version) !== 0x40 || (flags & flag.reserved) !== 0) throw malformed('an unknown form')
  if ((flags & flag.dictionary) !== 0) throw new RecordsError('unsupported_compression', 'LZ4 with a dictionary')
  // Bits 4 to 6: 4 is 64 KiB, each one more is four times as much, up to 4 MiB. The others are 0.
  const size = blockSize >> 4
  if ((blockSize & 0x0f) !== 0 || size < 4 || size > 7) throw malformed('an unknown block size')
  const contentBytes = (flags & flag.contentSize) === 0 ? undefined : input.u32() + input.u32() * 0x1_0000_0000
  const expected = headerChecksum(input.bytes, start, input.at, xxhash32)
  if (input.u8() !== expected) throw malformed('a wrong header checksum')
  return { flags, blockBytesMax: 1 << (2 * size + 8), contentBytes }
}

/** The second byte of the hash of what stands between the magic number and it. */
function headerChecksum(bytes: Uint8Array, start: number, end: number, xxhash32: Xxhash32): number {
  return (xxhash32(bytes, start, end) >>> 8) & 0xff
}

/** Numbers of a frame are little-endian. */
class FrameInput {
  readonly bytes: Uint8Array
  at = 0
  readonly #view: DataView

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  u8(): number {
    return this.bytes[this.skip(1)] as number
  }

  u32(): number {
    return this.#view.getUint32(this.skip(4), true)
  }

  /** Passes over `count` bytes and answers where they begin. */
  skip(count: number): number {
    const start = this.at
    if (count > this.bytes.length - start) throw malformed('cut off')
    this.at = start + count
    return start
  }
}

function malformed(what: string): RecordsError {
  return new RecordsError('malformed', `LZ4: ${what}`)
}
