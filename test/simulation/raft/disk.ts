// A server's disk: what is durable, and a queue of writes that become so in order, each in its own time. A crash keeps
// a prefix of the queue, the last of it torn on the edge of a batch, as a log with checksums recovers it.

import type { Random } from '@atoll/base'
import type { Batch, ConfigurationAt, Extent, HardState, LogIndex, RaftLog, Snapshot, StoreRequest } from '@atoll/raft'

export interface StoredSnapshot {
  readonly meta: Snapshot
  readonly bytes: Uint8Array
}

interface Write {
  readonly request: StoreRequest
  readonly bytes: Uint8Array | undefined
}

export class SimulatedDisk implements RaftLog {
  hardState: HardState
  /** The highest last index that was ever recorded as durable. */
  recordedEnd: LogIndex
  #batches: Batch[] = []
  #snapshot: StoredSnapshot
  #queue: Write[] = []
  /** Chunks that came, not yet installed. */
  #arriving: { readonly index: number; bytes: Uint8Array } | undefined
  /** Snapshots replaced by a newer one, as long as they may still be being sent. */
  readonly #older = new Map<number, StoredSnapshot>()

  constructor(founding: Snapshot, hardState: HardState) {
    this.#snapshot = { meta: founding, bytes: new Uint8Array() }
    this.hardState = hardState
    this.recordedEnd = founding.index
  }

  get snapshot(): Snapshot {
    return this.#snapshot.meta
  }

  get stored(): StoredSnapshot {
    return this.#snapshot
  }

  get lastIndex(): LogIndex {
    return this.#batches.at(-1)?.lastIndex ?? this.#snapshot.meta.index
  }

  get queueLength(): number {
    return this.#queue.length
  }

  get batches(): readonly Batch[] {
    return this.#batches
  }

  extentAt(index: LogIndex): Extent | undefined {
    return this.#batches[this.#placeOf(index)]
  }

  termAt(index: LogIndex): number | undefined {
    if (index === this.snapshot.index) return this.snapshot.term
    return this.extentAt(index)?.term
  }

  batchesFrom(index: LogIndex, bytesMax: number): readonly Batch[] {
    const chosen: Batch[] = []
    let bytes = 0
    for (let place = this.#placeOf(index); place >= 0 && place < this.#batches.length; place++) {
      const batch = this.#batches[place] as Batch
      bytes += batch.sizeBytes
      if (chosen.length > 0 && bytes > bytesMax) break
      chosen.push(batch)
    }
    return chosen
  }

  configurations(): ConfigurationAt[] {
    return this.#batches.flatMap(({ entries }) =>
      entries.flatMap(({ index, payload }) => (payload.kind === 'configuration' ? [{ index, configuration: payload.configuration }] : [])),
    )
  }

  /** Queues a write. Arrived chunks belong to it when it installs them. */
  write(request: StoreRequest): void {
    let bytes: Uint8Array | undefined
    if (request.install !== undefined) {
      if (this.#arriving?.index !== request.install.index) throw new Error('installs a snapshot that never arrived')
      bytes = this.#arriving.bytes
      this.#arriving = undefined
    }
    this.#queue.push({ request, bytes })
  }

  /** The oldest write reaches the disk. */
  completeOldest(): StoreRequest {
    const write = this.#queue.shift()
    if (write === undefined) throw new Error('nothing is being written')
    this.#perform(write, write.request.batches.length)
    return write.request
  }

  /** Power goes: some of the queue made it, perhaps a part of one more. */
  crash(random: Random, keeps: number): void {
    const kept = Math.round(this.#queue.length * keeps)
    for (const write of this.#queue.slice(0, kept)) this.#perform(write, write.request.batches.length)
    const torn = this.#queue[kept]
    // A snapshot is installed as a whole or not at all.
    if (torn !== undefined && torn.request.install === undefined && random.float() < 0.5) {
      this.#perform(torn, random.below(torn.request.batches.length + 1))
    }
    this.#queue = []
    this.#arriving = undefined
  }

  keepChunk(index: number, offset: number, data: Uint8Array): void {
    if (offset === 0) this.#arriving = { index, bytes: new Uint8Array() }
    if (this.#arriving?.index !== index || this.#arriving.bytes.length !== offset) throw new Error('keeps a chunk out of order')
    const bytes = new Uint8Array(offset + data.length)
    bytes.set(this.#arriving.bytes)
    bytes.set(data, offset)
    this.#arriving.bytes = bytes
  }

  /** A snapshot of the own state machine, and the log before it discarded but for what ends after `keepFrom`. */
  takeSnapshot(snapshot: StoredSnapshot, keepFrom: number): void {
    this.#replaceSnapshot(snapshot)
    this.#batches = this.#batches.filter(batch => batch.lastIndex > Math.min(snapshot.meta.index, keepFrom))
  }

  snapshotBytes(index: number): Uint8Array | undefined {
    return index === this.snapshot.index ? this.#snapshot.bytes : this.#older.get(index)?.bytes
  }

  forgetOlderSnapshots(): void {
    this.#older.clear()
  }

  /** Bits rot: the log ends before `index` now. What was recorded as its end stays known. */
  damage(from: number): void {
    this.#batches = this.#batches.filter(batch => batch.lastIndex < from)
  }

  #replaceSnapshot(snapshot: StoredSnapshot): void {
    this.#older.set(this.snapshot.index, this.#snapshot)
    this.#snapshot = snapshot
  }

  #perform({ request, bytes }: Write, batches: number): void {
    if (request.hardState !== undefined) this.hardState = request.hardState
    if (request.install !== undefined) {
      this.#replaceSnapshot({ meta: request.install, bytes: bytes ?? new Uint8Array() })
      this.#batches = []
    }
    for (const batch of request.batches.slice(0, batches)) {
      while ((this.#batches.at(-1)?.lastIndex ?? 0) >= batch.firstIndex) this.#batches.pop()
      if (batch.firstIndex !== this.lastIndex + 1) throw new Error(`the log has a gap before ${batch.firstIndex}`)
      this.#batches.push(batch)
    }
    this.recordedEnd = this.lastIndex
  }

  #placeOf(index: number): number {
    let low = 0
    let high = this.#batches.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const batch = this.#batches[middle] as Batch
      if (index < batch.firstIndex) high = middle - 1
      else if (index > batch.lastIndex) low = middle + 1
      else return middle
    }
    return -1
  }
}
