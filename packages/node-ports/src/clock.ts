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
    this.#timeout = setTimeout(fire, delayMs, this)
  }

  cancel(): void {
    clearTimeout(this.#timeout)
  }

  /** Node counts whole milliseconds of a cached time, so a timeout may fire up to one early: it then waits for the rest. */
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
