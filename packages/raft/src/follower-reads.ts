// Linearizable reads at a follower: it asks its leader for a read index and serves the read itself, once it has applied
// that far. Each try has a number of its own, from a random start, so that no answer to an earlier try, or to an
// earlier life of this process, can be taken for the answer to this one.
import type { Random } from '@atoll/base'
import { READS_PENDING_MAX } from './limits.ts'

interface Asked {
  readonly readId: number
  readonly deadlineMs: number
}

export class FollowerReads {
  readonly #asked = new Map<number, Asked>()
  #lastRequestId: number

  constructor(random: Random) {
    this.#lastRequestId = random.u32()
  }

  /** The number to ask with; undefined when too many reads are open. */
  ask(read: Asked): number | undefined {
    if (this.#asked.size >= READS_PENDING_MAX) return undefined
    this.#lastRequestId++
    this.#asked.set(this.#lastRequestId, read)
    return this.#lastRequestId
  }

  /** The read that was asked for so; undefined when it is over. */
  take(requestId: number): number | undefined {
    const asked = this.#asked.get(requestId)
    this.#asked.delete(requestId)
    return asked?.readId
  }

  takeExpired(now: number): number[] {
    return this.#takeWhere(({ deadlineMs }) => deadlineMs <= now)
  }

  takeAll(): number[] {
    return this.#takeWhere(() => true)
  }

  get nextDeadlineMs(): number {
    // All have the same patience, so the first asked is the first to expire.
    for (const { deadlineMs } of this.#asked.values()) return deadlineMs
    return Number.POSITIVE_INFINITY
  }

  #takeWhere(chosen: (asked: Asked) => boolean): number[] {
    const taken = [...this.#asked].filter(([, asked]) => chosen(asked))
    for (const [requestId] of taken) this.#asked.delete(requestId)
    return taken.map(([, { readId }]) => readId)
  }
}
