// Term and vote: the two facts a server must never forget (Raft figure 2). At most one vote per term, on disk before
// anybody hears of it: that alone makes two leaders of one term impossible.
import { assert } from '@atoll/base'
import type { HardState } from './effects.ts'
import { isSameMember, type Member, type Term } from './terms.ts'

export class Ballot {
  #term: Term
  #votedFor: Member | undefined
  #unsaved = false

  constructor({ term, votedFor }: HardState) {
    this.#term = term
    this.#votedFor = votedFor
  }

  get term(): Term {
    return this.#term
  }

  get votedFor(): Member | undefined {
    return this.#votedFor
  }

  /** Enters a later term, with its vote still to give. */
  advance(term: Term): void {
    assert(term > this.#term, 'a term never goes back')
    this.#term = term
    this.#votedFor = undefined
    this.#unsaved = true
  }

  /** True when the vote of this term is free, or went to the same server before: its request was repeated. */
  mayVoteFor(candidate: Member): boolean {
    return this.#votedFor === undefined || isSameMember(this.#votedFor, candidate)
  }

  vote(candidate: Member): void {
    if (this.#votedFor !== undefined) {
      assert(isSameMember(this.#votedFor, candidate), 'one vote per term')
      return
    }
    this.#votedFor = candidate
    this.#unsaved = true
  }

  /** What changed since it was last asked, to be stored. */
  takeUnsaved(): HardState | undefined {
    if (!this.#unsaved) return undefined
    this.#unsaved = false
    return { term: this.#term, votedFor: this.#votedFor }
  }
}
