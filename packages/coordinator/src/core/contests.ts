// Contests: names that many leases ask for and one has at a time, in the order in which they asked. A lock is one, and so is
// an election; they differ in what may be done while it is held. Being granted takes a revision, and that revision is the
// fencing token: it is greater than that of every grant before. What a lease asked for ends with the lease.
// The holder stands in the store as well, under a reserved key, so it can be watched, and a transaction can compare on it.
import { assert, present } from '@atoll/base'
import { type LeaseId, ProtocolError, type Revision } from '@atoll/protocol'
import type { Draft } from './draft.ts'
import { CONTESTANTS_MAX, CONTESTS_PER_LEASE_MAX, WAITERS_MAX } from './limits.ts'

export interface Contestant {
  readonly lease: LeaseId
  /** What it says of itself, or proclaims. */
  readonly value: Uint8Array
}

export interface Holder extends Contestant {
  readonly token: Revision
}

/** Only names that somebody holds have one. */
export interface Contest {
  readonly holder: Holder
  /** First come, first served. */
  readonly waiting: readonly Contestant[]
}

export interface Standing {
  readonly held: boolean
  /** 0 while not held. */
  readonly token: Revision
  /** How many are before it. */
  readonly ahead: number
}

/** A lease was granted what it asked for, now or after waiting. */
export interface Grant {
  readonly contests: string
  readonly name: string
  readonly lease: LeaseId
  readonly token: Revision
}

const NOT_HELD = 0 as Revision

export class Contests {
  /** Where holders stand in the store, e.g. `$atoll/lock/`. */
  readonly prefix: string
  readonly #contests = new Map<string, Contest>()
  readonly #namesByLease = new Map<LeaseId, Set<string>>()
  #contestants = 0

  constructor(prefix: string) {
    this.prefix = prefix
  }

  get(name: string): Contest | undefined {
    return this.#contests.get(name)
  }

  /** All contests; in which order says nothing. */
  entries(): IterableIterator<[name: string, contest: Contest]> {
    return this.#contests.entries()
  }

  /** Where `lease` stands; undefined when it never asked, or its time is over. */
  standing(name: string, lease: LeaseId): Standing | undefined {
    const contest = this.#contests.get(name)
    if (contest === undefined) return undefined
    if (contest.holder.lease === lease) return { held: true, token: contest.holder.token, ahead: 0 }
    const place = contest.waiting.findIndex(waiting => waiting.lease === lease)
    return place < 0 ? undefined : { held: false, token: NOT_HELD, ahead: place + 1 }
  }

  /** In how many contests `lease` stands. */
  countOf(lease: LeaseId): number {
    return this.#namesByLease.get(lease)?.size ?? 0
  }

  /**
   * `lease`, which exists, asks for `name`. It stands in a queue once: asking again answers where. Without `wait` it is
   * not queued behind others.
   */
  join(draft: Draft, name: string, contestant: Contestant, wait: boolean): Standing {
    const { lease } = contestant
    const stands = this.standing(name, lease)
    if (stands !== undefined) return stands
    const contest = this.#contests.get(name)
    if (contest !== undefined && !wait) return { held: false, token: NOT_HELD, ahead: contest.waiting.length + 1 }
    this.#checkRoom(name, contest, lease)
    // A copy: what came from the log would keep all of its batch in memory.
    const kept = { lease, value: new Uint8Array(contestant.value) }
    if (contest === undefined) {
      draft.set(this.prefix + name, kept.value, lease)
      draft.checkRoom()
      this.#contests.set(name, { holder: { ...kept, token: draft.next }, waiting: [] })
    } else {
      this.#contests.set(name, { ...contest, waiting: [...contest.waiting, kept] })
    }
    this.#enlist(name, lease)
    return present(this.standing(name, lease), 'the standing of who just joined')
  }

  /** `lease` gives up what it holds, or stops waiting. Throws `not_holder`. */
  leave(draft: Draft, name: string, lease: LeaseId): readonly Grant[] {
    if (this.standing(name, lease) === undefined) throw new ProtocolError('not_holder', `lease ${lease} does not stand in ${name}`)
    this.#strike(name, lease)
    return this.#settle(draft, name, new Set([lease]))
  }

  /** These leases are over. All are gone before anything is granted anew, so nothing is granted to one of them. */
  leaveAll(draft: Draft, leases: ReadonlySet<LeaseId>): readonly Grant[] {
    const names = new Set<string>()
    for (const lease of leases)
      for (const name of this.#namesByLease.get(lease) ?? []) {
        names.add(name)
        this.#strike(name, lease)
      }
    return [...names].sort().flatMap(name => this.#settle(draft, name, leases))
  }

  /** The holder says something else of itself. */
  proclaim(draft: Draft, name: string, holder: Holder): void {
    const contest = present(this.#contests.get(name), 'a contest with a holder')
    const value = new Uint8Array(holder.value)
    draft.set(this.prefix + name, value, holder.lease)
    draft.checkRoom()
    this.#contests.set(name, { ...contest, holder: { ...contest.holder, value } })
  }

  restore(name: string, contest: Contest): void {
    this.#contests.set(name, contest)
    for (const { lease } of [contest.holder, ...contest.waiting]) this.#enlist(name, lease)
  }

  #checkRoom(name: string, contest: Contest | undefined, lease: LeaseId): void {
    const full =
      (contest?.waiting.length ?? 0) >= WAITERS_MAX || this.countOf(lease) >= CONTESTS_PER_LEASE_MAX || this.#contestants >= CONTESTANTS_MAX
    if (full) throw new ProtocolError('too_many_waiters', `${name}, for lease ${lease}`)
  }

  #enlist(name: string, lease: LeaseId): void {
    const names = this.#namesByLease.get(lease)
    if (names === undefined) this.#namesByLease.set(lease, new Set([name]))
    else names.add(name)
    this.#contestants++
  }

  #strike(name: string, lease: LeaseId): void {
    const names = present(this.#namesByLease.get(lease), 'a lease that stands somewhere')
    assert(names.delete(name), 'who leaves was there')
    if (names.size === 0) this.#namesByLease.delete(lease)
    this.#contestants--
  }

  /** Takes who left out of the queue, and grants what became free to the next. */
  #settle(draft: Draft, name: string, gone: ReadonlySet<LeaseId>): readonly Grant[] {
    const { holder, waiting } = present(this.#contests.get(name), 'a contest somebody left')
    const left = waiting.filter(({ lease }) => !gone.has(lease))
    if (!gone.has(holder.lease)) {
      this.#contests.set(name, { holder, waiting: left })
      return []
    }
    const next = left[0]
    if (next === undefined) {
      this.#contests.delete(name)
      draft.clear(this.prefix + name)
      return []
    }
    const token = draft.next
    assert(token > holder.token, 'a fencing token is greater than all before it')
    this.#contests.set(name, { holder: { ...next, token }, waiting: left.slice(1) })
    draft.set(this.prefix + name, next.value, next.lease)
    return [{ contests: this.prefix, name, lease: next.lease, token }]
  }
}
