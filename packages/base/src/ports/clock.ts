// The clock port: all time a core or a service ever sees.
import type { MonotonicMs, WallMs } from '../brand.ts'

/** A timer that has been set; cancelling one that fired or was cancelled does nothing. */
export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Monotonic time in milliseconds, possibly fractional. Timeouts, leases and latencies use this one. */
  monotonicMs(): MonotonicMs
  /** Wall time in milliseconds since the Unix epoch. May jump; for records' timestamps and log lines only. */
  wallMs(): WallMs
  /** Runs `task` once, no earlier than `delayMs` from now (0 or more, at most 2^31 - 1). Keeps the process alive. */
  after(delayMs: number, task: () => void): Timer
  /** Runs `task` once when the input and output events of the present turn have been handled: the moment to flush. */
  endOfTurn(task: () => void): void
}
