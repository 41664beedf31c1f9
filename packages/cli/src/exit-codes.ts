// What the exit code of `cluster` says. Scripts rely on it, so `cluster --help` prints this table and tests hold it.

export const exitCodes = {
  ok: { code: 0, meaning: 'done' },
  failure: { code: 1, meaning: 'failed' },
  usage: { code: 2, meaning: 'wrong usage or configuration' },
  notRunning: { code: 3, meaning: 'the cluster is not running' },
  degraded: { code: 4, meaning: 'it runs, but not every node is well' },
  conflict: { code: 5, meaning: 'a name, port, lock or data version is in the way' },
  notReady: { code: 6, meaning: 'not ready within the timeout' },
  environment: { code: 7, meaning: 'this machine is not fit for it' },
  notFound: { code: 8, meaning: 'no such node, file or program' },
  interrupted: { code: 130, meaning: 'interrupted' },
  terminated: { code: 143, meaning: 'told to end, by TERM or a closed terminal' },
} as const

export type ExitReason = keyof typeof exitCodes

/** What a command could not do: a sentence, what belongs to it, and what to try next. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly reason: ExitReason
  /** Printed as they are, below the sentence. */
  readonly details: readonly string[]
  /** Commands that help. */
  readonly next: readonly string[]
  constructor(reason: ExitReason, message: string, more: { readonly details?: readonly string[]; readonly next?: readonly string[] } = {}) {
    super(message)
    this.reason = reason
    this.details = more.details ?? []
    this.next = more.next ?? []
  }
}
