// Rounds of gossip while there is something worth them (memberlist's gossip beside SWIM's piggybacking): a quiet
// cluster sends none. And a word to one of the dead now and then, for one that is not dead has no other way to learn
// what is said of it: after a partition both sides are dead to each other, and this is what heals it.
import type { Random } from '@atoll/base'
import type { Dissemination } from './dissemination.ts'
import { isLive, type MemberList } from './member-list.ts'
import type { Membership } from './membership.ts'
import type { MemberUpdate } from './messages.ts'
import type { Outbox } from './outbox.ts'
import type { Sequences } from './sequences.ts'
import type { SwimSettings } from './settings.ts'

/** News waits this long for more to go with it, unless a round has just been. */
const COLLECT_MS = 2
/** How often each of the dead is tried per interval, by all members together. */
const DEAD_TRIES = 4

export interface GossiperParts {
  readonly list: MemberList
  readonly rumours: Dissemination
  readonly membership: Membership
  readonly outbox: Outbox
  readonly random: Random
  readonly sequences: Sequences
  readonly settings: SwimSettings
}

export class Gossiper {
  readonly #parts: GossiperParts
  #nextRoundAt = Number.POSITIVE_INFINITY
  #lastRoundAt = Number.NEGATIVE_INFINITY
  #nextDeadAt: number

  constructor(parts: GossiperParts, now: number) {
    this.#parts = parts
    this.#nextDeadAt = now + parts.random.float() * parts.settings.deadGossipIntervalMs
  }

  /** Plans a round if there is news, then does what is due. */
  run(now: number): void {
    this.#plan(now)
    if (now >= this.#nextRoundAt) this.#round(now)
    if (now >= this.#nextDeadAt) this.#gossipToDead(now)
  }

  /** When the next round is; infinity while there is nothing to say. */
  get nextRoundAt(): number {
    return this.#nextRoundAt
  }

  nextAt(): number {
    return Math.min(this.#nextRoundAt, this.#parts.list.goneCount > 0 ? this.#nextDeadAt : Number.POSITIVE_INFINITY)
  }

  /** Tells up to `count` members at once, by streams. */
  tellDirectly(update: MemberUpdate, count: number): void {
    const { list, membership, outbox } = this.#parts
    for (const { node } of list.sampleLive(count, isLive)) {
      outbox.send(membership.destination(node), { kind: 'gossip', updates: membership.updatesFor(node, [update]) }, true)
    }
  }

  #plan(now: number): void {
    if (!this.#parts.rumours.hasUrgent || this.#parts.list.liveCount === 0) {
      this.#nextRoundAt = Number.POSITIVE_INFINITY
    } else if (this.#nextRoundAt === Number.POSITIVE_INFINITY) {
      this.#nextRoundAt = Math.max(now + COLLECT_MS, this.#lastRoundAt + this.#parts.settings.gossipIntervalMs)
    }
  }

  #round(now: number): void {
    const { list, membership, outbox, settings } = this.#parts
    this.#lastRoundAt = now
    this.#nextRoundAt = Number.POSITIVE_INFINITY
    for (const member of list.sampleLive(settings.gossipFanout, isLive)) {
      const updates = membership.updatesFor(member.node)
      if (updates.length > 0) outbox.send(membership.destination(member.node), { kind: 'gossip', updates })
    }
    this.#plan(now)
  }

  /** Pings one of the dead; the claim that it is dead rides on the ping, and its answer refutes it. */
  #gossipToDead(now: number): void {
    const { list, membership, outbox, random, sequences, settings } = this.#parts
    this.#nextDeadAt = now + settings.deadGossipIntervalMs * (0.5 + random.float())
    if (random.float() * Math.max(1, list.liveCount) >= list.goneCount * DEAD_TRIES) return
    const member = list.randomDead()
    if (member === undefined) return
    const { node } = member
    outbox.send(membership.destination(node), {
      kind: 'ping',
      sequence: sequences.next(),
      target: node,
      reliable: false,
      updates: membership.updatesFor(node),
    })
  }
}
