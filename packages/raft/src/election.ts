// Leader election (Raft section 5.2) with pre-vote (dissertation 9.6) and leader stickiness (4.2.3): a server that hears
// from a leader helps nobody to depose it. The three together, with check-quorum at the leader, keep one leader under
// partial partitions; each alone does not.
import { assert, type NodeId } from '@atoll/base'
import { Candidacy } from './candidacy.ts'
import type { PreVoteRequest, PreVoteResponse, VoteRequest, VoteResponse } from './messages.ts'
import type { Server } from './server.ts'
import { type Member, term } from './terms.ts'

export class Election {
  readonly #server: Server
  #candidacy: Candidacy | undefined
  /** When to stand, unless a leader is heard before. */
  #deadline: number
  /** When the current leader was last heard; undefined when nobody is owed patience. */
  #leaderHeardMs: number | undefined

  constructor(server: Server, now: number) {
    this.#server = server
    this.#deadline = now + this.#timeoutMs()
  }

  get candidacy(): Candidacy | undefined {
    return this.#candidacy
  }

  get deadline(): number {
    return this.#deadline
  }

  /** The leader of this term spoke. */
  heardLeader(now: number): void {
    this.#candidacy = undefined
    this.#leaderHeardMs = now
    this.#deadline = now + this.#timeoutMs()
  }

  /** A new term, or the end of an office: nobody leads, and nobody is owed patience. */
  reset(now: number): void {
    this.#candidacy = undefined
    this.#leaderHeardMs = undefined
    this.#deadline = now + this.#timeoutMs()
  }

  /** Proof that the leader's process is gone: no patience, and an election soon. The stagger keeps survivors from splitting the vote. */
  leaderGone(now: number): void {
    this.#leaderHeardMs = undefined
    this.#deadline = Math.min(this.#deadline, now + this.#server.random.float() * this.#server.settings.leaderGoneStaggerMs)
  }

  /** A leader was heard so recently that another candidate must be the one that is cut off. */
  leaderIsLive(now: number): boolean {
    return this.#leaderHeardMs !== undefined && now - this.#leaderHeardMs < this.#server.settings.electionTimeoutMsMin
  }

  /** Asks whether an election would be won. Returns true when it would without asking, there being no other voter. */
  preCampaign(now: number): boolean {
    const { ballot, outbox, log } = this.#server
    this.reset(now)
    const candidacy = this.#stand('pre_vote', term(ballot.term + 1))
    candidacy.grant(this.#server.self.node)
    for (const voter of this.#otherVoters()) {
      outbox.send(voter, { kind: 'pre_vote_request', term: candidacy.term, ...log.end }, 'log')
    }
    return candidacy.wins(this.#server.configuration)
  }

  /** Raises the term and asks for votes. Its own vote counts like the others: once it is on disk. */
  campaign(transfer: boolean, now: number): void {
    const { ballot, outbox, log, self } = this.#server
    this.reset(now)
    ballot.advance(term(ballot.term + 1))
    ballot.vote(self)
    const candidacy = this.#stand('vote', ballot.term)
    for (const voter of this.#otherVoters()) {
      outbox.send(voter, { kind: 'vote_request', term: candidacy.term, transfer, ...log.end }, 'log')
    }
  }

  /** Something became durable; the candidate's own vote may be among it. Returns true when that wins the election. */
  ownVoteStored(): boolean {
    const candidacy = this.#candidacy
    if (candidacy?.kind !== 'vote' || this.#server.stores.ballotPending) return false
    candidacy.grant(this.#server.self.node)
    return candidacy.wins(this.#server.configuration)
  }

  /** Returns true when this answer decides the election. */
  counted(message: PreVoteResponse | VoteResponse, by: NodeId): boolean {
    const candidacy = this.#candidacy
    const kind = message.kind === 'vote_response' ? 'vote' : 'pre_vote'
    if (candidacy?.kind !== kind || message.term !== candidacy.term || !message.granted) return false
    candidacy.grant(by)
    return candidacy.wins(this.#server.configuration)
  }

  /** Whether this server would vote so. Commits it to nothing, so nothing is stored. `leaderIsLive`: patience is owed. */
  answerPreVote(request: PreVoteRequest, from: Member, leaderIsLive: boolean): void {
    const { ballot, outbox } = this.#server
    const granted = request.term > ballot.term && !leaderIsLive && this.#isFit(request)
    outbox.send(from, { kind: 'pre_vote_response', term: granted ? request.term : ballot.term, granted }, 'ballot')
  }

  /** One vote per term, for a log at least as new as its own; `leader` is whoever is known to lead this term already. */
  answerVote(request: VoteRequest, from: Member, leader: NodeId | undefined, now: number): void {
    const { ballot, outbox } = this.#server
    assert(request.term === ballot.term, 'a vote is asked for in the current term')
    const granted = leader === undefined && ballot.mayVoteFor(from) && this.#isFit(request)
    if (granted) {
      ballot.vote(from)
      this.#deadline = now + this.#timeoutMs()
    }
    outbox.send(from, { kind: 'vote_response', term: ballot.term, granted }, 'ballot')
  }

  /** The candidate's log holds everything this server may have helped to commit. A damaged server does not know what it did. */
  #isFit(request: PreVoteRequest | VoteRequest): boolean {
    return !this.#server.damage.damaged && this.#server.log.isCoveredBy(request)
  }

  #stand(kind: 'pre_vote' | 'vote', forTerm: Candidacy['term']): Candidacy {
    assert(this.#server.isElectable, 'only a voter stands for election')
    this.#candidacy = new Candidacy(kind, forTerm)
    return this.#candidacy
  }

  #otherVoters(): readonly Member[] {
    return this.#server.configuration.voters.filter(({ node }) => node !== this.#server.self.node)
  }

  #timeoutMs(): number {
    const { electionTimeoutMsMin, electionTimeoutMsMax } = this.#server.settings
    return electionTimeoutMsMin + this.#server.random.float() * (electionTimeoutMsMax - electionTimeoutMsMin)
  }
}
