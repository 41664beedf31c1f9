// Linearizable reads without writing to the log (dissertation 6.4). A read may be served at the leader's commit index
// once the leader has proved that it still led after the read arrived: a majority answered a round of heartbeats that
// began later. Rounds are never reused, not even for a read that is tried again (etcd issue 20418), and no lease is
// trusted: a process can be stopped between checking a clock and answering.
import { assert, type NodeId } from '@atoll/base'
import { type Configuration, majority } from './configuration.ts'
import { READS_PENDING_MAX } from './limits.ts'
import type { LogIndex, Member } from './terms.ts'

/** A read of this server's own client, or one that a follower asked for. */
export type Read = { readonly readId: number; readonly deadlineMs: number } & (
  | { readonly origin: 'own' }
  | { readonly origin: 'follower'; readonly member: Member }
)

interface Round {
  readonly round: number
  /** The commit index when the round began. */
  readonly index: LogIndex
  readonly reads: readonly Read[]
}

export class ReadIndex {
  /** Arrived since the last round began. */
  #waiting: Read[] = []
  #asked: Round[] = []
  readonly #answers = new Map<NodeId, number>()
  #round = 0

  get length(): number {
    return this.#waiting.length + this.#asked.reduce((sum, { reads }) => sum + reads.length, 0)
  }

  /** Reads wait for a round, and none is under way that would soon be followed by another. */
  get wantsRound(): boolean {
    return this.#waiting.length > 0 && this.#asked.length === 0
  }

  /** Returns false when there are too many. */
  ask(read: Read): boolean {
    if (this.length >= READS_PENDING_MAX) return false
    this.#waiting.push(read)
    return true
  }

  /**
   * Begins a round, to be asked with the next heartbeats. `readable` is the commit index, or undefined while nothing
   * of this leader's term is committed: until then it may not know how far its predecessors had committed.
   */
  begin(readable: LogIndex | undefined): number {
    this.#round++
    if (readable !== undefined && this.#waiting.length > 0) {
      this.#asked.push({ round: this.#round, index: readable, reads: this.#waiting })
      this.#waiting = []
    }
    return this.#round
  }

  answered(by: NodeId, round: number): void {
    assert(round <= this.#round, 'nobody answers a round that has not begun')
    this.#answers.set(by, Math.max(round, this.#answers.get(by) ?? 0))
  }

  /** The rounds that a majority has answered, itself or a later one. */
  takeConfirmed(configuration: Configuration, self: NodeId): readonly Round[] {
    const confirmed = this.#asked.filter(({ round }) =>
      majority(configuration, node => node === self || (this.#answers.get(node) ?? 0) >= round),
    )
    if (confirmed.length > 0) this.#asked = this.#asked.filter(asked => !confirmed.includes(asked))
    return confirmed
  }

  /** Reads whose time is over. */
  takeExpired(now: number): readonly Read[] {
    const isOver = ({ deadlineMs }: Read) => deadlineMs <= now
    const expired = [...this.#waiting, ...this.#asked.flatMap(({ reads }) => reads)].filter(isOver)
    if (expired.length === 0) return expired
    this.#waiting = this.#waiting.filter(read => !isOver(read))
    this.#asked = this.#asked.map(asked => ({ ...asked, reads: asked.reads.filter(read => !isOver(read)) }))
    this.#asked = this.#asked.filter(({ reads }) => reads.length > 0)
    return expired
  }

  /** Everything that is open, when the leadership ends. */
  takeAll(): readonly Read[] {
    const all = [...this.#asked.flatMap(({ reads }) => reads), ...this.#waiting]
    this.#waiting = []
    this.#asked = []
    return all
  }
}
