// The real event loop under the simulator: when to run the next event, and what ran that should not have. It is the one
// place that touches Node's scheduling, and it tells its own requests from those of simulated code.
import { AsyncLocalStorage, createHook } from 'node:async_hooks'

/** Simulated code did something that the seed does not decide. */
export class ForeignWork extends Error {
  override readonly name = 'ForeignWork'
}

/** Resources that are no work of their own: a microtask runs within its event. */
const HARMLESS: ReadonlySet<string> = new Set(['Microtask', 'PROMISE'])
const STACK_FRAMES = 30
/** Printing reads nothing back, so it cannot change the run; under the test runner it is the runner that prints. */
const PRINTING = /node:internal\/console|\/node_modules\/vitest\//
/** A codec's handle that is used up before the call returns: the synchronous functions of zlib, and no others. */
const COMPRESSING = /\bsyncBufferWrapper .*node:zlib/

export class RealLoop {
  readonly #context = new AsyncLocalStorage<RealLoop>()
  readonly #settled = Promise.resolve()
  #ownRequest = false
  #task = (): void => {}

  /**
   * Calls `task` when not one microtask is left, without a turn of the event loop. It rests on the order in which Node
   * works: a tick requested by a microtask runs when the queue of microtasks is empty, those they added included.
   */
  afterMicrotasks(task: () => void): void {
    this.#task = task
    void this.#settled.then(this.#requestTick)
  }

  /** Calls `task` in a turn of its own, after real timers and sockets had theirs. */
  atMacrotask(task: () => void): void {
    this.#ownRequest = true
    setImmediate(task)
    this.#ownRequest = false
  }

  /**
   * Runs `work`, and until the answered function is called reports whatever that or anything it leads to starts outside
   * the simulator while an event is running: timers, files, sockets, threads. Async context follows the code through its
   * promises, so what a test runner does in the same process meanwhile is left alone.
   */
  watch(work: () => void, eventIsRunning: () => boolean, report: (error: unknown) => void): () => void {
    const hook = createHook({
      init: (_asyncId, type) => {
        if (this.#ownRequest || HARMLESS.has(type) || !eventIsRunning() || this.#context.getStore() !== this) return
        const stack = presentStack()
        if (!PRINTING.test(stack) && !COMPRESSING.test(stack)) report(foreign(type, stack))
      },
      trackPromises: false,
    })
    // oxlint-disable-next-line no-restricted-globals -- the only way to learn of a rejection that nobody handles
    const realProcess = process
    realProcess.on('unhandledRejection', report)
    hook.enable()
    this.#context.run(this, work)
    return () => {
      hook.disable()
      realProcess.off('unhandledRejection', report)
    }
  }

  readonly #requestTick = (): void => {
    this.#ownRequest = true
    // oxlint-disable-next-line no-restricted-globals -- a boundary six times cheaper than a macrotask
    process.nextTick(this.#task)
    this.#ownRequest = false
  }
}

function presentStack(): string {
  const before = Error.stackTraceLimit
  Error.stackTraceLimit = STACK_FRAMES
  const carrier: { stack?: string } = {}
  Error.captureStackTrace(carrier)
  Error.stackTraceLimit = before
  return carrier.stack ?? ''
}

function foreign(type: string, stack: string): ForeignWork {
  const culprit = stack.split('\n').find(frame => frame.includes('    at ') && !frame.includes('node:') && !frame.includes('real-loop'))
  return new ForeignWork(
    `foreign ${type}: simulated code started work outside the ports${culprit === undefined ? '' : ` ${culprit.trim()}`}`,
  )
}
