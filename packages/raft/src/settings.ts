// What an operator may set. Times are for one machine or one site: Raft wants round trip << election timeout.
import { assert } from '@atoll/base'
import { BATCH_BYTES_MAX, STORES_PENDING_MAX } from './limits.ts'

const KiB = 1_024
const MiB = 1_024 * KiB

export interface RaftSettings {
  readonly heartbeatMs: number
  /** Silence of the leader after which a follower asks for votes: uniform between the two, drawn anew each time. */
  readonly electionTimeoutMsMin: number
  readonly electionTimeoutMsMax: number
  /** After proof that the leader is gone the survivors stand at a random time within this. */
  readonly leaderGoneStaggerMs: number
  /** A leader whose oldest unfinished write is older than this gives up its office. */
  readonly diskStuckMs: number
  /** A read that is not confirmed by then has failed; the caller asks again. */
  readonly readTimeoutMs: number
  /** Entries in one message, in bytes; one batch may exceed it so that it gets through. */
  readonly appendBytesMax: number
  /** To one peer and not yet answered. */
  readonly inflightMessagesMax: number
  readonly inflightBytesMax: number
  /** Entries of the leader's own that are not committed yet; a proposal beyond is refused. */
  readonly uncommittedBytesMax: number
  readonly snapshotChunkBytes: number
  readonly snapshotChunksInflightMax: number
}

export const defaultSettings: RaftSettings = {
  heartbeatMs: 50,
  electionTimeoutMsMin: 300,
  electionTimeoutMsMax: 600,
  leaderGoneStaggerMs: 50,
  diskStuckMs: 1_500,
  readTimeoutMs: 600,
  appendBytesMax: MiB,
  inflightMessagesMax: 64,
  inflightBytesMax: 4 * MiB,
  uncommittedBytesMax: 16 * MiB,
  snapshotChunkBytes: 256 * KiB,
  snapshotChunksInflightMax: 4,
}

/** Throws unless the settings fit each other. */
export function checkSettings(settings: RaftSettings): void {
  const { heartbeatMs, electionTimeoutMsMin, electionTimeoutMsMax, inflightMessagesMax, inflightBytesMax, uncommittedBytesMax } = settings
  assert(heartbeatMs > 0 && electionTimeoutMsMin >= 3 * heartbeatMs, 'two lost heartbeats are no reason for an election')
  assert(electionTimeoutMsMax > electionTimeoutMsMin, 'election timeouts differ, or votes split for ever')
  assert(settings.diskStuckMs > electionTimeoutMsMax, 'a slow write is more common than a dead leader, and cheaper')
  assert(inflightMessagesMax >= 1 && inflightMessagesMax < STORES_PENDING_MAX, 'a follower can queue what is in flight to it')
  assert(inflightBytesMax >= settings.appendBytesMax && uncommittedBytesMax >= BATCH_BYTES_MAX, 'the largest message fits')
  assert(settings.snapshotChunkBytes > 0 && settings.snapshotChunksInflightMax >= 1, 'a snapshot can be sent')
}
