// The log as one replica needs it. Appending is synchronous and reaches the page cache; what is durable is told later.
// Offsets count records, batches are never re-cut, and every batch carries the epoch of the leader that took it.
import type { BatchHeader, LeaderEpoch, Offset } from '@atoll/records'

export interface EpochEnd {
  readonly epoch: LeaderEpoch
  /** Exclusive. */
  readonly end: Offset
}

/**
 * `disk_full`: nothing of it is in the log, and it may be tried again. `failed`: the disk did worse, the log takes nothing
 * more. `invalid`: bytes that are no batches, or do not belong at the log's end.
 */
export type AppendRefusal = 'disk_full' | 'failed' | 'invalid'

export interface Placed {
  readonly firstOffset: Offset
  /** Inclusive. */
  readonly lastOffset: Offset
}

export interface PartitionLog {
  /** The first offset still kept, where a batch begins. Inclusive. */
  readonly logStart: Offset
  /** The next offset to be written. Exclusive. */
  readonly logEnd: Offset
  /** The first offset that power loss could take. Exclusive. With `flush: os` the log end: the page cache is trusted. */
  readonly durableEnd: Offset
  /** The epoch of the last record; undefined when there is none. */
  readonly lastEpoch: LeaderEpoch | undefined
  /** True once the disk failed it: nothing above the durable end is to be believed. */
  readonly failed: boolean
  /** Takes one batch as a leader: it gets its offset and `epoch` in place, and belongs to the log from here on. */
  append(batch: Uint8Array, epoch: LeaderEpoch): Placed | AppendRefusal
  /** Takes batches that have their places, all or none, and tells of each. */
  appendPlaced(batches: Uint8Array): readonly BatchHeader[] | AppendRefusal
  /** Begins an epoch at the log end, before anything is written in it. */
  assignEpoch(epoch: LeaderEpoch): AppendRefusal | undefined
  /** Forgets an epoch that this replica was to lead and in which nothing was written. */
  forgetEmptyEpochs(): void
  /** Where the largest epoch up to `epoch` ended; undefined when all known ones are later. */
  endOfEpoch(epoch: LeaderEpoch): EpochEnd | undefined
  /** Whole batches from the one that holds `from`, at least one, below `end`; undefined when they have to be read from the disk. */
  readTail(from: Offset, end: Offset, bytesMax: number): readonly Uint8Array[] | undefined
}
