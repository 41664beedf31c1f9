// What a follower and a leader say to each other about all partitions they have in common: one request for many, and only
// what changed since the last one (KIP-227, between brokers).
import type { LeaderEpoch, Offset } from '@atoll/records'
import type { FetchCheck } from './effects.ts'
import type { FetchPosition, FetchResult } from './inputs.ts'

export interface FetchRequest<Key> {
  /** Chosen by the follower, higher each time it begins anew. */
  readonly session: number
  /** Counts the requests of a session from 0; the first names every partition. */
  readonly sequence: number
  readonly changed: readonly { readonly key: Key; readonly position: FetchPosition }[]
  readonly forgotten: readonly Key[]
  /** Records in the answer, in bytes; one batch may exceed it. */
  readonly bytesMax: number
  /** How long an empty answer may be held back. */
  readonly maxWaitMs: number
}

/** As the leader makes it: records are views into its log. */
export type PartitionAnswer =
  | Exclude<FetchCheck, { readonly kind: 'accepted' }>
  | { readonly kind: 'records'; readonly batches: readonly Uint8Array[]; readonly highWatermark: Offset; readonly logStart: Offset }

export interface FetchResponse<Key> {
  readonly session: number
  readonly sequence: number
  /** True when the leader does not know the session: the follower begins anew. */
  readonly unknownSession: boolean
  readonly partitions: readonly { readonly key: Key; readonly answer: PartitionAnswer }[]
}

/** As it reaches the follower. */
export interface ReceivedResponse<Key> {
  readonly session: number
  readonly sequence: number
  readonly unknownSession: boolean
  readonly partitions: readonly { readonly key: Key; readonly result: FetchResult }[]
}

/** One-way: how far each partition of the follower is on its disk. */
export interface DurableReport<Key> {
  readonly key: Key
  readonly leaderEpoch: LeaderEpoch
  readonly durableEnd: Offset
}
