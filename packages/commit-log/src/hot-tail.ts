// The newest batches of each log, in memory: what followers and tailing consumers want, they get without the disk. All
// logs of a store share one budget; what was appended first, anywhere, goes first.
import { BoundedQueue } from '@atoll/base'
import type { Offset } from '@atoll/records'
import { TAIL_BATCH_BYTES, TAIL_BATCHES_MAX, TAIL_BLOCK_BYTES } from './limits.ts'

interface Batch {
  readonly tail: HotTail
  /** Undefined once it is out of the tail. */
  bytes: Uint8Array | undefined
  readonly baseOffset: Offset
  /** Inclusive. */
  readonly lastOffset: Offset
}

export class TailBudget {
  readonly #bytesMax: number
  readonly #queue = new BoundedQueue<Batch>(TAIL_BATCHES_MAX)
  /** What is left of the block that small batches go to. */
  #room = new Uint8Array(0)
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Bytes of batches in memory, and of what is kept beside each. */
  get bytes(): number {
    return this.#bytes
  }

  /** A copy, next to what came before: the oldest of all logs goes first, so a block goes as a whole. */
  copy(bytes: Uint8Array): Uint8Array {
    const { length } = bytes
    if (length > TAIL_BLOCK_BYTES / 4) return bytes.slice()
    if (length > this.#room.length) this.#room = new Uint8Array(TAIL_BLOCK_BYTES)
    const own = this.#room.subarray(0, length)
    this.#room = this.#room.subarray(length)
    own.set(bytes)
    return own
  }

  admit(batch: Batch, sizeBytes: number): void {
    this.#bytes += sizeBytes + TAIL_BATCH_BYTES
    while (!this.#queue.push(batch)) this.#evict()
    while (this.#bytes > this.#bytesMax && this.#queue.length > 0) this.#evict()
  }

  release(sizeBytes: number): void {
    this.#bytes -= sizeBytes + TAIL_BATCH_BYTES
  }

  #evict(): void {
    const oldest = this.#queue.shift()
    if (oldest?.bytes !== undefined) oldest.tail.dropOldest(oldest)
  }
}

export class HotTail {
  readonly #budget: TailBudget
  #batches: Batch[] = []
  /** Batches before this place are gone; the array is cut now and then. */
  #first = 0

  constructor(budget: TailBudget) {
    this.#budget = budget
  }

  /** Takes a batch that follows the one before; `bytes` is never changed again. */
  push(bytes: Uint8Array, baseOffset: Offset, lastOffset: Offset): void {
    // A small batch must not keep the large buffer alive that it arrived in.
    const own = bytes.byteLength * 2 < bytes.buffer.byteLength ? this.#budget.copy(bytes) : bytes
    const batch: Batch = { tail: this, bytes: own, baseOffset, lastOffset }
    this.#batches.push(batch)
    this.#budget.admit(batch, own.length)
  }

  /**
   * Whole batches from the one that holds `from`, below `end`, up to `bytesMax` but at least one. Undefined when the first
   * of them is not here any more.
   */
  read(from: Offset, end: Offset, bytesMax: number): readonly Uint8Array[] | undefined {
    const oldest = this.#batches[this.#first]
    if (oldest === undefined || oldest.baseOffset > from) return undefined
    const found: Uint8Array[] = []
    let bytes = 0
    for (let place = this.#placeOf(from); place < this.#batches.length; place++) {
      const batch = this.#batches[place] as Batch
      const own = batch.bytes as Uint8Array
      if (batch.lastOffset >= end || (found.length > 0 && bytes + own.length > bytesMax)) break
      found.push(own)
      bytes += own.length
    }
    return found
  }

  /** Forgets batches that reach `end` or beyond. */
  truncate(end: Offset): void {
    for (let newest = this.#batches.at(-1); newest !== undefined && newest.lastOffset >= end; newest = this.#batches.at(-1)) {
      if (this.#batches.length === this.#first) break
      this.#release(newest)
      this.#batches.pop()
    }
    if (this.#first >= this.#batches.length) this.clear()
  }

  clear(): void {
    for (const batch of this.#batches.slice(this.#first)) this.#release(batch)
    this.#batches = []
    this.#first = 0
  }

  dropOldest(batch: Batch): void {
    if (this.#batches[this.#first] !== batch) return
    this.#release(batch)
    this.#first++
    if (this.#first < 1_024 || this.#first * 2 < this.#batches.length) return
    this.#batches = this.#batches.slice(this.#first)
    this.#first = 0
  }

  #release(batch: Batch): void {
    if (batch.bytes === undefined) return
    this.#budget.release(batch.bytes.length)
    batch.bytes = undefined
  }

  /** The first batch whose last offset is `from` or later. */
  #placeOf(from: Offset): number {
    let low = this.#first
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#batches[middle] as Batch).lastOffset < from) low = middle + 1
      else high = middle
    }
    return low
  }
}
