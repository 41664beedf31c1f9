// Where a consumer stands in one partition: what it has fetched and not handed over, where it fetches next, and in which epoch
// what it read was written, so that it notices when that is not there any more (KIP-320).
import { type BatchHeader, type Crc32c, checkBatch, type Decompress, decodeRecords, type LogRecord, RecordsError } from '@atoll/records'
import { AtollError } from '../atoll-error.ts'

interface Fetched {
  readonly bytes: Uint8Array
  readonly header: BatchHeader
}

/** Where to begin: an offset, an end of the log, or the first record of a time. */
export type Start = number | 'earliest' | 'latest' | { readonly timestamp: number }

export class PartitionReader {
  readonly topic: string
  readonly partition: number
  /** Where to begin, until that is an offset. */
  start: Start | undefined
  /** The next offset to be handed over. */
  position = 0
  /** The next offset to be fetched. */
  fetchAt = 0
  /** The first offset that is not wanted any more; undefined: there is none. */
  end: number | undefined
  /** As the leader last said; undefined before it did. */
  highWatermark: number | undefined
  /** Something is asked for it. */
  busy = false
  paused = false
  /** Changes with every seek: what was asked for before is of no use. */
  era = 0
  failures = 0
  notBeforeMs = 0
  /** Since when nothing could be read although it was tried. */
  failingSinceMs: number | undefined
  trouble: Error | undefined
  /** The epoch in which the last batch that was fetched was written. */
  lastEpoch: number | undefined
  /** The leader epoch in which it was last found that the logs agree. */
  agreedEpoch: number | undefined
  #buffered: Fetched[] = []
  #bufferedBytes = 0

  constructor(topic: string, partition: number, start: Start) {
    this.topic = topic
    this.partition = partition
    this.start = start
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  get isAtEnd(): boolean {
    return this.start === undefined && this.end !== undefined && this.position >= this.end
  }

  /** Records that are committed and not handed over; undefined before the leader was heard. */
  get lag(): number | undefined {
    return this.highWatermark === undefined ? undefined : Math.max(0, this.highWatermark - this.position)
  }

  /** Goes on from there; what was fetched is dropped. */
  seek(start: Start): void {
    this.start = typeof start === 'number' ? undefined : start
    this.era++
    this.#buffered = []
    this.#bufferedBytes = 0
    this.notBeforeMs = 0
    if (typeof start === 'number') {
      this.position = start
      this.fetchAt = start
    }
    this.lastEpoch = undefined
  }

  /** Takes whole batches, of which each has a good checksum. Throws an AtollError `invalid_record`. */
  take(bytes: Uint8Array, crc32c: Crc32c): void {
    for (let at = 0; at < bytes.length; ) {
      const header = this.#guarded(() => checkBatch(bytes, at, crc32c))
      const batch = bytes.subarray(at, at + header.sizeBytes)
      at += header.sizeBytes
      if (header.lastOffset < this.fetchAt) continue
      this.fetchAt = header.lastOffset + 1
      this.lastEpoch = header.leaderEpoch
      this.#buffered.push({ bytes: batch, header })
      this.#bufferedBytes += batch.length
    }
  }

  /** The records of the next batch that are wanted; undefined when nothing is there. Throws an AtollError `invalid_record`. */
  shift(decompress: Decompress): readonly LogRecord[] | undefined {
    const fetched = this.#buffered.shift()
    if (fetched === undefined) return undefined
    const { bytes, header } = fetched
    this.#bufferedBytes -= bytes.length
    const records = header.control ? [] : this.#guarded(() => decodeRecords(bytes, { decompress }))
    const wanted = records.filter(({ offset }) => offset >= this.position)
    // Of a batch that was compacted nothing may be left.
    if (wanted.length === 0) this.position = Math.max(this.position, header.lastOffset + 1)
    return wanted
  }

  /** A record was handed over; after the last one of its batch nothing else of that batch comes. */
  handed(offset: number): void {
    this.position = offset + 1
  }

  #guarded<T>(act: () => T): T {
    try {
      return act()
    } catch (error) {
      if (!(error instanceof RecordsError)) throw error
      const code = error.code === 'unsupported_compression' ? 'unsupported_compression' : 'invalid_record'
      throw new AtollError(code, `log_fetch: ${this.topic}/${this.partition} at ${this.position}: ${error.message}`, {
        operation: 'log_fetch',
        outcome: 'definite',
        cause: error,
      })
    }
  }
}
