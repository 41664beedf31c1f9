// Which leadership wrote which part of a log (KIP-101, KIP-279; Kafka's LeaderEpochFileCache). For each epoch the offset
// it began at; it ends where the next one begins. A follower finds with it where its log and the leader's part.
import { assert } from '@atoll/base'
import type { LeaderEpoch, Offset } from '@atoll/records'

export interface EpochStart {
  readonly epoch: LeaderEpoch
  /** Inclusive: the log's end when the epoch began. */
  readonly start: Offset
}

export interface EpochEnd {
  readonly epoch: LeaderEpoch
  /** Exclusive. */
  readonly end: Offset
}

export class LeaderEpochs {
  #starts: EpochStart[]

  constructor(starts: readonly EpochStart[] = []) {
    this.#starts = [...starts]
    for (const [index, next] of this.#starts.entries()) {
      const before = this.#starts[index - 1]
      assert(before === undefined || (before.epoch < next.epoch && before.start <= next.start), 'epochs and their starts ascend')
    }
  }

  get starts(): readonly EpochStart[] {
    return this.#starts
  }

  /** Puts back what was there before. */
  replace(starts: readonly EpochStart[]): void {
    this.#starts = [...starts]
  }

  get last(): EpochStart | undefined {
    return this.#starts.at(-1)
  }

  /** Notes that `epoch` begins at `start`, the log's end. False when that is known already. */
  assign(epoch: LeaderEpoch, start: Offset): boolean {
    const { last } = this
    if (last?.epoch === epoch) return false
    assert(last === undefined || (epoch > last.epoch && start >= last.start), 'a later epoch begins later')
    // An epoch in which nothing was written says nothing about the log once a later one begins at the same place.
    this.#starts = [...this.#starts.filter(known => known.start < start), { epoch, start }]
    return true
  }

  /** The epoch in which the record at `at` was written. */
  epochAt(at: Offset): LeaderEpoch | undefined {
    let low = 0
    let high = this.#starts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#starts[middle] as EpochStart).start <= at) low = middle + 1
      else high = middle
    }
    return this.#starts[low - 1]?.epoch
  }

  /** Where the largest epoch up to `epoch` ended in a log that ends at `logEnd`; undefined when all known ones are later. */
  endOf(epoch: LeaderEpoch, logEnd: Offset): EpochEnd | undefined {
    const index = this.#starts.findLastIndex(known => known.epoch <= epoch)
    const found = this.#starts[index]
    return found && { epoch: found.epoch, end: this.#starts[index + 1]?.start ?? logEnd }
  }

  /** Forgets what began at `end` or later. True when that changed something. */
  truncateFrom(end: Offset): boolean {
    const kept = this.#starts.filter(({ start }) => start < end)
    const changed = kept.length < this.#starts.length
    this.#starts = kept
    return changed
  }

  /** Forgets what ended before `logStart`, so that the oldest one known begins there. */
  trimTo(logStart: Offset): boolean {
    const index = this.#starts.findLastIndex(({ start }) => start <= logStart)
    const first = this.#starts[index]
    if (first === undefined || (index === 0 && first.start === logStart)) return false
    this.#starts = [{ epoch: first.epoch, start: logStart }, ...this.#starts.slice(index + 1)]
    return true
  }
}
