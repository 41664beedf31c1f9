// How long a suspicion lasts (Lifeguard section IV-B; memberlist suspicion.go). It starts long and shortens with each
// member that independently came to the same suspicion: one slow accuser alone needs much patience, three who agree
// need little. Refused connections are stronger evidence: two members who saw one need no patience at all.
import type { NodeId } from '@atoll/base'
import type { SwimSettings } from './settings.ts'

/** Two refusals seen by the same member count as two witnesses when they are this far apart and nobody else is left to ask. */
export const REFUSAL_GAP_MS = 200

/** The shortest suspicion in a cluster of `members`: never below the floor, which outlasts a pause and the refutation after it. */
export function suspicionMsMin(members: number, settings: SwimSettings): number {
  const scaled = settings.suspicionMult * Math.max(1, Math.log10(Math.max(1, members))) * settings.probeIntervalMs
  return Math.max(settings.suspicionFloorMs, scaled)
}

/**
 * The confirmations after which a suspicion is as short as it gets. Memberlist gives up on confirmations when fewer
 * members than that could confirm; here they are as many as can still come, so that patience exists at three members too.
 * With nobody to ask there is nothing to wait for, and the floor alone protects.
 */
export function confirmationsWanted(possibleConfirmers: number, settings: SwimSettings): number {
  return Math.max(0, Math.min(settings.suspicionMult - 2, possibleConfirmers))
}

/** From `maxMs` without confirmation to `minMs` with all that are wanted: each one counts less than the one before. */
export function suspicionMs(confirmations: number, wanted: number, minMs: number, maxMs: number): number {
  if (wanted <= 0) return minMs
  const fraction = Math.log(confirmations + 1) / Math.log(wanted + 1)
  return Math.max(minMs, maxMs - (maxMs - minMs) * fraction)
}

/** One member under suspicion at one incarnation: who accuses it, and on what evidence. */
export class Suspicion {
  readonly #accusers = new Set<NodeId>()
  readonly #refusedTo = new Set<NodeId>()
  #firstOwnRefusalAt: number | undefined
  #lastOwnRefusalAt: number | undefined

  /** Accusers beyond the first. One member counts once, however often it repeats itself. */
  get confirmations(): number {
    return Math.max(0, this.#accusers.size - 1)
  }

  /** Members to whom the connection was refused. */
  get witnesses(): number {
    return this.#refusedTo.size
  }

  /** Returns true when this is the first accusation by `accuser`. */
  confirm(accuser: NodeId): boolean {
    if (this.#accusers.has(accuser)) return false
    this.#accusers.add(accuser)
    return true
  }

  /** Returns true when `witness` had not reported a refusal yet. */
  refusedTo(witness: NodeId): boolean {
    if (this.#refusedTo.has(witness)) return false
    this.#refusedTo.add(witness)
    return true
  }

  ownRefusal(now: number): void {
    this.#firstOwnRefusalAt ??= now
    this.#lastOwnRefusalAt = now
  }

  /** This process saw two refusals far enough apart that no restart lies between them. */
  get refusedTwiceToSelf(): boolean {
    if (this.#firstOwnRefusalAt === undefined || this.#lastOwnRefusalAt === undefined) return false
    return this.#lastOwnRefusalAt - this.#firstOwnRefusalAt >= REFUSAL_GAP_MS
  }
}
