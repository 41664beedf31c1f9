// What an operator may set for all partitions.
import { assert } from '@atoll/base'

export interface ReplicaSettings {
  /** A follower that has not caught up for this long leaves the ISR (`replica.lag.time.max.ms`). */
  readonly replicaLagMsMax: number
  /** A proposal without an answer is sent again after this. */
  readonly proposalRetryMs: number
  /** A follower whose fetch was refused, or whose disk refused the records, asks again after this. */
  readonly fetchRetryMs: number
  /** A leader whose oldest unsynced batch is older than this asks to be replaced. */
  readonly diskStuckMs: number
  /** After a full disk the next batch is tried no sooner than this. */
  readonly diskFullRetryMs: number
  /** A producer silent for this long may be forgotten (`producer.id.expiration.ms`). */
  readonly producerExpiryMs: number
}

export const defaultSettings: ReplicaSettings = {
  replicaLagMsMax: 10_000,
  proposalRetryMs: 500,
  fetchRetryMs: 100,
  diskStuckMs: 3_000,
  diskFullRetryMs: 1_000,
  producerExpiryMs: 24 * 3_600_000,
}

/** Throws unless the settings fit each other. */
export function checkSettings(settings: ReplicaSettings): void {
  const { replicaLagMsMax, proposalRetryMs, diskStuckMs } = settings
  assert(proposalRetryMs > 0 && replicaLagMsMax > proposalRetryMs, 'a lost proposal is sent again while it is still meant')
  assert(diskStuckMs < replicaLagMsMax, 'a stuck leader resigns before it calls its followers slow')
}
