// Proof that a process is gone, so that nobody has to wait for its lease: the supervisor, which is its parent, says so; or
// its very own address refuses connections, seen from here and by one other member, which nothing but its absence does on
// one host. Gossip alone proves nothing, nor does a connection that closed.
import type { Incarnation, MonotonicMs, NodeId } from '@atoll/base'
import { EXIT_EVIDENCE_MS, EXIT_WITNESSES_MAX } from '../limits.ts'

export interface Exit {
  readonly node: NodeId
  /** The latest incarnation that the process which is gone was known by. */
  readonly incarnation: Incarnation
}

interface Refusal {
  readonly incarnation: Incarnation
  readonly by: NodeId
  readonly atMs: MonotonicMs
}

export class Exits {
  readonly #self: NodeId
  readonly #refusals = new Map<NodeId, Refusal[]>()

  constructor(self: NodeId) {
    this.#self = self
  }

  /** `by` was refused at the address of `node`. The exit, once that proves one. */
  refused(node: NodeId, incarnation: Incarnation, by: NodeId, nowMs: MonotonicMs): Exit | undefined {
    const before = this.#refusals.get(node) ?? []
    const recent = before.filter(one => one.atMs + EXIT_EVIDENCE_MS > nowMs && one.by !== by).slice(1 - EXIT_WITNESSES_MAX)
    const all = [...recent, { incarnation, by, atMs: nowMs }]
    this.#refusals.set(node, all)
    const own = all.find(one => one.by === this.#self)
    const other = all.find(one => one.by !== this.#self)
    if (own === undefined || other === undefined) return undefined
    // What both speak of: a process that started since the older of the two is not the one that is gone.
    return { node, incarnation: Math.min(own.incarnation, other.incarnation) as Incarnation }
  }

  /** It answers, or has registered anew. */
  forget(node: NodeId): void {
    this.#refusals.delete(node)
  }
}
