// Where every batch of the stored log lies, oldest first, and the newest of them themselves: Raft asks for the first at
// any time and gets it from memory. Snapshots bound how many there are.
import { assert } from '@atoll/base'
import type { Batch, Extent, LogIndex } from '@atoll/raft'

interface Place extends Extent {
  /** Undefined once it is too old to be kept. */
  batch: Batch | undefined
}

export class BatchIndex {
  readonly #hotBytesMax: number
  #places: Place[] = []
  /** The first place whose batch is kept. */
  #hotFrom = 0
  #hotBytes = 0

  constructor(hotBytesMax: number) {
    this.#hotBytesMax = hotBytesMax
  }

  get last(): Extent | undefined {
    return this.#places.at(-1)
  }

  push(batch: Batch): void {
    const { last } = this
    assert(last === undefined || batch.firstIndex === last.lastIndex + 1, 'the stored log has no gap')
    const { term, firstIndex, lastIndex } = batch
    this.#places.push({ term, firstIndex, lastIndex, batch })
    this.#hotBytes += batch.sizeBytes
    while (this.#hotBytes > this.#hotBytesMax && this.#hotFrom < this.#places.length - 1) this.#cool()
  }

  /** Forgets every batch from the one that holds `index` on. */
  truncateFrom(index: number): void {
    for (let place = this.#places.at(-1); place !== undefined && place.lastIndex >= index; place = this.#places.at(-1)) {
      this.#hotBytes -= place.batch?.sizeBytes ?? 0
      this.#places.pop()
    }
    this.#hotFrom = Math.min(this.#hotFrom, this.#places.length)
  }

  /** Forgets the batches that end before `index`. */
  dropBefore(index: number): void {
    const kept = this.#places.findIndex(({ lastIndex }) => lastIndex >= index)
    const dropped = this.#places.splice(0, kept === -1 ? this.#places.length : kept)
    for (const { batch } of dropped) this.#hotBytes -= batch?.sizeBytes ?? 0
    this.#hotFrom = Math.max(0, this.#hotFrom - dropped.length)
  }

  extentAt(index: LogIndex): Extent | undefined {
    return this.#places[this.#placeOf(index)]
  }

  /** Kept batches from the one that holds `index`; undefined when that is not kept any more, none when there is none. */
  hotFrom(index: LogIndex, bytesMax: number): Batch[] | undefined {
    const first = this.#placeOf(index)
    if (first === -1) return []
    if (first < this.#hotFrom) return undefined
    const found: Batch[] = []
    let bytes = 0
    for (let at = first; at < this.#places.length; at++) {
      const { batch } = this.#places[at] as Place
      if (batch === undefined) break
      bytes += batch.sizeBytes
      if (found.length > 0 && bytes > bytesMax) break
      found.push(batch)
    }
    return found
  }

  #cool(): void {
    const place = this.#places[this.#hotFrom++] as Place
    this.#hotBytes -= place.batch?.sizeBytes ?? 0
    place.batch = undefined
  }

  /** -1 when no batch holds `index`. */
  #placeOf(index: number): number {
    let low = 0
    let high = this.#places.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const place = this.#places[middle] as Place
      if (index < place.firstIndex) high = middle - 1
      else if (index > place.lastIndex) low = middle + 1
      else return middle
    }
    return -1
  }
}
