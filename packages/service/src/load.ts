// How busy this process is: the CPU time it used since the last look, in percent of one core.
import type { Clock, Process, Timer } from '@atoll/base'
import { LOAD_LOOK_MS } from './limits.ts'

export class LoadWatch {
  readonly #clock: Clock
  readonly #process: Process
  readonly #onLoad: (percent: number) => void
  #timer: Timer | undefined

  /** `onLoad` gets 0 to 100 every few seconds. */
  constructor(clock: Clock, process: Process, onLoad: (percent: number) => void) {
    this.#clock = clock
    this.#process = process
    this.#onLoad = onLoad
  }

  start(): void {
    this.#look(this.#clock.monotonicMs(), this.#process.usage().cpuMs)
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #look(sinceMs: number, cpuMsBefore: number): void {
    this.#timer = this.#clock.after(LOAD_LOOK_MS, () => {
      const nowMs = this.#clock.monotonicMs()
      const { cpuMs } = this.#process.usage()
      this.#onLoad(Math.min(100, Math.round(((cpuMs - cpuMsBefore) / Math.max(1, nowMs - sinceMs)) * 100)))
      this.#look(nowMs, cpuMs)
    })
  }
}
