// Whom to probe next (SWIM section 4.3): round-robin over a list that is shuffled anew for each pass. Every member is
// probed once per pass, so the gap between two probes of one member is less than two passes; a random choice would
// bound only its mean, and one order kept for ever would let the probers of a member fall into step.
// Within a pass the one silent longest goes first. That is ours: whoever still talks to us needs no probe, so those that
// stopped talking are found sooner, at no cost (p99 of the first suspicion at 12 members: 550 ms instead of 710).
import { type NodeId, type Random, shuffle } from '@atoll/base'

/** The next members of the pass among which the longest silent one is looked for: enough to help, few enough to walk. */
const CANDIDATES = 16

/** When `node` was last heard, or undefined if it is not to be probed any more. */
export type LastHeard = (node: NodeId) => number | undefined

export class ProbeSchedule {
  readonly #random: Random
  #order: NodeId[] = []
  /** What `#order` holds, so that a member back from the dead is not listed twice. */
  readonly #listed = new Set<NodeId>()
  #next = 0

  constructor(random: Random) {
    this.#random = random
  }

  get length(): number {
    return this.#order.length
  }

  /**
   * Takes in a member that is new, or back: at a random place of the rest of this pass. At the end, all who joined
   * together would be probed together; before it, the one most likely to fall silent again would be probed last.
   */
  add(node: NodeId): void {
    if (this.#listed.has(node)) {
      const place = this.#order.indexOf(node)
      if (place >= this.#next) return
      this.#order.splice(place, 1)
      this.#next--
    }
    this.#listed.add(node)
    const rest = this.#order.length - this.#next
    this.#order.splice(this.#next + this.#random.below(rest + 1), 0, node)
  }

  /** The next member to probe, or undefined when there is none. */
  next(lastHeard: LastHeard): NodeId | undefined {
    // The rest of this pass may hold only members that are gone; a new pass holds none.
    return this.#nextOfPass(lastHeard) ?? this.#startPass(lastHeard)
  }

  #nextOfPass(lastHeard: LastHeard): NodeId | undefined {
    while (this.#next < this.#order.length) {
      this.#putLongestSilentFirst(lastHeard)
      const node = this.#order[this.#next] as NodeId
      this.#next++
      if (lastHeard(node) !== undefined) return node
    }
    return undefined
  }

  #startPass(lastHeard: LastHeard): NodeId | undefined {
    this.#order = this.#order.filter(node => lastHeard(node) !== undefined || !this.#listed.delete(node))
    shuffle(this.#order, this.#random)
    this.#next = 0
    return this.#nextOfPass(lastHeard)
  }

  #putLongestSilentFirst(lastHeard: LastHeard): void {
    const order = this.#order
    const end = Math.min(order.length, this.#next + CANDIDATES)
    const heardAt = (index: number) => lastHeard(order[index] as NodeId) ?? Number.POSITIVE_INFINITY
    let longest = this.#next
    for (let index = longest + 1; index < end; index++) if (heardAt(index) < heardAt(longest)) longest = index
    const first = order[this.#next] as NodeId
    order[this.#next] = order[longest] as NodeId
    order[longest] = first
  }
}
