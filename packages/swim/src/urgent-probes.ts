// Members to be probed out of turn: a connection to them closed, or somebody suspects them. Evidence of that kind is
// never believed, only checked.
import type { NodeId } from '@atoll/base'
import { URGENT_PROBES_MAX } from './limits.ts'

/** At most URGENT_PROBES_MAX requests, one per member; a full list leaves the member to the regular rounds. */
export class UrgentProbes {
  readonly #dueAt = new Map<NodeId, number>()

  get length(): number {
    return this.#dueAt.size
  }

  /** Asks for one probe of `node` at `at` (own time); the earlier of two requests holds. */
  request(node: NodeId, at: number): void {
    const already = this.#dueAt.get(node)
    if (already === undefined && this.#dueAt.size >= URGENT_PROBES_MAX) return
    if (already === undefined || at < already) this.#dueAt.set(node, at)
  }

  /** When the first is due; infinity when none is. */
  nextAt(): number {
    let next = Number.POSITIVE_INFINITY
    for (const at of this.#dueAt.values()) next = Math.min(next, at)
    return next
  }

  /** Removes and returns those that are due. */
  takeDue(now: number): NodeId[] {
    const due: NodeId[] = []
    for (const [node, at] of this.#dueAt) if (at <= now) due.push(node)
    for (const node of due) this.#dueAt.delete(node)
    return due
  }
}
