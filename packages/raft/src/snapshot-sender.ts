// A snapshot on its way to one peer, in chunks with a bounded number in flight. The snapshot is pinned at the start: a
// newer one taken meanwhile does not mix in. What is not answered in time is sent again from the last answer on.
import { assert } from '@atoll/base'
import type { Snapshot } from './raft-log.ts'
import type { RaftSettings } from './settings.ts'

export interface Chunk {
  readonly offset: number
  readonly lengthBytes: number
}

export class SnapshotSender {
  readonly snapshot: Snapshot
  readonly #settings: RaftSettings
  #answered = 0
  #sent = 0
  #lastEventMs: number
  /** An empty snapshot is one empty chunk. */
  #begun = false

  constructor(snapshot: Snapshot, settings: RaftSettings, now: number) {
    this.snapshot = snapshot
    this.#settings = settings
    this.#lastEventMs = now
  }

  /** What may be sent now. */
  nextChunks(now: number): Chunk[] {
    const { snapshotChunkBytes, snapshotChunksInflightMax, electionTimeoutMsMin } = this.#settings
    const { sizeBytes } = this.snapshot
    if (now - this.#lastEventMs > electionTimeoutMsMin) {
      // All of it arrived and nothing was said since: the last chunk is asked after, in case the answer was lost.
      this.#sent = Math.min(this.#answered, Math.max(0, sizeBytes - 1))
      this.#begun = false
      this.#lastEventMs = now
    }
    const chunks: Chunk[] = []
    const windowEnd = this.#answered + snapshotChunkBytes * snapshotChunksInflightMax
    while ((this.#sent < sizeBytes || !this.#begun) && this.#sent < Math.max(windowEnd, 1)) {
      const lengthBytes = Math.min(snapshotChunkBytes, sizeBytes - this.#sent)
      chunks.push({ offset: this.#sent, lengthBytes })
      this.#sent += lengthBytes
      this.#begun = true
    }
    assert(chunks.length <= snapshotChunksInflightMax + 1, 'chunks in flight are bounded')
    return chunks
  }

  /** The peer has everything before `nextOffset`. It may also have had to start anew. */
  answered(nextOffset: number, now: number): void {
    if (nextOffset > this.snapshot.sizeBytes) return
    if (nextOffset > this.#answered) this.#lastEventMs = now
    this.#answered = nextOffset
    this.#sent = Math.max(this.#sent, nextOffset)
  }
}
