// The members this process knows, itself not among them, in lists that make the frequent questions cheap at a thousand
// members: a random living one, a random dead one, how many.
import { type Incarnation, type NodeId, type Random, shuffle } from '@atoll/base'
import type { Address } from './effects.ts'
import { GONE_MAX, MEMBERS_MAX } from './limits.ts'
import type { MemberMeta, MemberState } from './messages.ts'
import type { Suspicion } from './suspicion.ts'

/** One member. Only MemberList and Membership write to it. */
export interface Member {
  readonly node: NodeId
  state: MemberState
  /** Of the claim that is believed; the subject's own, or one that an accuser saw. */
  incarnation: Incarnation
  meta: MemberMeta
  /** At which the subject said `meta`; at most `incarnation`. */
  metaIncarnation: Incarnation
  by: NodeId | undefined
  refused: boolean
  /** There while `state` is `suspect`. */
  suspicion: Suspicion | undefined
  /** When `state` was entered, in own time. */
  since: number
  /** When a message of its own last came, in own time. */
  heardAt: number
  /** Its place in the list of its kind. */
  place: number
}

/** Alive or suspect: still probed, gossiped with, and counted. */
export function isLive(member: { readonly state: MemberState }): boolean {
  return member.state === 'alive' || member.state === 'suspect'
}

/** Where a member listens for its peers. */
export function nativeAddress(meta: MemberMeta): Address | undefined {
  const endpoint = meta.endpoints.find(({ protocol }) => protocol === 'native')
  return endpoint === undefined ? undefined : { host: endpoint.host, port: endpoint.port }
}

export class MemberList {
  readonly #random: Random
  readonly #members = new Map<NodeId, Member>()
  readonly #live: Member[] = []
  readonly #gone: Member[] = []
  readonly #suspects = new Set<Member>()

  constructor(random: Random) {
    this.#random = random
  }

  get size(): number {
    return this.#members.size
  }

  get liveCount(): number {
    return this.#live.length
  }

  get goneCount(): number {
    return this.#gone.length
  }

  /** Live and not suspected. */
  get aliveCount(): number {
    return this.#live.length - this.#suspects.size
  }

  get suspects(): ReadonlySet<Member> {
    return this.#suspects
  }

  get(node: NodeId): Member | undefined {
    return this.#members.get(node)
  }

  values(): IterableIterator<Member> {
    return this.#members.values()
  }

  /** Adds a member. The caller made room for it. */
  add(member: Omit<Member, 'place' | 'suspicion' | 'heardAt'>): Member {
    const added: Member = { ...member, suspicion: undefined, heardAt: member.since, place: 0 }
    this.#members.set(member.node, added)
    this.#enlist(added)
    return added
  }

  /** Moves `member` to `state`, as of `now`. */
  enter(member: Member, state: MemberState, now: number): void {
    this.#strike(member)
    member.state = state
    member.since = now
    this.#enlist(member)
  }

  /** A message of `node` came. */
  heard(node: NodeId, now: number): void {
    const member = this.#members.get(node)
    if (member !== undefined) member.heardAt = now
  }

  /** Forgets members gone since before `before`, and the longest gone where there are too many; returns their names. */
  forget(before: number): NodeId[] {
    const tooMany = Math.max(this.#gone.length - GONE_MAX, this.#members.size + 1 - MEMBERS_MAX, 0)
    const longestGone = this.#gone.toSorted((a, b) => a.since - b.since)
    const forgotten = longestGone.filter((member, index) => index < tooMany || member.since < before)
    for (const member of forgotten) {
      this.#strike(member)
      this.#members.delete(member.node)
    }
    return forgotten.map(member => member.node)
  }

  /** Up to `count` different live members that `suits`, in random order. */
  sampleLive(count: number, suits: (member: Member) => boolean): Member[] {
    // A short list is looked through; in a long one nearly every random pick suits, so a few tries are as good.
    if (this.#live.length <= 16) return shuffle(this.#live.filter(suits), this.#random).slice(0, count)
    const chosen: Member[] = []
    for (let tries = 0; tries < count * 8 && chosen.length < count; tries++) {
      const member = this.#live[this.#random.below(this.#live.length)]
      if (member !== undefined && suits(member) && !chosen.includes(member)) chosen.push(member)
    }
    return chosen
  }

  /** Up to `count` members that stand together at a random place of the lists. */
  part(count: number): Member[] {
    const all = [...this.#live, ...this.#gone]
    const start = all.length === 0 ? 0 : this.#random.below(all.length)
    return [...all.slice(start), ...all.slice(0, start)].slice(0, count)
  }

  /** A random dead member; undefined when the one drawn said farewell, or nobody is gone. */
  randomDead(): Member | undefined {
    if (this.#gone.length === 0) return undefined
    const member = this.#gone[this.#random.below(this.#gone.length)]
    return member?.state === 'dead' ? member : undefined
  }

  #listOf(member: Member): Member[] {
    return isLive(member) ? this.#live : this.#gone
  }

  #enlist(member: Member): void {
    const list = this.#listOf(member)
    member.place = list.length
    list.push(member)
    if (member.state === 'suspect') this.#suspects.add(member)
  }

  #strike(member: Member): void {
    const list = this.#listOf(member)
    const last = list.pop()
    if (last !== undefined && last !== member) {
      list[member.place] = last
      last.place = member.place
    }
    this.#suspects.delete(member)
  }
}
