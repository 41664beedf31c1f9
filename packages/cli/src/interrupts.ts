// Ctrl-C, once and twice, and being told to go. The first interrupt asks for an ordered stop, the second ends everything
// now; a terminal that closes and a TERM from above leave no time for either.

export type Interrupt = 'interrupt' | 'terminate'

export class Interrupts implements Disposable {
  /** Resolves at the first of them. */
  readonly first: Promise<Interrupt>
  /** Aborts at the first of them. */
  readonly signal: AbortSignal
  /** Resolves at the second Ctrl-C. */
  readonly second: Promise<void>
  readonly #handlers: readonly [NodeJS.Signals, () => void][]

  constructor() {
    const first = Promise.withResolvers<Interrupt>()
    const second = Promise.withResolvers<void>()
    this.first = first.promise
    this.second = second.promise
    const controller = new AbortController()
    this.signal = controller.signal
    void this.first.then(() => controller.abort())
    let count = 0
    const onInterrupt = (): void => {
      if (++count === 1) first.resolve('interrupt')
      else second.resolve()
    }
    const onTerminate = (): void => first.resolve('terminate')
    this.#handlers = [
      ['SIGINT', onInterrupt],
      ['SIGTERM', onTerminate],
      ['SIGHUP', onTerminate],
    ]
    for (const [signal, handler] of this.#handlers) process.on(signal, handler)
  }

  [Symbol.dispose](): void {
    for (const [signal, handler] of this.#handlers) process.off(signal, handler)
  }
}
