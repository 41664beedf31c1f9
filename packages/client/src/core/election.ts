// Leader election among applications: a lock whose holder says something of itself, and may say something else later.
import { electionCampaign, electionObserve, electionProclaim, electionRead, type ItemOf } from '@atoll/protocol'
import { type ContestParts, type Holder, holderOf, type Standing, stand } from './contest.ts'
import { bytesOf, type Value } from './entries.ts'
import { Held } from './held.ts'
import type { LeaseOptions } from './lease.ts'
import type { CallOptions } from './requests.ts'
import { ResumedStream, type StreamOptions, type StreamParts } from './resumed-stream.ts'
import type { Changes } from './session.ts'

export interface ElectionParts extends ContestParts {
  readonly changes: Changes
  readonly streams: StreamParts
}

/** An office that is held, until it is resigned or lost. */
export class Leadership extends Held {
  readonly #changes: Changes

  constructor(name: string, standing: Standing, changes: Changes) {
    super(name, standing)
    this.#changes = changes
  }

  /** Says something else of itself, without a new election. Rejects with `not_holder` once it is not the leader any more. */
  async proclaim(value: Value, options?: CallOptions): Promise<void> {
    const { name, token, lease } = this
    await this.#changes.change(electionProclaim, { name, lease: lease.id, token, value: bytesOf(value) }, options)
  }

  /** Gives the office up; who waits longest has it next. One that is lost already is no error. */
  resign(options?: CallOptions): Promise<void> {
    return this.lease.revoke(options)
  }
}

export class Election {
  readonly name: string
  readonly #parts: ElectionParts

  constructor(parts: ElectionParts, name: string) {
    this.#parts = parts
    this.name = name
  }

  /** Waits until this caller is elected, for at most `timeoutMs` (default 30,000). A caller that gives up leaves the queue. */
  async campaign(value: Value = '', options: LeaseOptions = {}): Promise<Leadership> {
    const standing = await stand(this.#parts, electionCampaign, this.name, value, { ...options, wait: true })
    return new Leadership(this.name, standing as Standing, this.#parts.changes)
  }

  /** Who is elected; undefined when nobody is. */
  async leader(options?: CallOptions): Promise<Holder | undefined> {
    const { holder } = await this.#parts.requests.read(electionRead, { name: this.name, consistency: 'linearizable' }, options)
    return holderOf(holder)
  }

  /** Who is elected, now and after each change, through any change of coordinators. A later one may stand for several. */
  async *observe(options?: StreamOptions): AsyncGenerator<Holder | undefined, void, undefined> {
    await using stream = new ResumedStream(this.#parts.streams, electionObserve, () => ({ name: this.name }), options)
    let last: ItemOf<typeof electionObserve> | undefined
    for (let item = await stream.next(); item !== undefined; item = await stream.next()) {
      // Another coordinator begins with what it knows: that may have been said already.
      if (last !== undefined && (item.revision < last.revision || sameHolder(last, item))) continue
      last = item
      yield holderOf(item.holder)
    }
  }
}

function sameHolder(a: ItemOf<typeof electionObserve>, b: ItemOf<typeof electionObserve>): boolean {
  const [before, after] = [holderOf(a.holder), holderOf(b.holder)]
  return before?.token === after?.token && before?.value === after?.value
}
