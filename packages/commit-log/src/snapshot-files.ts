// Snapshots beside a log: what its records up to some offset amount to, so that they need not be kept. Named after the
// offset and the epoch as Kafka's Raft names them. A snapshot is written to a file of another name, synced, renamed and
// the directory synced: it is there as a whole or not at all. A damaged one is never removed by anything here, and is no
// reason to remove anything else.
//   header: the frame of own-format.ts around: offset i64, epoch i32, data bytes i64
//   then pieces of 64 KiB, the last one shorter: crc32c u32, bytes
import type { Disk, DiskFile } from '@atoll/base'
import { assert } from '@atoll/base'
import type { Crc32c, LeaderEpoch, Offset } from '@atoll/records'
import { CommitLogError, fromDisk } from './commit-log-error.ts'
import { makeDurableDirectory } from './directory-sync.ts'
import { decodeOwn, encodeOwn, OWN_HEADER_BYTES } from './own-format.ts'

export interface SnapshotId {
  /** Exclusive: every record below it is in the snapshot. */
  readonly end: Offset
  /** Of the last of them. */
  readonly epoch: LeaderEpoch
}

const NAME = /^(\d{20})-(\d{10})\.checkpoint$/
const PART_SUFFIX = '.part'
const PIECE_BYTES = 65_536
const HEADER_BYTES = OWN_HEADER_BYTES + 20

export class SnapshotFiles {
  readonly #disk: Disk
  readonly #directory: string
  readonly #crc32c: Crc32c
  /** Oldest first. */
  #known: readonly SnapshotId[]

  private constructor(disk: Disk, directory: string, crc32c: Crc32c, known: readonly SnapshotId[]) {
    this.#disk = disk
    this.#directory = directory
    this.#crc32c = crc32c
    this.#known = known
  }

  /** Finds what is there, whether it can be read or not; removes what was never finished. Rejects with `io`. */
  static async open(disk: Disk, directory: string, crc32c: Crc32c): Promise<SnapshotFiles> {
    try {
      // A name that a killed predecessor gave may not be durable yet, and the log before it may be dropped on its account.
      await makeDurableDirectory(disk, directory)
      const names = (await disk.list(directory)).map(({ name }) => name)
      for (const name of names) if (name.endsWith(PART_SUFFIX)) await disk.remove(`${directory}/${name}`)
      const known = names.flatMap(name => idOf(name) ?? [])
      return new SnapshotFiles(disk, directory, crc32c, known)
    } catch (error) {
      throw fromDisk(error, directory)
    }
  }

  /** Oldest first. */
  get known(): readonly SnapshotId[] {
    return this.#known
  }

  /** Begins a snapshot newer than all others. Throws `disk_full` or `io`. */
  begin(id: SnapshotId): SnapshotWriter {
    const newest = this.#known.at(-1)
    assert(newest === undefined || id.end > newest.end, 'a snapshot is newer than those before it')
    return new SnapshotWriter(this.#disk, this.#path(id), id, this.#crc32c, () => {
      this.#known = [...this.#known, id]
    })
  }

  /** Opens a snapshot that is known. Rejects with `corrupt`, `newer_format` or `io`. */
  async read(id: SnapshotId): Promise<SnapshotReader> {
    try {
      return await SnapshotReader.open(this.#disk, this.#path(id), id, this.#crc32c)
    } catch (error) {
      throw fromDisk(error, this.#path(id))
    }
  }

  /** Removes those older than `id`, which can be read. */
  async removeBefore(id: SnapshotId): Promise<void> {
    const reader = await this.read(id)
    try {
      await reader.verify()
    } finally {
      reader.close()
    }
    for (const older of this.#known.filter(({ end }) => end < id.end)) {
      this.#known = this.#known.filter(known => known !== older)
      await this.#disk.remove(this.#path(older))
    }
  }

  #path(id: SnapshotId): string {
    return `${this.#directory}/${nameOf(id)}`
  }
}

/** Takes a snapshot's data piece by piece. After a `write` that failed it can only be abandoned. */
export class SnapshotWriter {
  readonly #disk: Disk
  readonly #path: string
  readonly #id: SnapshotId
  readonly #crc32c: Crc32c
  readonly #finished: () => void
  readonly #file: DiskFile
  readonly #piece = new Uint8Array(4 + PIECE_BYTES)
  #pieceBytes = 0
  #position = HEADER_BYTES
  #dataBytes = 0
  /** What ended it: of the bytes handed over some were taken, and nobody knows how many. */
  #failure: { readonly error: unknown } | undefined

  constructor(disk: Disk, path: string, id: SnapshotId, crc32c: Crc32c, finished: () => void) {
    this.#disk = disk
    this.#path = path
    this.#id = id
    this.#crc32c = crc32c
    this.#finished = finished
    this.#file = this.#attempt(() => disk.open(path + PART_SUFFIX, 'replace'))
  }

  /** Bytes written so far. */
  get dataBytes(): number {
    return this.#dataBytes
  }

  /**
   * Adds to the data. A large snapshot is written a slice per turn of the event loop. Throws `disk_full` or `io`, and the
   * same again from then on: abandon it.
   */
  write(bytes: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure.error
    for (let done = 0; done < bytes.length; ) {
      const part = bytes.subarray(done, done + PIECE_BYTES - this.#pieceBytes)
      this.#piece.set(part, 4 + this.#pieceBytes)
      this.#pieceBytes += part.length
      done += part.length
      this.#dataBytes += part.length
      if (this.#pieceBytes === PIECE_BYTES) this.#attempt(() => this.#writePiece())
    }
  }

  /** Resolves when the snapshot is there, power loss or not. Rejects with `disk_full`, and may then be tried again, or `io`. */
  async finish(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error
    try {
      if (this.#pieceBytes > 0) this.#writePiece()
      this.#file.write(encodeHeader(this.#id, this.#dataBytes, this.#crc32c), 0)
      await this.#file.sync()
      // A file system without room may refuse the name too.
      this.#disk.rename(this.#path + PART_SUFFIX, this.#path)
      this.#file.close()
      await this.#disk.syncDirectory(parentOf(this.#path))
    } catch (error) {
      throw fromDisk(error, this.#path)
    }
    this.#finished()
  }

  /** Removes what was written. */
  async abandon(): Promise<void> {
    this.#file.close()
    await this.#disk.remove(this.#path + PART_SUFFIX)
  }

  #writePiece(): void {
    const piece = this.#piece.subarray(0, 4 + this.#pieceBytes)
    new DataView(piece.buffer).setUint32(0, this.#crc32c(piece.subarray(4)))
    this.#file.write(piece, this.#position)
    this.#position += piece.length
    this.#pieceBytes = 0
  }

  #attempt<T>(act: () => T): T {
    try {
      return act()
    } catch (error) {
      this.#failure = { error: fromDisk(error, this.#path) }
      throw this.#failure.error
    }
  }
}

export class SnapshotReader {
  readonly id: SnapshotId
  readonly dataBytes: number
  readonly #file: DiskFile
  readonly #crc32c: Crc32c

  private constructor(file: DiskFile, id: SnapshotId, dataBytes: number, crc32c: Crc32c) {
    this.#file = file
    this.id = id
    this.dataBytes = dataBytes
    this.#crc32c = crc32c
  }

  static async open(disk: Disk, path: string, id: SnapshotId, crc32c: Crc32c): Promise<SnapshotReader> {
    const file = disk.open(path, 'read')
    try {
      const body = decodeOwn('snapshot', await file.read(0, HEADER_BYTES), path, crc32c)
      const fields = new DataView(body.buffer, body.byteOffset, body.byteLength)
      const dataBytes = Number(fields.getBigInt64(12))
      const belongs = Number(fields.getBigInt64(0)) === id.end && fields.getInt32(8) === id.epoch
      const sizeBytes = HEADER_BYTES + dataBytes + 4 * Math.ceil(dataBytes / PIECE_BYTES)
      if (!belongs || file.size() !== sizeBytes) throw new CommitLogError('corrupt', `${path}: not what its name or its size says`)
      return new SnapshotReader(file, id, dataBytes, crc32c)
    } catch (error) {
      file.close()
      throw error
    }
  }

  /** Up to `length` bytes of the data from `position`, checked. Rejects with `corrupt` or `io`. */
  async read(position: number, length: number): Promise<Uint8Array> {
    const end = Math.min(position + length, this.dataBytes)
    const parts: Uint8Array[] = []
    for (let at = position; at < end; ) {
      const piece = await this.#piece(Math.floor(at / PIECE_BYTES))
      const part = piece.subarray(at % PIECE_BYTES, Math.min(piece.length, end - at + (at % PIECE_BYTES)))
      parts.push(part)
      at += part.length
    }
    return parts.length === 1 ? (parts[0] as Uint8Array) : joined(parts)
  }

  /** Reads all of it. Rejects with `corrupt` or `io`. */
  async verify(): Promise<void> {
    for (let place = 0; place * PIECE_BYTES < this.dataBytes; place++) await this.#piece(place)
  }

  close(): void {
    this.#file.close()
  }

  async #piece(place: number): Promise<Uint8Array> {
    const length = Math.min(PIECE_BYTES, this.dataBytes - place * PIECE_BYTES)
    const bytes = await this.#readFile(HEADER_BYTES + place * (4 + PIECE_BYTES), 4 + length)
    const piece = bytes.subarray(4)
    const whole = bytes.length === 4 + length && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) === this.#crc32c(piece)
    if (!whole) throw new CommitLogError('corrupt', `${this.#file.path}: piece ${place} is damaged`)
    return piece
  }

  async #readFile(position: number, length: number): Promise<Uint8Array> {
    try {
      return await this.#file.read(position, length)
    } catch (error) {
      throw fromDisk(error, this.#file.path)
    }
  }
}

function encodeHeader({ end, epoch }: SnapshotId, dataBytes: number, crc32c: Crc32c): Uint8Array {
  const body = new Uint8Array(HEADER_BYTES - OWN_HEADER_BYTES)
  const fields = new DataView(body.buffer)
  fields.setBigInt64(0, BigInt(end))
  fields.setInt32(8, epoch)
  fields.setBigInt64(12, BigInt(dataBytes))
  return encodeOwn('snapshot', body, crc32c)
}

function nameOf({ end, epoch }: SnapshotId): string {
  return `${String(end).padStart(20, '0')}-${String(epoch).padStart(10, '0')}.checkpoint`
}

function idOf(name: string): SnapshotId | undefined {
  const found = NAME.exec(name)
  return found === null ? undefined : { end: Number(found[1]) as Offset, epoch: Number(found[2]) as LeaderEpoch }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
