// Takes snapshots of the state now and then, so that the log does not grow for ever: the image is written in slices between
// other work, and takes effect in the order of the writes, so that it never crosses one that a leader sends.
import type { Clock, Logger, Timer } from '@atoll/base'
import { CommitLogError, type SnapshotWriter } from '@atoll/commit-log'
import type { Configuration, LogIndex } from '@atoll/raft'
import type { RaftStore } from './adapters/raft-log.ts'
import { KEEP_SHARE } from './limits.ts'
import type { StateImage } from './state-machine.ts'

export interface SnapshotTakerOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly store: RaftStore
  /** Applied entries after which a snapshot is taken. */
  readonly snapshotEntries: number
  readonly image: () => StateImage
  readonly configurationAt: (index: LogIndex) => Configuration | undefined
  /** Snapshots that are being sent to peers. */
  readonly inUse: () => readonly LogIndex[]
  readonly onFatal: (error: unknown) => void
}

export class SnapshotTaker {
  readonly #options: SnapshotTakerOptions
  #taking = false
  #soon: Timer | undefined
  #stopped = false
  /** Not tried again before so much is applied: after a disk without room. */
  #notBefore = 0

  constructor(options: SnapshotTakerOptions) {
    this.#options = options
  }

  /** Everything up to `index` is applied; Raft knows. */
  appliedTo(index: LogIndex): void {
    const { store, snapshotEntries } = this.#options
    if (this.#taking || this.#stopped || index < this.#notBefore || index - store.snapshot.index < snapshotEntries) return
    this.#taking = true
    this.#take(index)
      .catch((error: unknown) => this.#options.onFatal(error))
      .finally(() => {
        this.#taking = false
      })
  }

  stop(): void {
    this.#stopped = true
    this.#soon?.cancel()
  }

  async #take(index: LogIndex): Promise<void> {
    const { store, log, configurationAt, image: imageOf, inUse } = this.#options
    const [term, configuration] = [store.termAt(index), configurationAt(index)]
    if (term === undefined || configuration === undefined) return
    const image = imageOf()
    let writer: SnapshotWriter
    try {
      writer = store.snapshots.begin(index, term, configuration)
    } catch (error) {
      image.close()
      this.#gaveUp(error, index)
      return
    }
    try {
      for (const slice of image.slices()) {
        writer.write(slice)
        await this.#turn()
        if (this.#stopped) return
      }
    } catch (error) {
      await writer.abandon()
      this.#gaveUp(error, index)
      return
    } finally {
      image.close()
    }
    let finished = false
    store.inOrder(async () => {
      // What comes after it may find no room, and all of this is done again.
      if (!finished && store.snapshot.index >= index) return writer.abandon()
      try {
        if (!finished) await store.snapshots.finish(writer, index, term, configuration)
        finished = true
      } catch (error) {
        this.#gaveUp(error, index)
        return writer.abandon()
      }
      if (store.snapshot.index !== index) return
      await store.discardBefore(index - Math.floor(this.#options.snapshotEntries * KEEP_SHARE))
      await store.snapshots.removeOlder(inUse())
      log.info({ event: 'snapshot_taken', index, sizeBytes: writer.dataBytes }, 'took a snapshot')
    })
  }

  /** A disk without room is no reason to stop: the log still holds everything. */
  #gaveUp(error: unknown, index: LogIndex): void {
    if (!(error instanceof CommitLogError) || error.code !== 'disk_full') throw error
    this.#notBefore = index + this.#options.snapshotEntries
    this.#options.log.warn({ event: 'snapshot_given_up', index, err: error }, 'no room for a snapshot')
  }

  #turn(): Promise<void> {
    return new Promise(resolve => {
      this.#soon = this.#options.clock.after(0, () => resolve())
    })
  }
}
