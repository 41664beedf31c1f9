// The two sparse indexes of a segment, in Kafka's form (OffsetIndex.java, TimeIndex.java), held in memory while in use.
// An offset entry is the last offset of a batch, relative to the segment's first, and where the batch begins (two i32);
// a time entry is the latest time so far and the relative offset of the batch that has it (i64, i32). They say where to
// begin looking and nothing else: what they point to is checked, and they can be made again from the segment.
import type { BatchHeader, Offset } from '@atoll/records'

const OFFSET_ENTRY_BYTES = 8
const TIME_ENTRY_BYTES = 12

export class SegmentIndex {
  readonly baseOffset: Offset
  readonly #intervalBytes: number
  readonly #offsets: number[] = []
  readonly #positions: number[] = []
  readonly #times: number[] = []
  readonly #timeOffsets: number[] = []
  #bytesSinceEntry = 0
  #latestMs = -1
  #latestOffset = 0

  constructor(baseOffset: Offset, intervalBytes: number) {
    this.baseOffset = baseOffset
    this.#intervalBytes = intervalBytes
  }

  /** The latest time of all batches; -1 when none has one. */
  get maxTimestampMs(): number {
    return this.#latestMs
  }

  /** Takes in the batch that is appended at `position`. */
  add(header: BatchHeader, position: number): void {
    const relative = header.lastOffset - this.baseOffset
    if (header.maxTimestampMs > this.#latestMs) {
      this.#latestMs = header.maxTimestampMs
      this.#latestOffset = relative
    }
    if (this.#bytesSinceEntry > this.#intervalBytes) {
      this.#offsets.push(relative)
      this.#positions.push(position)
      this.addTimeEntry()
      this.#bytesSinceEntry = 0
    }
    this.#bytesSinceEntry += header.sizeBytes
  }

  /** Makes the latest time so far an entry; also when the segment is closed, so that its last entry is its latest time. */
  addTimeEntry(): void {
    if (this.#latestMs <= (this.#times.at(-1) ?? -1)) return
    this.#times.push(this.#latestMs)
    this.#timeOffsets.push(this.#latestOffset)
  }

  /** Where to begin looking for the batch that holds `offset`. */
  positionOf(offset: Offset): number {
    const found = lastUpTo(this.#offsets, offset - this.baseOffset)
    return this.#positions[found] ?? 0
  }

  /** No batch before this offset has a time of `timestampMs` or later. */
  offsetBefore(timestampMs: number): Offset {
    // The entry before the first that is late enough: the batch lies after it.
    const found = lastUpTo(this.#times, timestampMs - 1)
    return (this.baseOffset + (this.#timeOffsets[found] ?? 0)) as Offset
  }

  /** As `<base>.index` holds it. */
  offsetBytes(): Uint8Array {
    const bytes = new Uint8Array(this.#offsets.length * OFFSET_ENTRY_BYTES)
    const fields = new DataView(bytes.buffer)
    for (const [index, relative] of this.#offsets.entries()) {
      fields.setInt32(index * OFFSET_ENTRY_BYTES, relative)
      fields.setInt32(index * OFFSET_ENTRY_BYTES + 4, this.#positions[index] as number)
    }
    return bytes
  }

  /** As `<base>.timeindex` holds it. */
  timeBytes(): Uint8Array {
    const bytes = new Uint8Array(this.#times.length * TIME_ENTRY_BYTES)
    const fields = new DataView(bytes.buffer)
    for (const [index, timestampMs] of this.#times.entries()) {
      fields.setBigInt64(index * TIME_ENTRY_BYTES, BigInt(timestampMs))
      fields.setInt32(index * TIME_ENTRY_BYTES + 8, this.#timeOffsets[index] as number)
    }
    return bytes
  }

  /** The index of a closed segment of `segmentBytes` as its files hold it; undefined when they cannot be right. */
  static read(
    baseOffset: Offset,
    intervalBytes: number,
    offsetBytes: Uint8Array,
    timeBytes: Uint8Array,
    segmentBytes: number,
  ): SegmentIndex | undefined {
    const index = new SegmentIndex(baseOffset, intervalBytes)
    return index.#readOffsets(offsetBytes, segmentBytes) && index.#readTimes(timeBytes) ? index : undefined
  }

  #readOffsets(bytes: Uint8Array, segmentBytes: number): boolean {
    if (bytes.length % OFFSET_ENTRY_BYTES !== 0) return false
    const fields = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at < bytes.length; at += OFFSET_ENTRY_BYTES) {
      const relative = fields.getInt32(at)
      const position = fields.getInt32(at + 4)
      if (relative <= (this.#offsets.at(-1) ?? -1) || position <= (this.#positions.at(-1) ?? 0) || position >= segmentBytes) return false
      this.#offsets.push(relative)
      this.#positions.push(position)
    }
    return true
  }

  #readTimes(bytes: Uint8Array): boolean {
    if (bytes.length % TIME_ENTRY_BYTES !== 0) return false
    const fields = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at < bytes.length; at += TIME_ENTRY_BYTES) {
      const timestampMs = Number(fields.getBigInt64(at))
      const relative = fields.getInt32(at + 8)
      if (!Number.isSafeInteger(timestampMs) || timestampMs <= this.#latestMs || relative < (this.#timeOffsets.at(-1) ?? 0)) return false
      this.#times.push(timestampMs)
      this.#timeOffsets.push(relative)
      this.#latestMs = timestampMs
      this.#latestOffset = relative
    }
    return true
  }
}

/** The place of the last of ascending `values` that is at most `bound`; -1 when none is. */
function lastUpTo(values: readonly number[], bound: number): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((values[middle] as number) <= bound) low = middle + 1
    else high = middle
  }
  return low - 1
}
