// A right that was won and lasts as long as its lease: a lock that is held, an office somebody is elected to.
import type { Revision } from '@atoll/protocol'
import type { Standing } from './contest.ts'
import type { Lease } from './lease.ts'

/** Locks and offices are given up in the same way, so they share this; the only inheritance beside errors. */
export abstract class Held implements AsyncDisposable {
  readonly name: string
  /** The fencing token: pass it to what is protected, which refuses a smaller one than it has seen. */
  readonly token: Revision
  protected readonly lease: Lease

  constructor(name: string, { lease, token }: Standing) {
    this.name = name
    this.token = token
    this.lease = lease
  }

  /**
   * Aborts when it is lost, not when it is given up here. After a pause of the process it is aborted before it is seen; only
   * the token protects against what was on its way by then.
   */
  get lost(): AbortSignal {
    return this.lease.lost
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lease[Symbol.asyncDispose]()
  }
}
