// Proof that a process is gone, so that nobody has to wait for its lease: the supervisor, which is its parent, says so; or
// its very own address refuses connections, seen from here and by one other member, which nothing but its absence does on
// one host. Gossip alone proves nothing, nor does a connection that closed. What is proven is about one registration: that
// of the process which was to be found at that address when this looked.
import type { MonotonicMs, NodeId } from '@atoll/base'
import type { Revision } from '@atoll/protocol'
import { EXIT_EVIDENCE_MS, EXIT_WITNESSES_MAX } from '../limits.ts'

export interface Exit {
  readonly node: NodeId
  /** The registration that is over. */
  readonly epoch: Revision
}

interface Refusal {
  readonly by: NodeId
  readonly atMs: MonotonicMs
}

export class Exits {
  readonly #self: NodeId
  readonly #refusals = new Map<NodeId, Refusal[]>()

  constructor(self: NodeId) {
    this.#self = self
  }

  /** `by` was refused at the address of `node`. True once that proves that nobody is there. */
  refused(node: NodeId, by: NodeId, nowMs: MonotonicMs): boolean {
    const before = this.#refusals.get(node) ?? []
    const recent = before.filter(one => one.atMs + EXIT_EVIDENCE_MS > nowMs && one.by !== by).slice(1 - EXIT_WITNESSES_MAX)
    const all = [...recent, { by, atMs: nowMs }]
    this.#refusals.set(node, all)
    return all.some(one => one.by === this.#self) && all.some(one => one.by !== this.#self)
  }

  /** It answers, or has registered anew. */
  forget(node: NodeId): void {
    this.#refusals.delete(node)
  }
}
