// The ISR of a partition, as its leader holds it: what the controller committed, and what it may have committed by now.
// Whoever was proposed may be in the ISR already, whatever became of the answer, and so holds the high watermark back until
// the partition epoch moves: a proposal that was sent can arrive at any later time, and only a newer epoch fences it
// (apache/kafka Partition.scala, "maximal ISR").
import { assert, type NodeId } from '@atoll/base'
import type { LeaderEpoch } from '@atoll/records'
import type { IsrMember, IsrProposal } from './assignment.ts'

export class InSyncSet {
  #committed: ReadonlySet<NodeId>
  #partitionEpoch: number
  /** The committed members and everybody proposed since. */
  #held: Set<NodeId>
  /** No new proposal before this. */
  #retryAtMs = 0
  #unsettled = false

  constructor(isr: readonly NodeId[], partitionEpoch: number) {
    this.#committed = new Set(isr)
    this.#held = new Set(isr)
    this.#partitionEpoch = partitionEpoch
  }

  get committed(): ReadonlySet<NodeId> {
    return this.#committed
  }

  get partitionEpoch(): number {
    return this.#partitionEpoch
  }

  /** True for whom the high watermark waits. */
  holds(node: NodeId): boolean {
    return this.#held.has(node)
  }

  /** A newer state was committed. */
  adopt(isr: readonly NodeId[], partitionEpoch: number): void {
    assert(partitionEpoch > this.#partitionEpoch, 'the partition epoch rises with each change')
    this.#committed = new Set(isr)
    this.#held = new Set(isr)
    this.#partitionEpoch = partitionEpoch
    this.#unsettled = false
    this.#retryAtMs = 0
  }

  /** What to ask the controller for now; undefined when `wanted` is committed, or something was asked a moment ago. */
  propose(wanted: readonly IsrMember[], leaderEpoch: LeaderEpoch, now: number, retryMs: number): IsrProposal | undefined {
    const isCommitted = wanted.length === this.#committed.size && wanted.every(({ node }) => this.#committed.has(node))
    // Somebody who was proposed in vain holds the high watermark back: the same set again raises the epoch and lets go.
    this.#unsettled = !isCommitted || this.#held.size > this.#committed.size
    if (!this.#unsettled || now < this.#retryAtMs) return undefined
    for (const { node } of wanted) this.#held.add(node)
    this.#retryAtMs = now + retryMs
    return { leaderEpoch, partitionEpoch: this.#partitionEpoch, isr: wanted }
  }

  /** When to propose again, should nothing come of what was proposed. */
  get retryAtMs(): number {
    return this.#unsettled ? this.#retryAtMs : Number.POSITIVE_INFINITY
  }
}
