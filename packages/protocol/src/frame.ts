// Frames on the wire:
//   u32 length | u8 frameVersion | u8 flags | u16 messageKey | u32 correlationId | u32 bodyLength | u32 checksum | body | attachment
// All integers are big-endian. `length` counts what follows it. The checksum is XXH32 (seed 0) over the whole frame,
// length included, with the checksum's own four bytes zero. The first five bytes never change in any version, so a
// peer of any version can tell where a frame ends and that it does not understand it.
import { assert, type Compute } from '@atoll/base'
// The codec without Node's streams and the native string reader that the package's front door adds: 1.8 MB less per process.
import { Packr, RESERVE_START_SPACE, RESET_BUFFER_MODE } from 'msgpackr/pack'
import { ProtocolError } from './errors.ts'
import { HEADER_BYTES, HEADER_BYTES_AFTER_LENGTH, MiB } from './limits.ts'
import { MsgpackReader } from './msgpack-reader.ts'

export const FRAME_VERSION = 1

/** What a frame is; a response or a stream's end may carry `error` as well. */
export const flag = { request: 1, response: 2, error: 4, oneWay: 8, streamItem: 16, streamEnd: 32, cancel: 64, credit: 128 } as const
const LEGAL_FLAGS: ReadonlySet<number> = new Set([
  flag.request,
  flag.response,
  flag.response | flag.error,
  flag.oneWay,
  flag.streamItem,
  flag.streamEnd,
  flag.streamEnd | flag.error,
  flag.cancel,
  flag.credit,
])

export interface Frame {
  readonly flags: number
  readonly messageKey: number
  readonly correlationId: number
  /** The decoded msgpack array. */
  readonly body: readonly unknown[]
  /** Empty when there is none. A view of the bytes received: copy what is small and kept long. */
  readonly attachment: Uint8Array
  /** Size on the wire, the length field included. */
  readonly bytes: number
}

export const NO_ATTACHMENT = new Uint8Array(0)

function writeU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24
  into[at + 1] = value >>> 16
  into[at + 2] = value >>> 8
  into[at + 3] = value
}

/** The unsigned big-endian 32-bit integer at `at`. */
export function readU32(from: Uint8Array, at: number): number {
  return (
    (((from[at] as number) << 24) | ((from[at + 1] as number) << 16) | ((from[at + 2] as number) << 8) | (from[at + 3] as number)) >>> 0
  )
}

/** A body larger than this does not leave its scratch buffer behind. */
const SCRATCH_BYTES_KEPT = MiB
const SCRATCH_BYTES = 8_192

/** Makes and reads frames. One per process: it owns the scratch buffer that bodies are packed into. */
export class FrameCodec {
  readonly #compute: Compute
  readonly #reader = new MsgpackReader()
  readonly #packr = new Packr({ useRecords: false, int64AsType: 'number', moreTypes: false, structuredClone: false })

  constructor(compute: Compute) {
    this.#compute = compute
  }

  /**
   * Header and body of a frame whose attachment, if any, follows as it is. The bytes are scratch: valid until the
   * next call, so copy them first.
   */
  encodeHead(flags: number, messageKey: number, correlationId: number, body: readonly unknown[], attachment: Uint8Array): Uint8Array {
    const head = this.#packr.pack(body, RESERVE_START_SPACE | RESET_BUFFER_MODE | HEADER_BYTES) as Uint8Array
    if (head.byteLength > SCRATCH_BYTES_KEPT) this.#packr.useBuffer(new Uint8Array(SCRATCH_BYTES))
    const total = head.byteLength + attachment.byteLength
    assert(total <= 0xffff_ffff, 'a frame’s length fits 32 bits')
    writeU32(head, 0, total - 4)
    head[4] = FRAME_VERSION
    head[5] = flags
    head[6] = messageKey >>> 8
    head[7] = messageKey
    writeU32(head, 8, correlationId)
    writeU32(head, 12, head.byteLength - HEADER_BYTES)
    writeU32(head, 16, 0)
    const checksum =
      attachment.byteLength === 0 ? this.#compute.xxhash32(head) : this.#compute.xxhash32Stream().update(head).update(attachment).digest()
    writeU32(head, 16, checksum)
    return head
  }

  /**
   * The frame that takes all of `bytes` from `start` to `end`. Overwrites its checksum field while it checks it.
   * Throws `bad_frame` or `bad_checksum`; the connection cannot go on after either.
   */
  decode(bytes: Uint8Array, start: number, end: number): Frame {
    checkPrefix(bytes, start)
    const bodyLength = readU32(bytes, start + 12)
    const bodyStart = start + HEADER_BYTES
    const bodyEnd = bodyStart + bodyLength
    const flags = bytes[start + 5] as number
    if (bodyEnd > end) throw new ProtocolError('bad_frame', `body of ${bodyLength} bytes in a frame of ${end - start}`)
    const checksum = readU32(bytes, start + 16)
    writeU32(bytes, start + 16, 0)
    if (this.#compute.xxhash32(bytes, start, end) !== checksum) throw new ProtocolError('bad_checksum')
    if (!LEGAL_FLAGS.has(flags)) throw new ProtocolError('bad_frame', `flags 0x${flags.toString(16)}`)
    const body = this.#reader.read(bytes, bodyStart, bodyEnd)
    if (!Array.isArray(body)) throw new ProtocolError('bad_frame', 'body is not an array')
    return {
      flags,
      messageKey: ((bytes[start + 6] as number) << 8) | (bytes[start + 7] as number),
      correlationId: readU32(bytes, start + 8),
      body,
      attachment: bodyEnd === end ? NO_ATTACHMENT : bytes.subarray(bodyEnd, end),
      bytes: end - start,
    }
  }
}

function checkPrefix(bytes: Uint8Array, start: number): void {
  const version = bytes[start + 4] as number
  if (version !== FRAME_VERSION) throw new ProtocolError('bad_frame', `frame version ${version}, this node speaks ${FRAME_VERSION}`)
}

/**
 * The length of the frame that starts at `start`, its length field included; undefined while the length field is not
 * all there. Throws `bad_frame` for one shorter than a header and `message_too_large` for one over `bytesMax`, before
 * a byte is allocated for it.
 */
export function frameLength(bytes: Uint8Array, start: number, end: number, bytesMax: number): number | undefined {
  if (end - start < 4) return undefined
  const length = readU32(bytes, start)
  if (length < HEADER_BYTES_AFTER_LENGTH) throw new ProtocolError('bad_frame', `length ${length} is shorter than a header`)
  if (length + 4 > bytesMax) throw new ProtocolError('message_too_large', `frame of ${length + 4} bytes, at most ${bytesMax} are accepted`)
  return length + 4
}
