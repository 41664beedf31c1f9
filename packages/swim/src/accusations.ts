// From suspicion to death (SWIM section 4.2, Lifeguard section IV-B): accusations are collected, checked by those who
// hear of them, and end in a death unless the accused refutes them in time. A refused connection is stronger evidence
// than silence: two members who saw one need not wait.
import type { NodeId, Random } from '@atoll/base'
import type { Beliefs } from './beliefs.ts'
import { isLive, type Member } from './member-list.ts'
import type { MemberUpdate } from './messages.ts'
import type { SwimSettings } from './settings.ts'
import { confirmationsWanted, REFUSAL_GAP_MS, Suspicion, suspicionMs, suspicionMsMin } from './suspicion.ts'
import type { UrgentProbes } from './urgent-probes.ts'

/**
 * How many members check a refusal for themselves as soon as they hear of it, on average, in a cluster of any size: one
 * more witness settles it. For mere silence this was measured to gain nothing; regular probes confirm it in time.
 */
const CHECKERS = 8

/** That a member is suspect at an incarnation, by whom, and whether on a refused connection. */
export type Accusation = Pick<MemberUpdate, 'incarnation' | 'by' | 'refused'>

export class Accusations {
  readonly #self: NodeId
  readonly #beliefs: Beliefs
  readonly #urgentProbes: UrgentProbes
  readonly #random: Random
  readonly #settings: SwimSettings

  constructor(self: NodeId, beliefs: Beliefs, urgentProbes: UrgentProbes, random: Random, settings: SwimSettings) {
    this.#self = self
    this.#beliefs = beliefs
    this.#urgentProbes = urgentProbes
    this.#random = random
    this.#settings = settings
  }

  /** Somebody accuses `member`. An accusation that was refuted already, or comes after death, is no news. */
  hear(member: Member, accusation: Accusation, now: number): void {
    if (this.#beliefs.hold(member, { ...accusation, state: 'suspect' }, now)) {
      member.suspicion = new Suspicion()
      this.#addEvidence(member, member.suspicion, accusation, now)
    } else if (member.suspicion !== undefined && accusation.incarnation === member.incarnation) {
      this.#confirm(member, member.suspicion, accusation, now)
    }
    this.#weighRefusals(member, now)
  }

  /** This process probed `member` in vain. */
  accuse(member: Member, now: number): void {
    if (isLive(member)) this.hear(member, { incarnation: member.incarnation, by: this.#self, refused: false }, now)
  }

  /** A connection of this process to the exact address of `member` was refused. */
  refused(member: Member, now: number): void {
    if (!isLive(member)) return
    this.hear(member, { incarnation: member.incarnation, by: this.#self, refused: true }, now)
    member.suspicion?.ownRefusal(now)
    this.#weighRefusals(member, now)
    // Nobody else may be left to see it too: look again when a restart in between would show.
    if (isLive(member)) this.#urgentProbes.request(member.node, now + REFUSAL_GAP_MS)
  }

  /** Declares dead whom nobody, itself included, cleared in time. */
  expire(now: number): void {
    const expired = [...this.#beliefs.list.suspects].filter(member => this.#deadline(member) <= now)
    for (const member of expired) this.#bury(member, member.refused, now)
  }

  /** When the first suspicion expires, in own time; infinity without any. */
  nextExpiry(): number {
    let next = Number.POSITIVE_INFINITY
    for (const member of this.#beliefs.list.suspects) next = Math.min(next, this.#deadline(member))
    return next
  }

  /** One more accuser, or better evidence, makes the suspicion shorter and is told on while that helps others too. */
  #confirm(member: Member, suspicion: Suspicion, accusation: Accusation, now: number): void {
    const enough = suspicion.confirmations >= this.#confirmationsWanted()
    const news = this.#addEvidence(member, suspicion, accusation, now)
    if (!news || (enough && !accusation.refused)) return
    // Who saw it and what it saw are one testimony: the name of one witness never stands beside another's evidence.
    if (accusation.refused || !member.refused) {
      member.by = accusation.by
      member.refused = accusation.refused
    }
    this.#beliefs.tell(member)
  }

  /** Notes who accuses and on what evidence, and has it checked. Returns true when it was new. */
  #addEvidence(member: Member, suspicion: Suspicion, { by, refused }: Accusation, now: number): boolean {
    if (by === undefined || by === member.node || !this.#isKnown(by)) return false
    const first = suspicion.confirm(by)
    const firstRefusal = refused && suspicion.refusedTo(by)
    if (firstRefusal && by !== this.#self && this.#random.float() < CHECKERS / this.#beliefs.clusterSize) {
      this.#urgentProbes.request(member.node, now)
    }
    return first || firstRefusal
  }

  #isKnown(node: NodeId): boolean {
    return node === this.#self || this.#beliefs.list.get(node) !== undefined
  }

  /** Dead at once when two members saw that nobody listens there, or this one saw it twice and has nobody else to ask. */
  #weighRefusals(member: Member, now: number): void {
    const { suspicion } = member
    if (suspicion === undefined) return
    const alone = this.#beliefs.list.aliveCount === 0 && suspicion.refusedTwiceToSelf
    if (suspicion.witnesses >= 2 || alone) this.#bury(member, true, now)
  }

  #bury(member: Member, refused: boolean, now: number): void {
    this.#beliefs.hold(member, { state: 'dead', incarnation: member.incarnation, by: this.#self, refused }, now)
  }

  #confirmationsWanted(): number {
    // Whoever is not suspected itself could still join in.
    return confirmationsWanted(this.#beliefs.list.aliveCount, this.#settings)
  }

  #deadline(member: Member): number {
    const minMs = suspicionMsMin(this.#beliefs.clusterSize, this.#settings)
    const wanted = this.#confirmationsWanted()
    const confirmations = Math.min(wanted, member.suspicion?.confirmations ?? 0)
    return member.since + suspicionMs(confirmations, wanted, minMs, minMs * this.#settings.suspicionMaxMult)
  }
}
