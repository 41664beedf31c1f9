// One attempt at becoming leader: who has been asked and what they said. A pre-vote asks the same question as the vote
// without raising anybody's term.
import type { NodeId } from '@atoll/base'
import { type Configuration, majority } from './configuration.ts'
import type { Term } from './terms.ts'

export class Candidacy {
  readonly kind: 'pre_vote' | 'vote'
  /** The term that is, or would be, led. */
  readonly term: Term
  readonly #granted = new Set<NodeId>()

  constructor(kind: 'pre_vote' | 'vote', term: Term) {
    this.kind = kind
    this.term = term
  }

  get votes(): number {
    return this.#granted.size
  }

  grant(by: NodeId): void {
    this.#granted.add(by)
  }

  wins(configuration: Configuration): boolean {
    return majority(configuration, node => this.#granted.has(node))
  }
}
