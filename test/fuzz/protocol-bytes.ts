// Hostile bytes that know the protocol: sequences of legal frames, then changed where it hurts. Half of the changes are
// sealed with the checksum that belongs to them, or nothing would get past it.
import type { SeededRandom } from '@atoll/base'
import { conversations, type FrameCodec, flag } from '@atoll/protocol'
import { codecsOf } from '../../packages/protocol/src/table.ts'

const HEADER_BYTES = 20
const POOL_FRAMES = 3_000
const FRAME_BYTES_USUAL = 600
const FLAGS = Object.values(flag)
const messages = conversations.flatMap(conversation => Object.values(conversation.messages))
/** Numbers that lengths and counts go wrong at. */
const AWKWARD = [
  0, 1, 3, 4, 15, 16, 19, 20, 127, 128, 255, 256, 4_092, 4_093, 65_535, 65_536, 0x00ff_ffff, 0x0101_0000, 0x7fff_ffff, 0xffff_fffe,
  0xffff_ffff,
]

export class HostileBytes {
  readonly #random: SeededRandom
  readonly #codec: FrameCodec
  readonly #hash: (bytes: Uint8Array) => number
  /** Legal frames, made once: making them takes longer than reading them. */
  readonly #pool: readonly Uint8Array[]

  constructor(random: SeededRandom, codec: FrameCodec, hash: (bytes: Uint8Array) => number) {
    this.#random = random
    this.#codec = codec
    this.#hash = hash
    const made = Array.from({ length: POOL_FRAMES }, () => this.#makeFrame())
    // Large ones are few: they are slow to chew and teach little.
    this.#pool = made.filter((frame, i) => frame.byteLength <= FRAME_BYTES_USUAL || i % 50 === 0)
  }

  /** The next input. `first` begins it, unchanged most of the time: what a peer says before it turns hostile. */
  next(first: readonly Uint8Array[]): Uint8Array {
    const frames = [...first]
    const more = 1 + this.#below(5)
    for (let i = 0; i < more; i++) frames.push(this.#frame())
    const changes = this.#below(4)
    for (let i = 0; i < changes; i++) {
      const at = this.#chance(0.1) ? this.#below(frames.length) : Math.min(frames.length - 1, first.length + this.#below(more))
      frames[at] = this.#changedFrame(frames[at] as Uint8Array)
    }
    if (this.#chance(0.1)) frames.push(...frames.slice(this.#below(frames.length)))
    const bytes = joined(frames)
    return this.#chance(0.15) ? this.#changedBytes(bytes) : bytes
  }

  /** `bytes` in chunks, as a network might deliver them. */
  chunksOf(bytes: Uint8Array): Uint8Array[] {
    if (this.#chance(0.4)) return [bytes.slice()]
    const chunks: Uint8Array[] = []
    const size = this.#pick([1, 3, 20, 100, 1_000])
    // Byte by byte only as long as it is cheap.
    const least = Math.max(1, Math.ceil(bytes.byteLength / 500))
    for (let at = 0; at < bytes.byteLength; ) {
      const length = least + this.#below(size)
      chunks.push(bytes.slice(at, at + length))
      at += length
    }
    return chunks
  }

  #frame(): Uint8Array {
    return this.#pick(this.#pool)
  }

  #makeFrame(): Uint8Array {
    const message = this.#pick(messages)
    const [part, codec] = this.#pick(codecsOf(message))
    const legal = { request: flag.request, response: flag.response, item: flag.streamItem, message: flag.oneWay }[part] ?? flag.cancel
    const flags = this.#chance(0.8) ? legal : this.#pick(FLAGS)
    const body = codec.toWire(codec.sample(this.#below(50)), 1, flags === flag.request ? [1 + this.#below(5_000)] : [])
    return this.#encode(flags, message.key, body)
  }

  #encode(flags: number, key: number, body: readonly unknown[]): Uint8Array {
    // Not `slice`: the codec answers a Buffer, whose slice is a view of its scratch.
    const head = new Uint8Array(this.#codec.encodeHead(flags, key, this.#below(8), body, new Uint8Array(0)))
    return this.#chance(0.1) ? this.#sealed(joined([head, this.#random.bytes(this.#below(50))])) : head
  }

  #changedFrame(frame: Uint8Array): Uint8Array {
    if (frame.byteLength < HEADER_BYTES) return this.#changedBytes(frame)
    const change = this.#below(8)
    if (change === 0) return this.#changedBytes(frame)
    if (change === 1) return this.#sealed(this.#changedBytes(frame))
    if (change === 2) return this.#chance(0.5) ? this.#withLie(frame) : this.#sealed(this.#withLie(frame), false)
    if (change === 3) return this.#sealed(joined([frame.subarray(0, HEADER_BYTES), this.#hostileBody()]))
    if (change === 4) return this.#sealed(joined([frame.subarray(0, HEADER_BYTES), this.#spliced(frame.subarray(HEADER_BYTES))]))
    if (change === 5) return this.#sealed(frame.with(5, this.#chance(0.5) ? this.#pick(FLAGS) : this.#below(256)))
    if (change === 6) return this.#sealed(frame.with(6 + this.#below(6), this.#below(256)))
    return frame.subarray(0, this.#below(frame.byteLength))
  }

  /** Bits flipped, bytes set, a piece doubled, dropped or put in, with no regard for what they mean. */
  #changedBytes(bytes: Uint8Array): Uint8Array {
    if (bytes.byteLength === 0) return bytes
    const at = this.#below(bytes.byteLength)
    const end = Math.min(bytes.byteLength, at + 1 + this.#below(30))
    switch (this.#below(6)) {
      case 0:
        return bytes.with(at, (bytes[at] as number) ^ (1 << this.#below(8)))
      case 1:
        return bytes.with(at, this.#below(256))
      case 2:
        return joined([bytes.subarray(0, end), bytes.subarray(at)])
      case 3:
        return joined([bytes.subarray(0, at), bytes.subarray(end)])
      case 4:
        return joined([bytes.subarray(0, at), this.#random.bytes(this.#below(40)), bytes.subarray(at)])
      default:
        return bytes.subarray(0, at)
    }
  }

  /** A length that does not tell the truth. */
  #withLie(frame: Uint8Array): Uint8Array {
    if (frame.byteLength < HEADER_BYTES) return frame
    const changed = frame.slice()
    const at = this.#pick([0, 12])
    const view = new DataView(changed.buffer)
    view.setUint32(at, this.#chance(0.5) ? this.#pick(AWKWARD) : (view.getUint32(at) + this.#below(9) - 4) >>> 0)
    return changed
  }

  /** Values of one body put into another, at a place where a value begins or not. */
  #spliced(body: Uint8Array): Uint8Array {
    const other = this.#frame().subarray(HEADER_BYTES)
    return joined([body.subarray(0, this.#below(body.byteLength + 1)), other.subarray(this.#below(other.byteLength + 1))])
  }

  #hostileBody(): Uint8Array {
    const length = this.#pick(AWKWARD)
    const u32 = [length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255]
    switch (this.#below(9)) {
      case 0:
        return new Uint8Array(1 + this.#below(2_000)).fill(0x91)
      case 1:
        return Uint8Array.from([0xdd, ...u32, ...this.#random.bytes(this.#below(20))])
      case 2:
        return Uint8Array.from([0x91, this.#pick([0xdb, 0xc6]), ...u32, ...this.#random.bytes(this.#below(20))])
      case 3:
        return Uint8Array.from([0x91, 0xdf, ...u32])
      case 4:
        return joined([Uint8Array.of(0x91), this.#random.bytes(this.#below(60))])
      case 5:
        return Uint8Array.from([0x91, 0xa4, ...this.#random.bytes(4)])
      case 6:
        return joined([Uint8Array.of(0xdc, 0x07, 0xd0), new Uint8Array(2_000).fill(this.#pick([0x90, 0xc0, 0x91, 0xa0]))])
      case 7:
        return Uint8Array.from([0x92, this.#below(256), this.#pick([0xc1, 0xc7, 0xd4, 0xd6, 0xd8]), ...this.#random.bytes(20)])
      default:
        return this.#random.bytes(this.#below(100))
    }
  }

  /** With the checksum that belongs to it and, unless they are to go on lying, lengths that are true. */
  #sealed(frame: Uint8Array, trueLengths = true): Uint8Array {
    if (frame.byteLength < HEADER_BYTES) return frame
    const sealed = frame.slice()
    const view = new DataView(sealed.buffer)
    if (trueLengths) {
      view.setUint32(0, sealed.byteLength - 4)
      if (!this.#chance(0.1)) view.setUint32(12, sealed.byteLength - HEADER_BYTES)
    }
    view.setUint32(16, 0)
    view.setUint32(16, this.#hash(sealed))
    return sealed
  }

  #below(bound: number): number {
    return this.#random.below(bound)
  }

  #chance(probability: number): boolean {
    return this.#random.float() < probability
  }

  #pick<T>(candidates: readonly T[]): T {
    return candidates[this.#below(candidates.length)] as T
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  return whole
}
