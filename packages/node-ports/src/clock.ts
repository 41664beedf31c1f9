// The clock port on Node.js: performance.now, Date.now, and timers that never fire early.
import type { Clock, MonotonicMs, Timer, WallMs } from '@atoll/base'

export function createClock(): Clock {
  return {
    monotonicMs: () => performance.now() as MonotonicMs,
    wallMs: () => Date.now() as WallMs,
    after: (delayMs, task) => new NodeTimer(delayMs, task),
    endOfTurn(task) {
      setImmediate(task)
    },
  }
}

class NodeTimer implements Timer {
  readonly #dueMs: number
  readonly #task: () => void
  #timeout: NodeJS.Timeout

  constructor(delayMs: number, task: () => void) {
    this.#dueMs = performance.now() + delayMs
    this.#task = task
    // Node counts whole milliseconds from a cached time and drops fractions: without the one more, most timers would wake the
    // process once too early and again a millisecond later.
    this.#timeout = setTimeout(fire, Math.floor(delayMs) + 1, this)
  }

  cancel(): void {
    clearTimeout(this.#timeout)
  }

  /** Should it have fired early all the same, it waits for the rest. */
  fire(): void {
    const leftMs = this.#dueMs - performance.now()
    if (leftMs > 0) this.#timeout = setTimeout(fire, Math.ceil(leftMs), this)
    else this.#task()
  }
}

// One function for all timers: no closure is made per timer.
function fire(timer: NodeTimer): void {
  timer.fire()
}
