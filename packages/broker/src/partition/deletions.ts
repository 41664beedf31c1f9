// Deletions of old records that wait until no live replica has them any more (KIP-107). Few at a time, so they are gone
// through one by one.
import type { Offset } from '@atoll/records'
import { DELETES_WAITING_MAX } from './limits.ts'
import type { Outbox } from './outbox.ts'

interface Deletion {
  readonly requestId: number
  readonly to: Offset
  readonly deadlineMs: number
}

export class Deletions {
  #waiting: Deletion[] = []

  get full(): boolean {
    return this.#waiting.length >= DELETES_WAITING_MAX
  }

  get nextDeadlineMs(): number {
    return this.#waiting.reduce((least, { deadlineMs }) => Math.min(least, deadlineMs), Number.POSITIVE_INFINITY)
  }

  add(deletion: Deletion): void {
    this.#waiting.push(deletion)
  }

  reached(lowWatermark: Offset, outbox: Outbox): void {
    this.#leave(
      ({ to }) => to <= lowWatermark,
      ({ requestId }) => outbox.answer({ kind: 'deleted', requestId, lowWatermark }),
    )
  }

  expire(now: number, outbox: Outbox): void {
    this.#leave(
      ({ deadlineMs }) => deadlineMs <= now,
      ({ requestId }) => outbox.answer({ kind: 'delete_refused', requestId, reason: 'request_timed_out' }),
    )
  }

  /** The leadership ended. */
  abandon(outbox: Outbox): void {
    this.#leave(
      () => true,
      ({ requestId }) => outbox.answer({ kind: 'delete_refused', requestId, reason: 'not_leader' }),
    )
  }

  #leave(leaves: (deletion: Deletion) => boolean, tell: (deletion: Deletion) => void): void {
    if (this.#waiting.length === 0) return
    const left = this.#waiting.filter(leaves)
    if (left.length === 0) return
    this.#waiting = this.#waiting.filter(deletion => !leaves(deletion))
    left.forEach(tell)
  }
}
