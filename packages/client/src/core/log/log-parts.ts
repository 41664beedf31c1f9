// What the parts of the log’s client share.
import type { Clock, Compute, Random } from '@atoll/base'
import { type ErrorCode, ProtocolError } from '@atoll/protocol'
import type { createCompression } from '@atoll/records'
import type { KeyValue } from '../kv.ts'
import { isPassing, type Requests } from '../requests.ts'
import type { Changes } from '../session.ts'
import type { Brokers } from './brokers.ts'
import { LOG_RETRY_MS_MAX, LOG_RETRY_MS_MIN } from './limits.ts'
import type { TopicFollowers } from './topic-follower.ts'

export interface LogParts {
  readonly clock: Clock
  readonly random: Random
  readonly compute: Compute
  readonly requests: Requests
  readonly changes: Changes
  readonly kv: KeyValue
  readonly brokers: Brokers
  readonly topics: TopicFollowers
  readonly compression: ReturnType<typeof createCompression>
  /** Told when the client is closed. */
  readonly closing: AbortSignal
}

/** Refusals of a partition that are over by themselves, or elsewhere. */
const passingHere: ReadonlySet<ErrorCode> = new Set([
  'unknown_partition',
  'not_partition_leader',
  'partition_leadership_lost',
  'fenced_leader_epoch',
  'unknown_leader_epoch',
  'leader_not_available',
  'not_enough_replicas',
  'not_enough_replicas_after_append',
  'offset_not_available',
  'log_disk_full',
  'log_disk_failed',
  'wrong_node',
  'not_ready',
  'hello_timed_out',
])

/** The same may be asked once more, here or of another leader. */
export const mayPass = (code: ErrorCode): boolean => passingHere.has(code) || isPassing(code)

export function retryPauseMs(random: Random, failures: number): number {
  return Math.min(LOG_RETRY_MS_MAX, LOG_RETRY_MS_MIN * 2 ** Math.min(failures - 1, 10)) * (0.5 + random.float())
}

/** Errors of the world are handled; anything else is a bug and goes on. */
export function expectProtocolError(error: unknown): ProtocolError {
  if (!(error instanceof ProtocolError)) throw error
  return error
}
