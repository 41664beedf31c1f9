// Full exchanges of everything known (memberlist's push-pull): at the start with every seed, then now and then with a
// random member against what gossip lost, and after a pause of this process before it concludes anything.
import type { NodeId, Random } from '@atoll/base'
import type { Beliefs } from './beliefs.ts'
import type { Address, Destination } from './effects.ts'
import { isLive, type MemberList, nativeAddress } from './member-list.ts'
import type { Membership, Via } from './membership.ts'
import type { MemberUpdate, Sync } from './messages.ts'
import type { Outbox } from './outbox.ts'
import type { Seeds } from './seeds.ts'
import type { SelfRecord } from './self-record.ts'
import type { Sequences } from './sequences.ts'
import type { SwimSettings } from './settings.ts'

/** Members asked after a pause: one of them may be the one that is dead. */
const REFRESH_FROM = 3
/** Without an answer after a pause, conclusions are drawn again after this long. */
const REFRESH_MS = 500
/** At most one question per this time to members that write but are not known. */
const GREETING_GAP_MS = 1_000
/** The cluster size up to which the interval is as set. */
const FULL_RATE_MEMBERS = 32

/** The interval between full exchanges: they grow with the cluster, so they become rarer with its logarithm. */
export function syncIntervalMs(members: number, settings: SwimSettings): number {
  return settings.syncIntervalMs * (1 + Math.max(0, Math.ceil(Math.log2(members / FULL_RATE_MEMBERS))))
}

export interface SynchronizerParts {
  readonly self: SelfRecord
  readonly list: MemberList
  readonly beliefs: Beliefs
  readonly membership: Membership
  readonly seeds: Seeds
  readonly outbox: Outbox
  readonly random: Random
  readonly sequences: Sequences
  readonly settings: SwimSettings
}

export class Synchronizer {
  readonly #parts: SynchronizerParts
  #joined = false
  #lastAt: number
  /** Each interval is stretched by its own factor, lest all exchange at once. */
  #stretch: number
  /** Until when conclusions wait for an answer, in own time. */
  #refreshUntil: number | undefined
  readonly #refreshes = new Set<number>()
  #greetAgainAt = Number.NEGATIVE_INFINITY

  constructor(parts: SynchronizerParts, now: number) {
    this.#parts = parts
    this.#lastAt = now
    this.#stretch = parts.random.float()
  }

  /** True after a pause, until what happened meanwhile is known. */
  get refreshing(): boolean {
    return this.#refreshUntil !== undefined
  }

  join(seeds: readonly Address[], now: number): void {
    const own = nativeAddress(this.#parts.self.meta)
    this.#parts.seeds.add(seeds, now)
    if (own !== undefined) this.#parts.seeds.known(own)
  }

  /** Learns by asking what this process missed while it did not run. */
  refresh(now: number): void {
    const chosen = this.#parts.list.sampleLive(REFRESH_FROM, isLive)
    if (chosen.length === 0) return
    this.#refreshUntil = now + REFRESH_MS
    this.#refreshes.clear()
    for (const { node } of chosen) this.#refreshes.add(this.#ask(this.#parts.membership.destination(node), false))
  }

  /** A member that nobody told us of wrote: it knows us, so let it tell us of itself. */
  greet(node: NodeId, now: number): void {
    if (now < this.#greetAgainAt) return
    this.#greetAgainAt = now + GREETING_GAP_MS
    this.#ask({ node, address: undefined }, false)
  }

  /** Takes in what `from` knows, and answers if it asked. Returns what contradicts it about this process, if anything. */
  received(sync: Sync, from: NodeId, now: number): MemberUpdate | undefined {
    const { self, membership, beliefs, seeds, list, outbox } = this.#parts
    const first = sync.reply && seeds.answered(sync.sequence)
    const via: Via = first && !this.#joined ? 'first_sync' : 'sync'
    let contradiction: MemberUpdate | undefined
    for (const update of sync.members) {
      const outdated = membership.apply(update, via, now)
      if (update.node === self.node) contradiction = outdated
    }
    if (!sync.reply) this.#answer(sync, from)
    if (first && !this.#joined) {
      this.#joined = true
      beliefs.rumours.tell(self.update(), true)
      outbox.tell({ kind: 'joined', members: list.liveCount + 1 })
    }
    if (sync.reply && this.#refreshes.delete(sync.sequence)) this.#refreshUntil = undefined
    return contradiction
  }

  /** Asks whom it is time to ask. */
  run(now: number): void {
    const { seeds, sequences, list, beliefs, membership, random, settings } = this.#parts
    for (const { address, sequence } of seeds.takeDue(now, () => sequences.next())) {
      this.#ask({ node: undefined, address }, !this.#joined, sequence)
    }
    if (this.#refreshUntil !== undefined && now >= this.#refreshUntil) this.#refreshUntil = undefined
    if (now < this.#periodicAt()) return
    this.#lastAt = now
    this.#stretch = 0.9 + random.float() * 0.2
    beliefs.forget(now - settings.deadKeptMs)
    const [partner] = list.sampleLive(1, isLive)
    if (partner !== undefined) this.#ask(membership.destination(partner.node), false)
  }

  nextAt(): number {
    const alone = this.#parts.list.size === 0
    return Math.min(
      alone ? Number.POSITIVE_INFINITY : this.#periodicAt(),
      this.#parts.seeds.nextAt(),
      this.#refreshUntil ?? Number.POSITIVE_INFINITY,
    )
  }

  #periodicAt(): number {
    const { beliefs, settings } = this.#parts
    return this.#lastAt + syncIntervalMs(beliefs.clusterSize, settings) * this.#stretch
  }

  #ask(to: Destination, joining: boolean, sequence = this.#parts.sequences.next()): number {
    const { outbox, membership } = this.#parts
    outbox.send(to, { kind: 'sync', sequence, reply: false, joining, members: membership.summary(to.node) }, true)
    return sequence
  }

  #answer(question: Sync, from: NodeId): void {
    const { outbox, membership } = this.#parts
    // A process that has just started may be known only under the address of its previous life.
    const own = question.members.find((update: MemberUpdate) => update.node === from)?.meta
    const address = own === undefined ? membership.destination(from).address : nativeAddress(own)
    const members = question.joining ? membership.everything() : membership.summary(from)
    const answer: Sync = { kind: 'sync', sequence: question.sequence, reply: true, joining: false, members }
    outbox.send({ node: from, address }, answer, true)
  }
}
