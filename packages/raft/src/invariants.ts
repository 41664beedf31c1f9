// What holds after every step of one server, whatever its peers, its disk and its clock do. A violation is a bug of
// ours and stops the process: going on could cost what others rely on. What needs more than one server to see (election
// safety, log matching, state machine safety) is checked by the simulation.
import { assert } from '@atoll/base'
import type { Leadership } from './leadership.ts'
import type { Server } from './server.ts'

export class StepInvariants {
  readonly #server: Server
  #term: number
  #commit: number
  #applied: number
  /** The end of the log of the leadership seen last. */
  #led: { readonly leadership: Leadership; readonly lastIndex: number } | undefined

  constructor(server: Server) {
    this.#server = server
    this.#term = server.term
    this.#commit = server.commit
    this.#applied = server.applied
  }

  check(leadership: Leadership | undefined): void {
    const { term, commit, applied, log } = this.#server
    assert(term >= this.#term, 'the term never goes back')
    assert(commit >= this.#commit, 'the commit index never goes back')
    assert(applied >= this.#applied, 'the applied index never goes back')
    assert(applied <= commit && commit <= log.lastIndex, 'applied <= commit <= end of the log')
    assert(log.end.lastTerm <= term, 'no entry is of a later term than its server')
    this.#term = term
    this.#commit = commit
    this.#applied = applied
    if (leadership === undefined) return
    this.#checkLeader(leadership)
  }

  #checkLeader(leadership: Leadership): void {
    const { term, log, self, settings } = this.#server
    assert(leadership.term === term, 'a leader leads its own term')
    assert(this.#server.ballot.votedFor?.node === self.node, 'a leader voted for itself')
    assert(log.end.lastTerm === term, "a leader's last entry is its own")
    const before = this.#led?.leadership === leadership ? this.#led.lastIndex : 0
    assert(log.lastIndex >= before, 'a leader only appends')
    this.#led = { leadership, lastIndex: log.lastIndex }
    for (const peer of leadership.replication.peers.values()) {
      assert(peer.match < peer.nextIndex && peer.nextIndex <= log.lastIndex + 1, 'match < next <= end of the log')
      assert(peer.inflight.messages <= settings.inflightMessagesMax, 'messages in flight are bounded')
    }
  }
}
