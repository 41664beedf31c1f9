// The log as Raft needs it. Its unit is the batch: entries of one term that one leader made together, that travel, are
// written and are truncated together and are never re-cut. Two logs that hold an entry of the same index and term hold
// it in the same batch (a leader makes each index once), so a conflict, a match and a commit always fall on the edge of one.
import { assert } from '@atoll/base'
import type { Configuration } from './configuration.ts'
import { ENTRY_OVERHEAD_BYTES } from './limits.ts'
import { type LogIndex, logIndex, type Term } from './terms.ts'

export type EntryPayload =
  /** A leader's first: committing it commits everything before (Raft section 8). */
  | { readonly kind: 'empty' }
  | { readonly kind: 'command'; readonly bytes: Uint8Array }
  /** In force on each server as soon as it is in its log (dissertation section 4.1). */
  | { readonly kind: 'configuration'; readonly configuration: Configuration }

/** Term and index are repeated in each entry: the batch's own header is not covered by the checksum of what it holds. */
export interface Entry {
  readonly term: Term
  readonly index: LogIndex
  readonly payload: EntryPayload
}

/** Where a batch lies: indexes inclusive. */
export interface Extent {
  readonly term: Term
  readonly firstIndex: LogIndex
  readonly lastIndex: LogIndex
}

export interface Batch extends Extent {
  readonly entries: readonly Entry[]
  readonly sizeBytes: number
}

/** The state machine as of `index`, which stands for every entry up to it. */
export interface Snapshot {
  readonly index: LogIndex
  readonly term: Term
  readonly configuration: Configuration
  readonly sizeBytes: number
}

export interface ConfigurationAt {
  readonly index: LogIndex
  readonly configuration: Configuration
}

/**
 * What has been stored, for reading only; the driver writes it, as effects tell. It may run ahead of what was reported
 * `stored`, never behind. Everything is answered at once, from memory; only `batchesFrom` may ask for patience.
 */
export interface RaftLog {
  /** The newest installed; at index 0 the configuration the cluster was founded with, or no members at all. */
  readonly snapshot: Snapshot
  /** The last entry's, or the snapshot's when no entry follows it. */
  readonly lastIndex: LogIndex
  /** The batch around `index`; undefined when there is none, or no longer. */
  extentAt(index: LogIndex): Extent | undefined
  /**
   * Whole batches from the one that begins at `index`, up to `bytesMax` but at least one. Undefined when they have to
   * be read from the disk first: the driver says `log_loaded` once it has them.
   */
  batchesFrom(index: LogIndex, bytesMax: number): readonly Batch[] | undefined
  /** Every configuration entry after the snapshot, oldest first; asked once, at the start. */
  configurations(): readonly ConfigurationAt[]
}

export function makeBatch(term: Term, firstIndex: LogIndex, payloads: readonly EntryPayload[]): Batch {
  assert(payloads.length > 0, 'a batch has an entry')
  const entries = payloads.map((payload, offset) => ({ term, index: logIndex(firstIndex + offset), payload }))
  const sizeBytes = payloads.reduce((sum, payload) => sum + payloadBytes(payload), 0)
  return { term, firstIndex, lastIndex: logIndex(firstIndex + entries.length - 1), entries, sizeBytes }
}

export function payloadBytes(payload: EntryPayload): number {
  switch (payload.kind) {
    case 'empty':
      return ENTRY_OVERHEAD_BYTES
    case 'command':
      return ENTRY_OVERHEAD_BYTES + payload.bytes.byteLength
    case 'configuration':
      return ENTRY_OVERHEAD_BYTES * (1 + payload.configuration.voters.length + payload.configuration.learners.length)
  }
}

/** False for what no leader makes: a gap, a second term in a batch, an entry that belongs elsewhere. */
export function isUnbroken(batches: readonly Batch[], after: LogIndex): boolean {
  let index: number = after
  let term = 0
  for (const batch of batches) {
    if (batch.firstIndex !== index + 1 || batch.term < term || batch.entries.length !== batch.lastIndex - index) return false
    term = batch.term
    for (const entry of batch.entries) {
      index++
      if (entry.index !== index || entry.term !== term) return false
    }
  }
  return true
}
