// What is believed of each member, and the one place where a belief changes: it is written down, told on, and becomes
// an event of its own.
import { type Dissemination, tellingsMax } from './dissemination.ts'
import type { MemberView } from './effects.ts'
import type { Member, MemberList } from './member-list.ts'
import type { MemberState, MemberUpdate } from './messages.ts'
import type { Outbox } from './outbox.ts'
import { supersedes } from './precedence.ts'
import type { SwimSettings } from './settings.ts'

/** What a claim says, without whom it is about. */
export type Belief = Pick<MemberUpdate, 'state' | 'incarnation' | 'by' | 'refused'>

const eventOf = { alive: 'member_alive', suspect: 'member_suspect', dead: 'member_dead', left: 'member_left' } as const

export class Beliefs {
  readonly list: MemberList
  readonly rumours: Dissemination
  readonly #outbox: Outbox
  readonly #settings: SwimSettings

  constructor(list: MemberList, rumours: Dissemination, outbox: Outbox, settings: SwimSettings) {
    this.list = list
    this.rumours = rumours
    this.#outbox = outbox
    this.#settings = settings
  }

  /** All members of the cluster that are not gone, this process among them. */
  get clusterSize(): number {
    return this.list.liveCount + 1
  }

  /** Takes `belief` for true if it is news; returns whether it was. */
  hold(member: Member, belief: Belief, now: number, urgent = true): boolean {
    if (!supersedes(belief, member)) return false
    const previous = member.state
    this.list.enter(member, belief.state, now)
    member.incarnation = belief.incarnation
    member.by = belief.by
    member.refused = belief.refused
    member.suspicion = undefined
    this.tell(member, urgent)
    if (previous !== belief.state) this.announce(member, previous)
    return true
  }

  tell(member: Member, urgent = true): void {
    this.rumours.tell(claimOf(member), urgent)
  }

  /** The event of a member's new state. */
  announce(member: Member, previous: MemberState | undefined): void {
    this.#outbox.tell({ kind: eventOf[member.state], member: viewOf(member), previous })
  }

  /** The event of something else than its state. */
  announceUpdate(member: Member): void {
    this.#outbox.tell({ kind: 'member_updated', member: viewOf(member), previous: member.state })
  }

  /**
   * The updates for one message to `member`. If it is suspected or worse, that comes first, whatever else there is
   * to tell: it is the one member that can set it right (Lifeguard section IV-C, the buddy system). Then `first`.
   */
  updatesFor(member: Member | undefined, first: readonly MemberUpdate[]): MemberUpdate[] {
    const claim = member === undefined || member.state === 'alive' ? [] : [claimOf(member)]
    const others = first.filter(update => update.node !== member?.node)
    return this.rumours.take(tellingsMax(this.clusterSize, this.#settings), [...claim, ...others])
  }

  /** Forgets those gone since before `before`. */
  forget(before: number): void {
    for (const node of this.list.forget(before)) {
      this.rumours.forget(node)
      this.#outbox.tell({ kind: 'member_forgotten', node })
    }
  }
}

/** What is believed of a member, as a claim to tell on. Its meta is left out where the claim is not its own. */
export function claimOf(member: Member): MemberUpdate {
  const { node, state, incarnation, by, refused } = member
  return { node, state, incarnation, by, refused, meta: state === 'alive' ? member.meta : undefined }
}

export function viewOf(member: Member): MemberView {
  const { node, state, incarnation, meta, by, refused } = member
  return { node, state, incarnation, meta, by, refused }
}
