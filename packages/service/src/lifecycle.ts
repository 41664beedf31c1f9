// The life of a process: starting, running, draining, gone. What starts in order stops in the opposite order, within a
// deadline. An ordered stop is a courtesy: `kill -9` recovers by the same path as every start.
import { type Clock, type Logger, withDeadline } from '@atoll/base'

export type LifeState = 'starting' | 'running' | 'draining'

/** The ordered stop did not end in time; `step` is what it waited for. */
export class DrainTimeoutError extends Error {
  override readonly name = 'DrainTimeoutError'
}

interface Step {
  readonly name: string
  readonly stop: () => Promise<void> | void
}

export class Lifecycle {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #steps: Step[] = []
  #state: LifeState = 'starting'
  #stopped: Promise<void> | undefined

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock
    this.#log = log
  }

  get state(): LifeState {
    return this.#state
  }

  /** Names what has started and how to stop it; stops run last first. */
  onStop(name: string, stop: () => Promise<void> | void): void {
    this.#steps.push({ name, stop })
  }

  running(): void {
    if (this.#state === 'starting') this.#state = 'running'
  }

  /** Stops everything once, however often it is called. Rejects with a DrainTimeoutError when `timeoutMs` were not enough. */
  stop(why: string, timeoutMs: number): Promise<void> {
    this.#stopped ??= this.#drain(why, timeoutMs)
    return this.#stopped
  }

  async #drain(why: string, timeoutMs: number): Promise<void> {
    this.#state = 'draining'
    const deadlineMs = this.#clock.monotonicMs() + timeoutMs
    this.#log.info({ event: 'stopping', why }, 'stopping')
    for (const { name, stop } of this.#steps.toReversed()) {
      const leftMs = Math.max(1, deadlineMs - this.#clock.monotonicMs())
      await withDeadline(this.#clock, leftMs, Promise.resolve(stop()), () => new DrainTimeoutError(`stopping ${name} took too long`))
    }
    this.#log.info({ event: 'stopped', tookMs: Math.round(timeoutMs - (deadlineMs - this.#clock.monotonicMs())) }, 'stopped')
  }
}
