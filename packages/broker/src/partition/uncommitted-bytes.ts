// How many bytes a step of the high watermark sets free, for fetches that wait for a number of them.
import { BoundedQueue } from '@atoll/base'
import type { Offset } from '@atoll/records'
import { PRODUCES_WAITING_MAX } from './limits.ts'

export class UncommittedBytes {
  readonly #batches = new BoundedQueue<{ readonly end: Offset; readonly sizeBytes: number }>(PRODUCES_WAITING_MAX)
  /** Of batches that found no place above, which count together with the next that does. */
  #carried = 0
  #end: Offset

  constructor(logEnd: Offset) {
    this.#end = logEnd
  }

  appended(end: Offset, sizeBytes: number): void {
    this.#end = end
    this.#carried += sizeBytes
    if (this.#batches.push({ end, sizeBytes: this.#carried })) this.#carried = 0
  }

  /** Bytes of the batches that end at `committed` or before, each told once. */
  committedTo(committed: Offset): number {
    let bytes = 0
    for (let oldest = this.#batches.peek(); oldest !== undefined && oldest.end <= committed; oldest = this.#batches.peek()) {
      bytes += oldest.sizeBytes
      this.#batches.shift()
    }
    if (committed >= this.#end) {
      bytes += this.#carried
      this.#carried = 0
    }
    return bytes
  }
}
