// Which of two claims about a member holds (SWIM section 4.2): the higher incarnation, and within one incarnation the
// worse news. Claims are thus totally ordered, and merging them is taking the greatest: in any order, any number of
// times, everyone ends with the same belief.
import type { MemberState } from './messages.ts'

/** The part of a claim that decides. */
export interface Claim {
  readonly state: MemberState
  readonly incarnation: number
}

// A farewell outranks a death: whoever says goodbye and then falls silent has left.
const rank: Readonly<Record<MemberState, number>> = { alive: 0, suspect: 1, dead: 2, left: 3 }

/** True when `claim` is news to somebody who believes `known`. Equal claims are not. */
export function supersedes(claim: Claim, known: Claim): boolean {
  if (claim.incarnation !== known.incarnation) return claim.incarnation > known.incarnation
  return rank[claim.state] > rank[known.state]
}

/** True for the states that are ranked here; a later version of the protocol may know more. */
export function isState(state: MemberState): boolean {
  return Object.hasOwn(rank, state)
}

/** True when somebody other than its subject makes such a claim. */
export function accuses(state: MemberState): boolean {
  return state === 'suspect' || state === 'dead'
}
