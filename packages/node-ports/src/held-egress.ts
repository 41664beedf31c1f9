// What one connection sends over a faulty link, on its way to the socket: a queue that a rule delays, throttles or stops.
// Order is kept whatever the rule; a changed rule re-times what waits. Without a rule this object does not exist.
import type { Clock, LinkFault, MonotonicMs, Random, Throttle, Timer } from '@atoll/base'
import { BoundedQueue, corrupted, holdMs } from '@atoll/base'

/** As much as Node's own socket buffers before `write` answers false. */
const HIGH_WATER_BYTES = 65_536
/** Writes held at once. A writer that goes on after so many ignores back-pressure, and its connection fails. */
const HELD_WRITES_MAX = 65_536

/** The socket's side: where bytes go when their time has come. */
export interface Outlet {
  readonly queuedBytes: number
  /** The socket wants no more until it calls `pump`. */
  readonly full: boolean
  send(bytes: Uint8Array): boolean
  /** The end, in order, after everything sent. */
  finish(): void
  drained(): void
  overflowed(): void
}

interface HeldWrite {
  readonly bytes: Uint8Array
  readonly writtenMs: MonotonicMs
  /** This write's share of the jitter, 0 to 1. */
  readonly draw: number
  /** The orderly end instead of bytes. */
  readonly end: boolean
}

const NOTHING = new Uint8Array(0)

export class HeldEgress {
  readonly #clock: Clock
  readonly #random: Random
  readonly #throttle: Throttle
  readonly #outlet: Outlet
  readonly #held = new BoundedQueue<HeldWrite>(HELD_WRITES_MAX)
  /** Bytes of the oldest write that a throttle has let pass already. */
  #headPassed = 0
  #heldBytes = 0
  #fault: LinkFault | undefined
  #timer: Timer | undefined
  #needDrain = false

  constructor(clock: Clock, random: Random, throttle: Throttle, outlet: Outlet) {
    this.#clock = clock
    this.#random = random
    this.#throttle = throttle
    this.#outlet = outlet
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** True while nothing may pass: not even the news that this side is gone. */
  get cut(): boolean {
    return this.#fault?.cut === true
  }

  /** Nothing is held, promised or to be done to coming writes: the connection can write to its socket again. */
  get idle(): boolean {
    return this.#fault === undefined && this.#held.length === 0 && !this.#needDrain
  }

  setFault(fault: LinkFault | undefined): void {
    this.#fault = fault
    this.pump()
  }

  write(bytes: Uint8Array): boolean {
    this.#hold(corrupted(bytes, this.#fault, this.#random), false)
    // Passing bytes on from here could call `onDrain` inside `write`, so only the first in the queue goes at once.
    if (this.#held.length === 1 && !this.#needDrain) this.#pass()
    const room = this.#heldBytes + this.#outlet.queuedBytes < HIGH_WATER_BYTES
    if (!room) this.#needDrain = true
    return room
  }

  finish(): void {
    this.#hold(NOTHING, true)
    this.pump()
  }

  /** Drops what is held; for a connection that is destroyed. */
  discard(): void {
    this.#timer?.cancel()
    this.#held.clear()
    this.#headPassed = 0
    this.#heldBytes = 0
    this.#needDrain = false
  }

  /** Passes on what is due. Called when the rule changed, a timer fired or the socket drained. */
  pump(): void {
    this.#pass()
    if (!this.#needDrain || this.#heldBytes > 0 || this.#outlet.full) return
    this.#needDrain = false
    this.#outlet.drained()
  }

  #hold(bytes: Uint8Array, end: boolean): void {
    const draw = this.#fault?.jitterMs === undefined ? 0 : this.#random.float()
    if (!this.#held.push({ bytes, writtenMs: this.#clock.monotonicMs(), draw, end })) {
      this.#outlet.overflowed()
      return
    }
    this.#heldBytes += bytes.length
  }

  #pass(): void {
    this.#timer?.cancel()
    while (!this.cut && !this.#outlet.full) {
      const head = this.#held.peek()
      if (head === undefined) return
      const nowMs = this.#clock.monotonicMs()
      const waitMs = head.writtenMs + holdMs(this.#fault, head.draw) - nowMs
      if (waitMs > 0) return this.#passLater(waitMs)
      const bytes = head.bytes.subarray(this.#headPassed)
      const length = this.#allowance(bytes.length, nowMs)
      if (length === undefined) return
      this.#passHead(head, bytes, length)
    }
  }

  /** How much of the `wanted` bytes may pass now; undefined when all have to wait for the throttle. */
  #allowance(wanted: number, nowMs: number): number | undefined {
    const rate = this.#fault?.bytesPerSecond
    if (rate === undefined || wanted === 0) return wanted
    const length = this.#throttle.take(nowMs, rate, wanted)
    if (length > 0) return length
    this.#passLater(this.#throttle.waitMs(rate, wanted))
    return undefined
  }

  #passHead(head: HeldWrite, bytes: Uint8Array, length: number): void {
    this.#heldBytes -= length
    if (length === bytes.length) {
      this.#held.shift()
      this.#headPassed = 0
    } else {
      this.#headPassed += length
    }
    if (head.end) this.#outlet.finish()
    else if (length > 0) this.#outlet.send(bytes.subarray(0, length))
  }

  #passLater(waitMs: number): void {
    this.#timer = this.#clock.after(waitMs, () => this.pump())
  }
}
