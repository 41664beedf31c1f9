// Virtual clocks: each node has its own, which may run fast or slow and whose wall time may be wrong.
import type { Clock, MonotonicMs, Timer, WallMs } from '@atoll/base'
import { assert } from '@atoll/base'
import type { Scheduler, SimEvent } from './scheduler.ts'
import type { SimProcess } from './sim-process.ts'

export interface ClockError {
  /** How much faster than true time the node's clocks run, in parts per million; negative is slower. Less than 10^6 either way. */
  readonly skewPpm?: number
  /** What the node's wall clock is off by, in milliseconds. */
  readonly wallOffsetMs?: number
}

/** True wall time at virtual time 0: 2025-01-01T00:00:00Z. */
const WALL_EPOCH_MS = 1_735_689_600_000

/** A machine's oscillator: virtual time in, this node's idea of it out. */
export class Oscillator {
  readonly #scheduler: Scheduler
  #rate = 1
  #wallOffsetMs = 0
  #anchorMs = 0
  #localAnchorMs: number

  constructor(scheduler: Scheduler, originMs: number) {
    this.#scheduler = scheduler
    this.#localAnchorMs = originMs
  }

  get localMs(): number {
    return this.#localAnchorMs + (this.#scheduler.nowMs - this.#anchorMs) * this.#rate
  }

  get wallMs(): number {
    const skewMs = (this.#scheduler.nowMs - this.#anchorMs) * (this.#rate - 1)
    return Math.floor(WALL_EPOCH_MS + this.#scheduler.nowMs + this.#wallOffsetMs + skewMs)
  }

  /** How much true time a wait of `localMs` on this clock takes. */
  trueMs(localMs: number): number {
    return localMs / this.#rate
  }

  set({ skewPpm, wallOffsetMs }: ClockError): void {
    assert(skewPpm === undefined || Math.abs(skewPpm) < 1_000_000, 'a clock neither stops nor runs backwards')
    this.#localAnchorMs = this.localMs
    // What the skew did to the wall clock so far stays.
    this.#wallOffsetMs = wallOffsetMs ?? this.#wallOffsetMs + (this.#scheduler.nowMs - this.#anchorMs) * (this.#rate - 1)
    this.#anchorMs = this.#scheduler.nowMs
    if (skewPpm !== undefined) this.#rate = 1 + skewPpm / 1_000_000
  }
}

export function simClock(scheduler: Scheduler, process: SimProcess, oscillator: Oscillator): Clock {
  return {
    monotonicMs() {
      scheduler.permits(process, 'clock.monotonicMs')
      return oscillator.localMs as MonotonicMs
    },
    wallMs() {
      scheduler.permits(process, 'clock.wallMs')
      return oscillator.wallMs as WallMs
    },
    after(delayMs, task) {
      return scheduler.permits(process, 'clock.after') ? new SimTimer(scheduler, process, oscillator, delayMs, task) : INERT
    },
    endOfTurn(task) {
      if (scheduler.permits(process, 'clock.endOfTurn')) scheduler.schedule(0, 'end_of_turn', process, task)
    },
  }
}

const INERT: Timer = { cancel() {} }

class SimTimer implements Timer {
  readonly #scheduler: Scheduler
  readonly #process: SimProcess
  readonly #oscillator: Oscillator
  readonly #dueLocalMs: number
  readonly #task: () => void
  #event: SimEvent

  constructor(scheduler: Scheduler, process: SimProcess, oscillator: Oscillator, delayMs: number, task: () => void) {
    assert(delayMs >= 0, 'a timer fires in the future')
    this.#scheduler = scheduler
    this.#process = process
    this.#oscillator = oscillator
    this.#dueLocalMs = oscillator.localMs + delayMs
    this.#task = task
    this.#event = this.#arm(delayMs)
  }

  cancel(): void {
    if (this.#scheduler.permits(this.#process, 'timer.cancel')) this.#scheduler.cancel(this.#event)
  }

  #arm(localMs: number): SimEvent {
    return this.#scheduler.schedule(this.#oscillator.trueMs(localMs), 'timer', this.#process, () => this.#fire())
  }

  /** Never early by the node's own clock, even when that was slowed down meanwhile. */
  #fire(): void {
    const leftMs = this.#dueLocalMs - this.#oscillator.localMs
    if (leftMs > 0) this.#event = this.#arm(leftMs)
    else this.#task()
  }
}
