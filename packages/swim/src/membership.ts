// Every claim that arrives, from whomever, is weighed here (SWIM section 4.2): about this process, about a stranger, or
// about a member it knows. The other way round, what this process knows is put together here for others.
import type { NodeId } from '@atoll/base'
import type { Accusations } from './accusations.ts'
import { type Beliefs, claimOf } from './beliefs.ts'
import { isAttainable, isCredible } from './credibility.ts'
import type { Destination } from './effects.ts'
import { MEMBERS_MAX, SYNC_MEMBERS_MAX } from './limits.ts'
import type { LocalHealth } from './local-health.ts'
import { isLive, type Member, nativeAddress } from './member-list.ts'
import type { MemberUpdate } from './messages.ts'
import type { Outbox } from './outbox.ts'
import { accuses, supersedes } from './precedence.ts'
import { type SelfRecord, sameIdentity, sameMeta } from './self-record.ts'

/** How an update came: a full exchange is weighed with more care, and the first one of a new process with less. */
export type Via = 'gossip' | 'sync' | 'first_sync'

export class Membership {
  readonly #self: SelfRecord
  readonly #beliefs: Beliefs
  readonly #accusations: Accusations
  readonly #health: LocalHealth
  readonly #outbox: Outbox

  constructor(self: SelfRecord, beliefs: Beliefs, accusations: Accusations, health: LocalHealth, outbox: Outbox) {
    this.#self = self
    this.#beliefs = beliefs
    this.#accusations = accusations
    this.#health = health
    this.#outbox = outbox
  }

  /** Weighs one claim. If it accuses on grounds that are outdated, what its bearer should know instead is returned. */
  apply(update: MemberUpdate, via: Via, now: number): MemberUpdate | undefined {
    if (update.node === this.#self.node) return this.#hearOfSelf(update)
    const member = this.#beliefs.list.get(update.node)
    if (!isCredible(update, member)) return undefined
    if (member === undefined) {
      this.#meet(update, via, now)
      return undefined
    }
    this.#hearOf(member, update, via, now)
    return accuses(update.state) && supersedes(member, update) ? claimOf(member) : undefined
  }

  /** The updates for one message to `node`; `first` in any case. */
  updatesFor(node: NodeId, first: readonly MemberUpdate[] = []): MemberUpdate[] {
    return this.#beliefs.updatesFor(this.#beliefs.list.get(node), first)
  }

  destination(node: NodeId): Destination {
    const member = this.#beliefs.list.get(node)
    return { node, address: member === undefined ? undefined : nativeAddress(member.meta) }
  }

  /** Everything known, for a process that knows nothing. */
  everything(): MemberUpdate[] {
    return [this.#self.update(), ...Array.from(this.#beliefs.list.values(), recordOf)]
  }

  /**
   * What is known, for an exchange with `partner`: everything in a small cluster, a random part in a large one, so that
   * an exchange costs the same at any size. What is said of `partner` itself, and who is suspected, is always in it.
   */
  summary(partner: NodeId | undefined): MemberUpdate[] {
    const { list } = this.#beliefs
    if (list.size <= SYNC_MEMBERS_MAX) return this.everything()
    const member = partner === undefined ? undefined : list.get(partner)
    const chosen = new Set([...(member === undefined ? [] : [member]), ...list.suspects, ...list.part(SYNC_MEMBERS_MAX)])
    return [this.#self.update(), ...[...chosen].slice(0, SYNC_MEMBERS_MAX).map(recordOf)]
  }

  #hearOfSelf(update: MemberUpdate): MemberUpdate | undefined {
    if (this.#self.leaving || !isAttainable(update.incarnation)) return undefined
    if (update.incarnation < this.#self.incarnation) return update.state === 'alive' ? undefined : this.#self.update()
    if (update.state === 'alive' && this.#self.isEcho(update)) return undefined
    // Refute it; or outdo the record of an earlier life of this name, which may give another address.
    this.#self.outdo(update.incarnation)
    this.#beliefs.rumours.tell(this.#self.update(), true)
    if (update.state === 'alive') return undefined
    if (accuses(update.state)) this.#health.refuted()
    this.#outbox.tell({ kind: 'refuted_self', claimed: update.state, by: update.by, incarnation: this.#self.incarnation })
    return undefined
  }

  #hearOf(member: Member, update: MemberUpdate, via: Via, now: number): void {
    switch (update.state) {
      case 'alive':
        return this.#hearAlive(member, update, now)
      case 'suspect':
        return this.#accusations.hear(member, update, now)
      case 'dead':
        // After a partition the other side brings a list of deaths that were none. As suspicions they can be refuted
        // before anybody acts on them (memberlist's mergeRemoteState).
        if (via !== 'gossip' && isLive(member)) this.#accusations.hear(member, { ...update, refused: false }, now)
        else this.#beliefs.hold(member, update, now)
        return
      case 'left':
        this.#beliefs.hold(member, { ...update, by: undefined, refused: false }, now)
        return
      default:
        // A state of a later version of the protocol: not ours to judge.
        return
    }
  }

  #hearAlive(member: Member, update: MemberUpdate, now: number): void {
    if (update.meta === undefined) return
    const before = member.meta
    if (update.incarnation > member.metaIncarnation) {
      member.meta = update.meta
      member.metaIncarnation = update.incarnation
    }
    const changed = !sameMeta(before, member.meta)
    const wasAlive = member.state === 'alive'
    // A changed load is worth a ride; an address, a return, or the answer to a suspicion we missed is worth messages.
    const loadOnly = wasAlive && changed && sameIdentity(before, member.meta)
    const news = this.#beliefs.hold(member, { ...update, by: undefined, refused: false }, now, !loadOnly)
    if (changed && (wasAlive || !news)) this.#beliefs.announceUpdate(member)
  }

  #meet(update: MemberUpdate, via: Via, now: number): void {
    const { list } = this.#beliefs
    const { node, meta, incarnation, by, refused } = update
    const live = isLive(update)
    // Who is gone concerns only a process that has just started; to others a forgotten death would never end.
    if (meta === undefined || (!live && via !== 'first_sync')) return
    if (list.size >= MEMBERS_MAX) this.#beliefs.forget(Number.NEGATIVE_INFINITY)
    if (list.size >= MEMBERS_MAX) return
    const belief = live ? ({ state: 'alive', by: undefined, refused: false } as const) : { state: update.state, by, refused }
    const member = list.add({ node, incarnation, meta, metaIncarnation: incarnation, ...belief, since: now })
    if (!live) return
    // Whoever answers a new process knows these already, and so do those it tells.
    if (via !== 'first_sync') this.#beliefs.tell(member)
    this.#beliefs.announce(member, undefined)
    if (update.state === 'suspect') this.#accusations.hear(member, update, now)
  }
}

/** A claim with the meta of its subject: the other side may never have heard of it. */
function recordOf(member: Member): MemberUpdate {
  return { ...claimOf(member), meta: member.meta }
}
