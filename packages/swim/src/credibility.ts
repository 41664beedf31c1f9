// Which updates are heard at all. A peer proved that it belongs to the cluster, but it may be broken; what it says must
// not put a member beyond the reach of a refutation, which needs a higher incarnation than the claim.
import { INCARNATION_JUMP_MAX, INCARNATION_MAX } from './limits.ts'
import type { MemberUpdate } from './messages.ts'
import { accuses, isState } from './precedence.ts'

/** What is known of the update's subject; `undefined` for nothing. */
interface Known {
  readonly incarnation: number
}

/**
 * False for an incarnation that no member can have reached. An accuser repeats what it heard of its subject, so it can
 * be ahead of us only by what we have missed. The subject's own word may be ahead by anything.
 */
export function isCredible(update: MemberUpdate, known: Known | undefined): boolean {
  if (!isAttainable(update.incarnation) || !isState(update.state)) return false
  if (update.state === 'alive' && update.meta === undefined) return false
  if (known === undefined || !accuses(update.state)) return true
  return update.incarnation <= known.incarnation + INCARNATION_JUMP_MAX
}

/** False for what is no incarnation, or too close to the last one to be outdone. */
export function isAttainable(incarnation: number): boolean {
  return Number.isSafeInteger(incarnation) && incarnation >= 0 && incarnation <= INCARNATION_MAX
}
