// What a group is told of its bounds, and what it asks of the coordinator that it belongs to.
import type { MonotonicMs } from '@atoll/base'
import type { KafkaErrorName } from '../kafka/kafka-errors.ts'
import type { GroupAnswer } from './group-messages.ts'
import type { GroupRecord } from './group-records.ts'

export interface GroupSettings {
  readonly sessionTimeoutMsMin: number
  readonly sessionTimeoutMsMax: number
  readonly membersMax: number
  /** How long the first round of an empty group waits for more members, in milliseconds. Kafka waits 3 s; we do not. */
  readonly joinDelayMs: number
}

/** What a group asks of the coordinator it belongs to. */
export interface GroupHost {
  readonly nowMs: MonotonicMs
  readonly wallMs: number
  answer(requestId: number, answer: GroupAnswer): void
  /** Calls `done` once it is stored, or with what went wrong. */
  store(records: readonly GroupRecord[], done: (error: KafkaErrorName | undefined) => void): void
  drawId(): string
}
