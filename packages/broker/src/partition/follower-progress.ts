// One follower as its leader sees it: what it has, on disk and not, and since when it has not caught up. All of it is
// forgotten with each new leadership and with each new registration of the follower: whatever it had before its restart,
// only its next fetch tells what it has now.
import type { NodeId } from '@atoll/base'
import type { Offset } from '@atoll/records'
import type { FetchPosition } from './inputs.ts'

export class FollowerProgress {
  readonly node: NodeId
  /** The registration it fetched under; undefined before the first fetch. */
  #brokerEpoch: number | undefined
  /** True once a fetch of this leadership and registration agreed with the leader's log. */
  #agrees = false
  #logEnd = 0 as Offset
  #durableEnd = 0 as Offset
  #logStart = 0 as Offset
  /** Everything the leader had at this time, the follower had on disk later. */
  #caughtUpMs: number
  /** The leader's log end at some time since, which the follower has not reached yet. */
  #goal: { readonly end: Offset; readonly atMs: number } | undefined

  constructor(node: NodeId, now: number) {
    this.node = node
    this.#caughtUpMs = now
  }

  get brokerEpoch(): number | undefined {
    return this.#brokerEpoch
  }

  get agrees(): boolean {
    return this.#agrees
  }

  get logEnd(): Offset {
    return this.#logEnd
  }

  get durableEnd(): Offset {
    return this.#durableEnd
  }

  get logStart(): Offset {
    return this.#logStart
  }

  /** Begins anew under another registration. It is given the time to show what it has. */
  registered(brokerEpoch: number, now: number): void {
    if (this.#brokerEpoch === brokerEpoch) return
    if (this.#brokerEpoch !== undefined) this.#caughtUpMs = now
    this.#brokerEpoch = brokerEpoch
    this.#agrees = false
    this.#logEnd = 0 as Offset
    this.#durableEnd = 0 as Offset
    this.#goal = undefined
  }

  /** A fetch that agrees with the leader's log up to its offset. */
  fetched({ fetchOffset, durableEnd, logStart }: FetchPosition, leaderEnd: Offset, now: number): void {
    this.#agrees = true
    this.#logEnd = Math.max(this.#logEnd, fetchOffset) as Offset
    this.#logStart = Math.max(this.#logStart, logStart) as Offset
    this.synced(durableEnd, leaderEnd, now)
  }

  /** Its durable end, which only rises while it agrees. Reports may overtake each other. */
  synced(durableEnd: Offset, leaderEnd: Offset, now: number): void {
    this.#durableEnd = Math.min(Math.max(this.#durableEnd, durableEnd), leaderEnd) as Offset
    this.#logEnd = Math.max(this.#logEnd, this.#durableEnd) as Offset
    // The goal stays until it is reached: one that moved with every fetch would never be, while there is traffic.
    if (this.#goal !== undefined && this.#durableEnd >= this.#goal.end) {
      this.#caughtUpMs = this.#goal.atMs
      this.#goal = undefined
    }
    if (this.#durableEnd >= leaderEnd) this.#caughtUpMs = now
    else this.#goal ??= { end: leaderEnd, atMs: now }
  }

  /** The leader appends: whoever had everything until now is behind only from now on. */
  leaderAppends(endBefore: Offset, now: number): void {
    if (this.#agrees && this.#durableEnd >= endBefore) this.#caughtUpMs = now
  }

  /** True while it has all that the leader has, or had that not long ago. */
  isCaughtUp(leaderEnd: Offset, now: number, lagMsMax: number): boolean {
    return now < this.behindAt(leaderEnd, lagMsMax)
  }

  /** When it counts as lagging, unless it catches up before. */
  behindAt(leaderEnd: Offset, lagMsMax: number): number {
    return this.#agrees && this.#durableEnd >= leaderEnd ? Number.POSITIVE_INFINITY : this.#caughtUpMs + lagMsMax
  }
}
