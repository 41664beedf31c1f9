// Waiting on the clock port: every wait of ours has a deadline and can be aborted.
import type { Clock } from './ports/clock.ts'

/** The wait ended because its signal aborted; `cause` is the signal's reason. */
export class AbortedError extends Error {
  override readonly name = 'AbortedError'
}

/** Resolves after `delayMs`; rejects with an AbortedError as soon as `signal` aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(new AbortedError('wait aborted', { cause: signal.reason }))
      return
    }
    const onAbort = (): void => {
      timer.cancel()
      reject(new AbortedError('wait aborted', { cause: signal?.reason }))
    }
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** `work`, or a rejection with what `onTimeout` makes once `timeoutMs` have passed. The work itself goes on. */
export function withDeadline<T>(clock: Clock, timeoutMs: number, work: Promise<T>, onTimeout: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(timeoutMs, () => reject(onTimeout()))
    work.then(
      value => {
        timer.cancel()
        resolve(value)
      },
      (error: unknown) => {
        timer.cancel()
        reject(error as Error)
      },
    )
  })
}
