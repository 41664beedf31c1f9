// Stand-ins for the ports, for unit tests of this package alone: a clock that is turned by hand, a connection whose
// other side is the test, and XXH32 written down from its specification. Whole sessions are tested on `sim-ports`.
import type {
  Clock,
  CloseReason,
  Compute,
  Connection,
  ConnectionHandlers,
  DatagramFate,
  Hash32,
  MonotonicMs,
  Timer,
  WallMs,
} from '@atoll/base'

interface SetTimer {
  readonly dueMs: number
  readonly task: () => void
}

/** Time passes in `advance`, turns end in `endTurn`, and timers that are set can be counted. */
export class FakeClock implements Clock {
  #nowMs = 1_000
  readonly #timers = new Set<SetTimer>()
  #turnEnds: (() => void)[] = []

  get timerCount(): number {
    return this.#timers.size
  }

  monotonicMs(): MonotonicMs {
    return this.#nowMs as MonotonicMs
  }

  wallMs(): WallMs {
    return this.#nowMs as WallMs
  }

  after(delayMs: number, task: () => void): Timer {
    const timer = { dueMs: this.#nowMs + delayMs, task }
    this.#timers.add(timer)
    return { cancel: () => void this.#timers.delete(timer) }
  }

  endOfTurn(task: () => void): void {
    this.#turnEnds.push(task)
  }

  endTurn(): void {
    const tasks = this.#turnEnds
    this.#turnEnds = []
    for (const task of tasks) task()
  }

  /** Lets `ms` pass, timers firing in order at their own time. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const [next] = [...this.#timers].filter(timer => timer.dueMs <= untilMs).toSorted((a, b) => a.dueMs - b.dueMs)
      if (next === undefined) break
      this.#timers.delete(next)
      this.#nowMs = next.dueMs
      next.task()
      this.endTurn()
    }
    this.#nowMs = untilMs
  }
}

/** The test is the network and the peer: it reads `written`, takes what is queued, and says what arrives. */
export class FakeConnection implements Connection {
  readonly remote = 'fake:1'
  readonly written: Uint8Array[] = []
  /** `write` answers false past so many unsent bytes; by default nothing is ever unsent. */
  highWaterBytes = Number.POSITIVE_INFINITY
  unsentBytes = 0
  reading = true
  ended = false
  destroyed = false
  fate: DatagramFate | undefined
  #handlers: ConnectionHandlers | undefined

  open(handlers: ConnectionHandlers): void {
    this.#handlers = handlers
  }

  identify(): void {
    // There are no links here that could be faulty.
  }

  write(bytes: Uint8Array): boolean {
    if (this.ended || this.destroyed) return false
    this.written.push(bytes)
    if (this.highWaterBytes === Number.POSITIVE_INFINITY) return true
    this.unsentBytes += bytes.byteLength
    return this.unsentBytes < this.highWaterBytes
  }

  writeAll(pieces: readonly Uint8Array[]): boolean {
    let room = true
    for (const bytes of pieces) room = this.write(bytes) && room
    return room
  }

  pauseReading(): void {
    this.reading = false
  }

  resumeReading(): void {
    this.reading = true
  }

  end(): void {
    this.ended = true
  }

  destroy(): void {
    this.destroyed = true
  }

  datagramFate(): DatagramFate | undefined {
    return this.fate
  }

  /** Bytes come in. */
  receive(bytes: Uint8Array): void {
    this.#handlers?.onData(bytes)
  }

  /** The peer takes `bytes` of what is queued; all of it tells the writer to go on. */
  take(bytes: number): void {
    this.unsentBytes = Math.max(0, this.unsentBytes - bytes)
    if (this.unsentBytes === 0) this.#handlers?.onDrain()
  }

  close(reason: CloseReason = { kind: 'finished' }): void {
    this.#handlers?.onClose(reason)
  }
}

const PRIMES = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f, 0x165667b1].map(prime => prime | 0) as [
  number,
  number,
  number,
  number,
  number,
]
const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits))

/** XXH32 with seed 0, from its specification (Collet, "xxHash fast digest algorithm", section "XXH32 algorithm"). */
export function xxhash32(input: Uint8Array): number {
  const [p1, p2, p3, p4, p5] = PRIMES
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength)
  const lane = (at: number): number => view.getInt32(at, true)
  let at = 0
  let hash = p5
  if (input.byteLength >= 16) {
    const lanes = [(p1 + p2) | 0, p2, 0, -p1 | 0]
    for (; at + 16 <= input.byteLength; at += 16)
      for (let i = 0; i < 4; i++) lanes[i] = Math.imul(rotate(((lanes[i] as number) + Math.imul(lane(at + 4 * i), p2)) | 0, 13), p1)
    hash = lanes.reduce((sum, value, i) => (sum + rotate(value, [1, 7, 12, 18][i] as number)) | 0, 0)
  }
  hash = (hash + input.byteLength) | 0
  for (; at + 4 <= input.byteLength; at += 4) hash = Math.imul(rotate((hash + Math.imul(lane(at), p3)) | 0, 17), p4)
  for (; at < input.byteLength; at++) hash = Math.imul(rotate((hash + Math.imul(input[at] as number, p5)) | 0, 11), p1)
  hash = Math.imul(hash ^ (hash >>> 15), p2)
  hash = Math.imul(hash ^ (hash >>> 13), p3)
  return (hash ^ (hash >>> 16)) >>> 0
}

class WholeHash implements Hash32 {
  readonly #pieces: Uint8Array[] = []
  update(bytes: Uint8Array): Hash32 {
    this.#pieces.push(bytes.slice())
    return this
  }
  digest(): number {
    return xxhash32(joined(this.#pieces))
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.byteLength
  }
  return whole
}

/** The hashes that frames need; nothing secret. */
export const fakeCompute: Compute = {
  xxhash32: (bytes, start, end) => xxhash32(bytes.subarray(start, end)),
  xxhash32Stream: () => new WholeHash(),
  hmacSha256: () => new Uint8Array(32),
  crc32c: () => 0,
  compress: (_, bytes) => bytes,
  decompress: (_, bytes) => bytes,
  secureBytes: length => new Uint8Array(length),
}
