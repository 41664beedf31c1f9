// One direction of a simulated connection: from the sender's kernel over the wire into the receiver's kernel. Bytes keep
// their order; how they are cut into pieces and how long each piece takes comes from the seed, and from the link's rule.
import type { NodeId, Random } from '@atoll/base'
import { holdMs } from '@atoll/base'
import type { LinkRules } from './link-rules.ts'
import type { Scheduler, SimEvent, TraceSubject } from './scheduler.ts'

/** How a stream ends: in order, or broken. */
export type Ending = 'finish' | 'reset'

export interface WireSettings {
  /** One-way latency of a piece, uniform between the two, in milliseconds. */
  readonly latencyMsMin: number
  readonly latencyMsMax: number
  /** What both kernels of one direction buffer together, in bytes. */
  readonly windowBytes: number
}

/** What all pipes of a simulation share. */
export interface Wire {
  readonly scheduler: Scheduler
  readonly random: Random
  readonly rules: LinkRules
  readonly settings: WireSettings
}

export interface PipeEnds {
  readonly from: NodeId
  readonly to: NodeId
  /** The receiver, for the trace. */
  readonly subject: TraceSubject
  /** False while the receiving machine has no power: what was sent waits, as a retransmission would. */
  receiverIsUp(): boolean
  /** Something can be read, or an ending has come. */
  onArrival(): void
  /** The receiver took bytes: there is room again. */
  onRoom(): void
}

interface Segment {
  bytes: Uint8Array
  readonly ending: Ending | undefined
  readonly sentMs: number
  readonly latencyMs: number
  /** This segment's share of the link's jitter, 0 to 1. */
  readonly draw: number
}

/** The largest piece Node hands over at once. */
const PIECE_BYTES_MAX = 65_536
const SPLIT_PROBABILITY = 0.1
const MERGE_PROBABILITY = 0.5
const NOTHING = new Uint8Array(0)

export class Pipe {
  readonly #wire: Wire
  readonly #ends: PipeEnds
  #inFlight: Segment[] = []
  #unread: Uint8Array[] = []
  /** Bytes in flight or not yet read by the receiving process. */
  #bufferedBytes = 0
  #unreadBytes = 0
  #arrived: Ending | undefined
  #wake: SimEvent | undefined

  constructor(wire: Wire, ends: PipeEnds) {
    this.#wire = wire
    this.#ends = ends
  }

  /** How many bytes the kernels still take. */
  get roomBytes(): number {
    return Math.max(0, this.#wire.settings.windowBytes - this.#bufferedBytes)
  }

  get unreadBytes(): number {
    return this.#unreadBytes
  }

  /** The ending that reached the receiver, behind all unread bytes. */
  get ending(): Ending | undefined {
    return this.#arrived
  }

  get empty(): boolean {
    return this.#inFlight.length === 0
  }

  /** Puts bytes on the wire; the caller has checked `roomBytes`. */
  send(bytes: Uint8Array): void {
    const { random } = this.#wire
    for (let at = 0; at < bytes.length; ) {
      const rest = Math.min(PIECE_BYTES_MAX, bytes.length - at)
      const length = rest > 1 && random.float() < SPLIT_PROBABILITY ? 1 + random.below(rest - 1) : rest
      this.#launch(bytes.subarray(at, at + length), undefined)
      at += length
    }
  }

  /** A reset overtakes nothing here: what was sent before it arrives, as on an orderly network it may. */
  sendEnding(ending: Ending): void {
    this.#launch(NOTHING, ending)
  }

  /** The next piece for the receiving process. */
  read(): Uint8Array | undefined {
    const bytes = this.#unread.shift()
    if (bytes === undefined) return undefined
    this.#unreadBytes -= bytes.length
    this.#bufferedBytes -= bytes.length
    this.#ends.onRoom()
    return bytes
  }

  /** Forgets what the receiver did not read: it is gone, or the stream was reset. */
  discardUnread(): void {
    this.#bufferedBytes -= this.#unreadBytes
    this.#unreadBytes = 0
    this.#unread = []
  }

  /** The link's rule or the receiving machine changed: what is in flight is timed anew. */
  retime(): void {
    if (this.#wake !== undefined) this.#wire.scheduler.cancel(this.#wake)
    this.#wake = undefined
    this.#setWake()
  }

  #launch(bytes: Uint8Array, ending: Ending | undefined): void {
    const { random, rules, scheduler, settings } = this.#wire
    const latencyMs = settings.latencyMsMin + random.float() * (settings.latencyMsMax - settings.latencyMsMin)
    const jitterMs = rules.fault(this.#ends.from, this.#ends.to)?.jitterMs
    const draw = jitterMs === undefined ? 0 : random.float()
    this.#inFlight.push({ bytes, ending, sentMs: scheduler.nowMs, latencyMs, draw })
    this.#bufferedBytes += bytes.length
    this.#setWake()
  }

  #setWake(): void {
    const head = this.#inFlight[0]
    if (head === undefined || this.#wake !== undefined) return
    const fault = this.#wire.rules.fault(this.#ends.from, this.#ends.to)
    if (fault?.cut === true || !this.#ends.receiverIsUp()) return
    const { scheduler } = this.#wire
    const dueMs = head.sentMs + head.latencyMs + holdMs(fault, head.draw)
    this.#wakeAfter(Math.max(0, dueMs - scheduler.nowMs))
  }

  #wakeAfter(delayMs: number): void {
    this.#wake = this.#wire.scheduler.schedule(delayMs, 'arrive', undefined, () => this.#arrive(), this.#ends.subject)
  }

  #arrive(): void {
    this.#wake = undefined
    const { random } = this.#wire
    this.#arriveHead()
    // What comes at the same moment may be read as one piece.
    while (this.#headIsDue() && random.float() < MERGE_PROBABILITY) this.#arriveHead()
    this.#setWake()
    this.#ends.onArrival()
  }

  #headIsDue(): boolean {
    const head = this.#inFlight[0]
    if (head === undefined || this.#wake !== undefined) return false
    const { rules, scheduler } = this.#wire
    return head.sentMs + head.latencyMs + holdMs(rules.fault(this.#ends.from, this.#ends.to), head.draw) <= scheduler.nowMs
  }

  #arriveHead(): void {
    const head = this.#inFlight[0] as Segment
    const length = this.#allowance(head.bytes.length)
    if (length > 0) this.#receive(head.bytes.subarray(0, length))
    if (length < head.bytes.length) {
      head.bytes = head.bytes.subarray(length)
      return
    }
    this.#inFlight.shift()
    if (head.ending !== undefined) this.#wire.scheduler.note(head.ending, this.#ends.subject)
    // A reset also breaks what had ended in order.
    if (this.#arrived !== 'reset') this.#arrived = head.ending ?? this.#arrived
  }

  /** How much of `wanted` bytes the link's throttle lets pass; when not all, the rest has its wake set. */
  #allowance(wanted: number): number {
    const { rules, scheduler } = this.#wire
    const { from, to } = this.#ends
    const rate = rules.fault(from, to)?.bytesPerSecond
    if (rate === undefined || wanted === 0) return wanted
    const throttle = rules.throttle(from, to)
    const length = throttle.take(scheduler.nowMs, rate, wanted)
    if (length < wanted) this.#wakeAfter(throttle.waitMs(rate, wanted - length))
    return length
  }

  #receive(bytes: Uint8Array): void {
    this.#wire.scheduler.note('bytes', this.#ends.subject, bytes)
    const last = this.#unread.at(-1)
    const merges = last !== undefined && last.length + bytes.length <= PIECE_BYTES_MAX && this.#wire.random.float() < MERGE_PROBABILITY
    if (merges) this.#unread[this.#unread.length - 1] = joined(last, bytes)
    else this.#unread.push(bytes)
    this.#unreadBytes += bytes.length
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length)
  whole.set(first)
  whole.set(second, first.length)
  return whole
}
