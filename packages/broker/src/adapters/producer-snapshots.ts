// What is known of a partition's producers at some offset, in a file, so that a start need not read the whole log again.
// Derived from the log, and so never more than a shortcut: one that is damaged, or belongs to a log that was cut or written
// anew since, is passed over. Two are kept, since the newer one may lie above where the log is cut next.
//   body: end i64, epoch i32 of the record before it (-1 none), count u32, then per producer id i64, epoch i16, batches u8,
//   and per batch first sequence i32, last sequence i32, first offset i64, last offset i64
import type { Disk } from '@atoll/base'
import { decodeOwn, encodeOwn } from '@atoll/commit-log'
import type { Crc32c, LeaderEpoch, Offset } from '@atoll/records'
import { PRODUCER_BATCHES } from '../partition/limits.ts'
import type { ProducerEntry } from '../partition/producers.ts'

export interface ProducerSnapshot {
  /** Exclusive: every record below it is in here. */
  readonly end: Offset
  /** Of the last of them; undefined when none is left. */
  readonly epoch: LeaderEpoch | undefined
  readonly producers: readonly ProducerEntry[]
}

const SUFFIX = '.producers'
const PART_SUFFIX = '.part'
const NAME = /^(\d{20})\.producers$/
const KEPT = 2
const HEAD_BYTES = 16
const PRODUCER_BYTES = 11
const BATCH_BYTES = 24

export class ProducerSnapshots {
  readonly #disk: Disk
  readonly #directory: string
  readonly #crc32c: Crc32c

  /** `directory` holds nothing else; it is made with the first snapshot. */
  constructor(disk: Disk, directory: string, crc32c: Crc32c) {
    this.#disk = disk
    this.#directory = directory
    this.#crc32c = crc32c
  }

  /** The newest one that `fits`. What cannot be read is as if it were not there. */
  async newest(fits: (snapshot: ProducerSnapshot) => boolean): Promise<ProducerSnapshot | undefined> {
    for (const end of (await this.#ends()).toReversed()) {
      try {
        const path = this.#path(end)
        const file = this.#disk.open(path, 'read')
        try {
          const snapshot = decodeSnapshot(decodeOwn('producers', await file.read(0, file.size()), path, this.#crc32c))
          if (snapshot !== undefined && fits(snapshot)) return snapshot
        } finally {
          file.close()
        }
      } catch {
        // The log tells it again; nothing is lost but time.
      }
    }
    return undefined
  }

  /** Writes one, and removes all but the newest two up to it. Rejects with a DiskError; the log is none the worse for it. */
  async write(snapshot: ProducerSnapshot): Promise<void> {
    this.#disk.makeDirectory(this.#directory)
    const path = this.#path(snapshot.end)
    const part = `${path}${PART_SUFFIX}`
    const file = this.#disk.open(part, 'replace')
    try {
      file.write(encodeOwn('producers', encodeSnapshot(snapshot), this.#crc32c), 0)
      await file.sync()
    } finally {
      file.close()
    }
    this.#disk.rename(part, path)
    await this.#disk.syncDirectory(this.#directory)
    const ends = await this.#ends()
    const upTo = ends.filter(end => end <= snapshot.end)
    const kept = new Set(upTo.slice(-KEPT))
    for (const end of ends) if (!kept.has(end)) await this.#disk.remove(this.#path(end))
  }

  async #ends(): Promise<readonly number[]> {
    try {
      const names = await this.#disk.list(this.#directory)
      return names.flatMap(({ name }) => NAME.exec(name)?.[1] ?? []).map(Number)
    } catch {
      return []
    }
  }

  #path(end: number): string {
    return `${this.#directory}/${String(end).padStart(20, '0')}${SUFFIX}`
  }
}

export function encodeSnapshot({ end, epoch, producers }: ProducerSnapshot): Uint8Array {
  const batches = producers.reduce((sum, producer) => sum + producer.batches.length, 0)
  const bytes = new Uint8Array(HEAD_BYTES + producers.length * PRODUCER_BYTES + batches * BATCH_BYTES)
  const fields = new DataView(bytes.buffer)
  fields.setBigInt64(0, BigInt(end))
  fields.setInt32(8, epoch ?? -1)
  fields.setUint32(12, producers.length)
  let place = HEAD_BYTES
  for (const producer of producers) {
    fields.setBigInt64(place, BigInt(producer.producerId))
    fields.setInt16(place + 8, producer.epoch)
    fields.setUint8(place + 10, producer.batches.length)
    place += PRODUCER_BYTES
    for (const batch of producer.batches) {
      fields.setInt32(place, batch.firstSequence)
      fields.setInt32(place + 4, batch.lastSequence)
      fields.setBigInt64(place + 8, BigInt(batch.firstOffset))
      fields.setBigInt64(place + 16, BigInt(batch.lastOffset))
      place += BATCH_BYTES
    }
  }
  return bytes
}

/** Undefined for what `encodeSnapshot` never makes. */
export function decodeSnapshot(bytes: Uint8Array): ProducerSnapshot | undefined {
  if (bytes.length < HEAD_BYTES) return undefined
  const fields = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const epoch = fields.getInt32(8)
  const producers: ProducerEntry[] = []
  let place = HEAD_BYTES
  for (let count = fields.getUint32(12); count > 0; count--) {
    if (place + PRODUCER_BYTES > bytes.length) return undefined
    const batchCount = fields.getUint8(place + 10)
    const end = place + PRODUCER_BYTES + batchCount * BATCH_BYTES
    if (batchCount < 1 || batchCount > PRODUCER_BATCHES || end > bytes.length) return undefined
    const batches = Array.from({ length: batchCount }, (_, index) => {
      const at = place + PRODUCER_BYTES + index * BATCH_BYTES
      return {
        firstSequence: fields.getInt32(at),
        lastSequence: fields.getInt32(at + 4),
        firstOffset: Number(fields.getBigInt64(at + 8)) as Offset,
        lastOffset: Number(fields.getBigInt64(at + 16)) as Offset,
      }
    })
    producers.push({ producerId: Number(fields.getBigInt64(place)), epoch: fields.getInt16(place + 8), batches })
    place = end
  }
  if (place !== bytes.length) return undefined
  return { end: Number(fields.getBigInt64(0)) as Offset, epoch: epoch === -1 ? undefined : (epoch as LeaderEpoch), producers }
}
