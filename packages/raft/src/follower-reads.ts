// Linearizable reads at a follower: it asks its leader for a read index and serves the read itself, once it has applied
// that far. Each try has a number of its own, from a random start, so that no answer to an earlier try, or to an
// earlier life of this process, can be taken for the answer to this one.
import type { NodeId } from '@atoll/base'
import { READS_PENDING_MAX } from './limits.ts'
import type { ReadResponse } from './messages.ts'
import type { Server } from './server.ts'
import type { Member } from './terms.ts'

interface Asked {
  readonly readId: number
  readonly deadlineMs: number
}

type Failure = 'no_leader' | 'leader_changed' | 'timed_out' | 'busy'

export class FollowerReads {
  readonly #server: Server
  readonly #asked = new Map<number, Asked>()
  #lastRequestId: number

  constructor(server: Server) {
    this.#server = server
    this.#lastRequestId = server.random.u32()
  }

  get nextDeadlineMs(): number {
    // All have the same patience, so the first asked is the first to expire.
    for (const { deadlineMs } of this.#asked.values()) return deadlineMs
    return Number.POSITIVE_INFINITY
  }

  ask(readId: number, leader: Member | undefined, now: number): void {
    const { outbox, settings, term } = this.#server
    if (leader === undefined) return this.#fail(readId, 'no_leader', undefined)
    if (this.#asked.size >= READS_PENDING_MAX) return this.#fail(readId, 'busy', leader.node)
    this.#lastRequestId++
    this.#asked.set(this.#lastRequestId, { readId, deadlineMs: now + settings.readTimeoutMs })
    outbox.send(leader, { kind: 'read_request', term, requestId: this.#lastRequestId }, 'ballot')
  }

  answered({ requestId, index }: ReadResponse): void {
    const asked = this.#asked.get(requestId)
    if (asked === undefined) return
    this.#asked.delete(requestId)
    this.#server.outbox.answer({ kind: 'read_ready', readId: asked.readId, index })
  }

  expire(leader: Member | undefined, now: number): void {
    for (const [requestId, { readId, deadlineMs }] of this.#asked) {
      if (deadlineMs > now) return
      this.#asked.delete(requestId)
      this.#fail(readId, 'timed_out', leader?.node)
    }
  }

  /** Whoever was asked leads no longer. */
  abandon(leader: Member | undefined): void {
    for (const { readId } of this.#asked.values()) this.#fail(readId, 'leader_changed', leader?.node)
    this.#asked.clear()
  }

  #fail(readId: number, reason: Failure, leader: NodeId | undefined): void {
    this.#server.outbox.answer({ kind: 'read_failed', readId, reason, leader })
  }
}
