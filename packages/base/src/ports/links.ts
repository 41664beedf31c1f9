// Faults on directed links: what chaos commands may do to the traffic from one node to another (design section 4).
// Every process gets the whole table and applies what concerns it: a `cut` at both ends (bytes stay in the sender's
// queue or in the kernel, nothing is refused), everything else at the sending end. Streams suffer only what TCP can
// do: delay, throttling, silence, reset, corruption that the checksum finds. Loss, duplication and reordering apply
// to messages that their table calls `datagram`, and to nothing else.
import type { NodeId } from '../brand.ts'

/** One end of a directed link: a node, or every node. */
export type LinkEnd = NodeId | '*'

export interface LinkFault {
  /** No byte passes and nobody is told: connections stay open and silent, new ones hang until their deadline. */
  readonly cut?: boolean
  /** Every byte is held this long, in milliseconds (0 to 60,000). Order is kept. */
  readonly delayMs?: number
  /** Uniform extra delay, 0 to this many milliseconds (0 to 60,000), drawn per write; order is kept. */
  readonly jitterMs?: number
  /** At most this many bytes per second pass (1 or more). */
  readonly bytesPerSecond?: number
  /** Present connections over the link are reset when the rule arrives, and new ones as soon as they send. */
  readonly reset?: boolean
  /** Chance that a write has one bit flipped, 0 to 1. */
  readonly corruptProbability?: number
  /** Chance that a datagram message is lost, 0 to 1. */
  readonly lossProbability?: number
  /** Chance that a datagram message arrives twice, 0 to 1. */
  readonly duplicateProbability?: number
  /** Chance that a datagram message is held back 1 to 50 ms, so that later ones overtake it, 0 to 1. */
  readonly reorderProbability?: number
}

/** A fault on the directed link `from` → `to`. `'*'` stands for every other node. */
export interface LinkRule {
  readonly from: LinkEnd
  readonly to: LinkEnd
  readonly fault: LinkFault
}

/** The hook a Net implementation offers when it was started with faults allowed. */
export interface LinkFaults {
  /** Replaces the whole table; an empty one heals everything and what was held flows again. At most 4,096 rules. */
  replaceRules(rules: readonly LinkRule[]): void
  readonly rules: readonly LinkRule[]
}

/** The faults on `from` → `to`, all matching rules merged: the harsher value of each kind wins. A node has no link to itself. */
export function faultOn(rules: readonly LinkRule[], from: NodeId, to: NodeId): LinkFault | undefined {
  if (from === to) return undefined
  let merged: Record<string, boolean | number> | undefined
  for (const rule of rules) {
    if ((rule.from !== '*' && rule.from !== from) || (rule.to !== '*' && rule.to !== to)) continue
    merged ??= {}
    for (const [kind, value] of Object.entries(rule.fault) as [string, boolean | number][]) {
      const before = merged[kind]
      merged[kind] =
        typeof value === 'boolean'
          ? value || before === true
          : before === undefined
            ? value
            : kind === 'bytesPerSecond'
              ? Math.min(value, before as number)
              : Math.max(value, before as number)
    }
  }
  return merged as LinkFault | undefined
}
