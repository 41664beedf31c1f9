// A snapshot arriving from the leader. Chunks are kept in order beside the current state; only the complete snapshot
// takes its place, in one step of the driver (temporary file, sync, rename, sync of the directory).
import type { SnapshotChunk } from './messages.ts'
import type { Snapshot } from './raft-log.ts'
import type { Term } from './terms.ts'

export class SnapshotReceiver {
  #receiving: { readonly term: Term; readonly snapshot: Snapshot; nextOffset: number } | undefined

  get lengthBytes(): number {
    return this.#receiving?.nextOffset ?? 0
  }

  /** Whether the chunk is the next one, and so to be kept. A snapshot begins anew with each leader and each newer snapshot. */
  accept({ term, snapshot, offset, lengthBytes }: SnapshotChunk): boolean {
    const current = this.#receiving
    const isSame = current?.term === term && current.snapshot.index === snapshot.index
    const isNewer = current === undefined || current.term < term || current.snapshot.index < snapshot.index
    if (!isSame && isNewer) this.#receiving = { term, snapshot, nextOffset: 0 }
    const receiving = this.#receiving
    if (receiving === undefined || receiving.snapshot.index !== snapshot.index || receiving.nextOffset !== offset) return false
    receiving.nextOffset += lengthBytes
    return true
  }

  /** The first byte of `snapshot` that is still missing. */
  nextOffset(snapshot: Snapshot): number {
    return this.#receiving?.snapshot.index === snapshot.index ? this.#receiving.nextOffset : 0
  }

  /** The snapshot, once all of it is there. Asked once. */
  takeComplete(): Snapshot | undefined {
    const receiving = this.#receiving
    if (receiving === undefined || receiving.nextOffset < receiving.snapshot.sizeBytes) return undefined
    this.#receiving = undefined
    return receiving.snapshot
  }

  abandon(): void {
    this.#receiving = undefined
  }
}
