// The indexes of closed segments that are in memory: those used last, over all logs of a store.
import { assert } from '@atoll/base'
import type { Segment } from './segment.ts'
import type { SegmentIndex } from './segment-index.ts'

export class LoadedIndexes {
  readonly #countMax: number
  /** In order of use, the latest last; true: made from the segment itself in this process. */
  readonly #segments = new Map<Segment, boolean>()

  constructor(countMax: number) {
    assert(countMax >= 1, 'an index can be in memory')
    this.#countMax = countMax
  }

  /** Keeps an index that was made from the segment. */
  use(segment: Segment, index: SegmentIndex): void {
    this.#keep(segment, index, true)
  }

  /** Keeps an index that its files gave. */
  loaded(segment: Segment, index: SegmentIndex): void {
    this.#keep(segment, index, false)
  }

  /** True unless the index came from its files, which nobody vouches for. An active segment's index never did. */
  madeHere(segment: Segment): boolean {
    return this.#segments.get(segment) ?? true
  }

  forget(segment: Segment): void {
    this.#segments.delete(segment)
  }

  #keep(segment: Segment, index: SegmentIndex, made: boolean): void {
    segment.index = index
    this.#segments.delete(segment)
    this.#segments.set(segment, made)
    for (const oldest of this.#segments.keys()) {
      if (this.#segments.size <= this.#countMax) return
      oldest.index = undefined
      this.#segments.delete(oldest)
    }
  }
}
