// One segment of a log: a file of batches in Kafka's form, named after the first offset it may hold, and its two indexes.
// Only the last segment of a log is written; the others are closed and have their indexes on disk.
import type { BatchHeader, Offset } from '@atoll/records'
import type { SegmentIndex } from './segment-index.ts'

/** Kafka's names: twenty digits and what it is. */
export const suffixes = { log: '.log', index: '.index', timeIndex: '.timeindex' } as const
const NAME = /^(\d{20})\.log$/

export class Segment {
  readonly baseOffset: Offset
  /** Bytes of whole batches; the file may be longer where an append failed. */
  sizeBytes: number
  /** Undefined: on disk only. */
  index: SegmentIndex | undefined
  readonly #directory: string

  constructor(directory: string, baseOffset: Offset, sizeBytes: number, index: SegmentIndex | undefined) {
    this.#directory = directory
    this.baseOffset = baseOffset
    this.sizeBytes = sizeBytes
    this.index = index
  }

  get path(): string {
    return this.#named(suffixes.log)
  }

  get indexPath(): string {
    return this.#named(suffixes.index)
  }

  get timeIndexPath(): string {
    return this.#named(suffixes.timeIndex)
  }

  /** A batch was written at the end. */
  extend(header: BatchHeader, index: SegmentIndex): void {
    index.add(header, this.sizeBytes)
    this.sizeBytes += header.sizeBytes
  }

  #named(suffix: string): string {
    return `${this.#directory}/${segmentName(this.baseOffset)}${suffix}`
  }
}

export function segmentName(baseOffset: Offset): string {
  return String(baseOffset).padStart(20, '0')
}

/** The base offset of the segment in the file called `name`; undefined when that is no segment. */
export function baseOffsetOf(name: string): Offset | undefined {
  const digits = NAME.exec(name)?.[1]
  const base = Number(digits)
  return digits !== undefined && Number.isSafeInteger(base) ? (base as Offset) : undefined
}

/** The segment that holds `offset`, or would: the last one that begins at or before it. -1: it lies before all of them. */
export function segmentAt(segments: readonly Segment[], offset: Offset): number {
  let low = 0
  let high = segments.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((segments[middle] as Segment).baseOffset <= offset) low = middle + 1
    else high = middle
  }
  return low - 1
}
