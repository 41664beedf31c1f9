// Snapshots of the coordinator's state as files beside the log. The data begins with the configuration, so that a file says
// everything that Raft has to know of it; the same bytes travel to a peer that needs them.
//   configuration length u32, configuration as in raft-batches.ts, state
import type { Disk } from '@atoll/base'
import { CommitLogError, SnapshotFiles, type SnapshotId, type SnapshotReader, type SnapshotWriter } from '@atoll/commit-log'
import { type Configuration, type LogIndex, logIndex, type Snapshot, type Term, term } from '@atoll/raft'
import { type Crc32c, leaderEpoch, offset } from '@atoll/records'
import { decodeConfiguration, encodeConfiguration, joined } from './raft-batches.ts'

/** Of the state, handed over at once. */
const READ_BYTES = 256 * 1_024
/** A configuration has 32 members at most, each of two names. */
const CONFIGURATION_BYTES_MAX = 16_384

export class RaftSnapshots {
  readonly #files: SnapshotFiles
  #newest: Snapshot | undefined
  /** The one that a leader is sending. */
  #arriving: { readonly snapshot: Snapshot; readonly writer: SnapshotWriter } | undefined
  /** The one that was read last, for a peer. */
  #open: SnapshotReader | undefined

  private constructor(files: SnapshotFiles) {
    this.#files = files
  }

  /** Rejects with a CommitLogError when the newest cannot be read: without it there is no state, and nothing to go back to. */
  static async open(disk: Disk, directory: string, crc32c: Crc32c): Promise<RaftSnapshots> {
    const snapshots = new RaftSnapshots(await SnapshotFiles.open(disk, directory, crc32c))
    await snapshots.#readNewest()
    return snapshots
  }

  /** Undefined when none was ever taken. */
  get newest(): Snapshot | undefined {
    return this.#newest
  }

  /** Begins a snapshot of this server's own state as of `index`. */
  begin(index: LogIndex, inTerm: Term, configuration: Configuration): SnapshotWriter {
    const writer = this.#files.begin(idOf(index, inTerm))
    writer.write(headOf(configuration))
    return writer
  }

  /** Makes one that was begun the newest. Resolves when it would survive power loss. */
  async finish(writer: SnapshotWriter, index: LogIndex, inTerm: Term, configuration: Configuration): Promise<void> {
    await writer.finish()
    this.#newest = { index, term: inTerm, configuration, sizeBytes: writer.dataBytes }
  }

  /**
   * Keeps a part of the snapshot that a leader sends; at offset 0 another one begins. Rejects with `disk_full` only when it
   * may be tried again: of a part that found no room some may be written, and the whole is lost with it (`io`).
   */
  async keepChunk(snapshot: Snapshot, at: number, bytes: Uint8Array): Promise<void> {
    if (at === 0) {
      await this.#abandonArriving()
      this.#arriving = { snapshot, writer: this.#files.begin(idOf(snapshot.index, snapshot.term)) }
    }
    try {
      this.#arriving?.writer.write(bytes)
    } catch (error) {
      await this.#abandonArriving()
      throw new CommitLogError('io', `no room for the leader’s snapshot at ${snapshot.index}`, { cause: error })
    }
  }

  /** Makes the one that arrived the newest. Resolves when it would survive power loss. */
  async install(snapshot: Snapshot): Promise<void> {
    const arriving = this.#arriving
    if (arriving?.writer.dataBytes !== snapshot.sizeBytes)
      throw new CommitLogError('corrupt', `the snapshot at ${snapshot.index} did not arrive whole`)
    await arriving.writer.finish()
    this.#arriving = undefined
    this.#newest = snapshot
  }

  /**
   * A part of a snapshot for a peer; undefined when an older one is gone, and the newest has to be sent instead. That one
   * is never gone: when it cannot be read the disk has failed, and to begin with it again would have no end.
   */
  async chunk({ index, term: inTerm }: Snapshot, at: number, lengthBytes: number): Promise<Uint8Array | undefined> {
    try {
      const end = index + 1
      if (this.#open?.id.end !== end) {
        this.#open?.close()
        this.#open = undefined
        this.#open = await this.#files.read(idOf(index, inTerm))
      }
      return await this.#open.read(at, lengthBytes)
    } catch (error) {
      if (error instanceof CommitLogError && index !== this.#newest?.index) return undefined
      throw error
    }
  }

  /** The state of the newest, in pieces. Rejects with a CommitLogError. */
  async *state(): AsyncGenerator<Uint8Array, void> {
    const newest = this.#newest
    if (newest === undefined) return
    const reader = await this.#files.read(idOf(newest.index, newest.term))
    try {
      let at = headOf(newest.configuration).length
      while (at < reader.dataBytes) {
        const piece = await reader.read(at, READ_BYTES)
        yield piece
        at += piece.length
      }
    } finally {
      reader.close()
    }
  }

  /** Removes all but the newest, unless a peer is being sent an older one. */
  async removeOlder(inUse: readonly LogIndex[]): Promise<void> {
    const newest = this.#newest
    if (newest === undefined || inUse.some(index => index < newest.index)) return
    await this.#files.removeBefore(idOf(newest.index, newest.term))
  }

  close(): void {
    this.#open?.close()
  }

  async #abandonArriving(): Promise<void> {
    const arriving = this.#arriving
    this.#arriving = undefined
    await arriving?.writer.abandon()
  }

  async #readNewest(): Promise<void> {
    const id = this.#files.known.at(-1)
    if (id === undefined) return
    const reader = await this.#files.read(id)
    try {
      const lengthBytes = new DataView((await reader.read(0, 4)).slice().buffer).getUint32(0)
      if (lengthBytes > CONFIGURATION_BYTES_MAX) throw new CommitLogError('corrupt', 'a snapshot without a configuration')
      const configuration = decodeConfiguration(await reader.read(4, lengthBytes))
      this.#newest = { index: logIndex(id.end - 1), term: term(id.epoch), configuration, sizeBytes: reader.dataBytes }
    } finally {
      reader.close()
    }
  }
}

function idOf(index: LogIndex, inTerm: Term): SnapshotId {
  return { end: offset(index + 1), epoch: leaderEpoch(inTerm) }
}

function headOf(configuration: Configuration): Uint8Array {
  const bytes = encodeConfiguration(configuration)
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, bytes.length)
  return joined([length, bytes])
}
