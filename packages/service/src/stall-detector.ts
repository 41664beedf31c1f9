// A process can be stopped (SIGSTOP, a sleeping laptop) or starved (garbage collection, a busy machine) without
// noticing: its timers just come late. Whoever holds a lease or an epoch must ask again before it acts as an owner.
import type { Clock, Timer } from '@atoll/base'
import { STALL_LOOK_MS } from './limits.ts'

export class StallDetector {
  readonly #clock: Clock
  readonly #stallMsMin: number
  readonly #onStall: (stalledMs: number) => void
  #timer: Timer | undefined
  #count = 0
  #totalMs = 0

  /** `onStall` is told of every stretch of at least `stallMsMin` milliseconds in which nothing ran. */
  constructor(clock: Clock, stallMsMin: number, onStall: (stalledMs: number) => void) {
    this.#clock = clock
    this.#stallMsMin = stallMsMin
    this.#onStall = onStall
  }

  /** Stalls noticed so far. */
  get count(): number {
    return this.#count
  }

  /** Time lost in them, in milliseconds. */
  get totalMs(): number {
    return this.#totalMs
  }

  start(): void {
    const dueAtMs = this.#clock.monotonicMs() + STALL_LOOK_MS
    this.#timer = this.#clock.after(STALL_LOOK_MS, () => {
      const stalledMs = this.#clock.monotonicMs() - dueAtMs
      this.start()
      if (stalledMs < this.#stallMsMin) return
      this.#count++
      this.#totalMs += stalledMs
      this.#onStall(stalledMs)
    })
  }

  stop(): void {
    this.#timer?.cancel()
  }
}
