// Locks with fencing tokens, first come, first served (Burrows 2006, "The Chubby lock service").
import { lockAcquire, lockRead } from '@atoll/protocol'
import { type ContestParts, type Holder, holderOf, type Standing, stand } from './contest.ts'
import type { Value } from './entries.ts'
import { Held } from './held.ts'
import type { LeaseOptions } from './lease.ts'
import type { CallOptions } from './requests.ts'

export interface AcquireOptions extends LeaseOptions {
  /** False: do not stand in the queue when somebody else holds it. Default true. */
  readonly wait?: boolean | undefined
  /** What this holder says of itself, for whoever looks. Default: nothing. */
  readonly owner?: Value | undefined
}

/** A lock that is held, until it is released or lost. */
export class HeldLock extends Held {
  /** Releases it; who waits longest has it next. One that is lost already is no error. */
  release(options?: CallOptions): Promise<void> {
    return this.lease.revoke(options)
  }
}

export class Lock {
  readonly name: string
  readonly #parts: ContestParts

  constructor(parts: ContestParts, name: string) {
    this.#parts = parts
    this.name = name
  }

  /**
   * Waits until this caller is first, for at most `timeoutMs` (default 30,000), and holds the lock from then on. Without
   * `wait` it answers undefined when somebody else has it. A caller that gives up leaves the queue.
   */
  acquire(options?: AcquireOptions & { readonly wait?: true | undefined }): Promise<HeldLock>
  acquire(options: AcquireOptions): Promise<HeldLock | undefined>
  async acquire({ wait = true, owner = '', ...options }: AcquireOptions = {}): Promise<HeldLock | undefined> {
    const standing: Standing | undefined = await stand(this.#parts, lockAcquire, this.name, owner, { ...options, wait })
    return standing && new HeldLock(this.name, standing)
  }

  /** Who holds it, and how many wait. */
  async holder(options?: CallOptions): Promise<{ readonly holder: Holder | undefined; readonly waiting: number }> {
    const { holder, waiting } = await this.#parts.requests.read(lockRead, { name: this.name, consistency: 'linearizable' }, options)
    return { holder: holderOf(holder), waiting }
  }
}
