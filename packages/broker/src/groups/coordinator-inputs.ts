// What goes into the coordinator of one partition's groups, and what comes out: requests, stored records and time; answers,
// records to be stored and the next deadline.
import type { MonotonicMs } from '@atoll/base'
import type { KafkaErrorName } from '../kafka/kafka-errors.ts'
import type { GroupSettings } from './group-host.ts'
import type { GroupAnswer, GroupRequest } from './group-messages.ts'
import type { GroupRecord } from './group-records.ts'

export interface CoordinatorSettings extends GroupSettings {
  /** How long offsets of a group without members are remembered, in milliseconds. */
  readonly offsetRetentionMs: number
  /** Between two looks for what is to be forgotten, in milliseconds. */
  readonly retentionCheckMs: number
}

export const defaultCoordinatorSettings: CoordinatorSettings = {
  sessionTimeoutMsMin: 500,
  sessionTimeoutMsMax: 1_800_000,
  membersMax: 1_000,
  joinDelayMs: 0,
  offsetRetentionMs: 7 * 24 * 3_600_000,
  retentionCheckMs: 600_000,
}

export type GroupInput =
  /** Records of the partition, from its beginning on, in order. */
  | { readonly kind: 'replay'; readonly records: readonly GroupRecord[] }
  /** That was all of them, up to where this leadership began. */
  | { readonly kind: 'loaded' }
  | { readonly kind: 'request'; readonly requestId: number; readonly request: GroupRequest }
  /** Records that were to be stored are committed, or are not. Answered in the order in which they were asked for. */
  | { readonly kind: 'stored'; readonly ticket: number; readonly error: KafkaErrorName | undefined }
  /** Nobody waits for the answer any more. */
  | { readonly kind: 'abandoned'; readonly requestId: number }
  | { readonly kind: 'topics_deleted'; readonly topics: readonly string[] }
  | { readonly kind: 'tick' }
  /** This broker leads the partition no more. */
  | { readonly kind: 'resigned' }

export interface GroupEffects {
  readonly answers: readonly { readonly requestId: number; readonly answer: GroupAnswer }[]
  /** Each list is appended as one batch, in this order. */
  readonly store: readonly { readonly ticket: number; readonly records: readonly GroupRecord[] }[]
  /** When the next `tick` is due; `Infinity` while nothing runs. */
  readonly nextTickMs: number
}

export interface Now {
  readonly nowMs: MonotonicMs
  readonly wallMs: number
}
