// A batch of one partition on its way: the records in it, and what is known of its fate.
import type { NewRecord } from '@atoll/records'
import type { AtollError } from '../atoll-error.ts'

export interface Sent {
  readonly partition: number
  /** -1 with `acks` none. */
  readonly offset: number
  /** As it was sent, in milliseconds since the Unix epoch; a topic may be told to keep the broker’s time instead. */
  readonly timestamp: number
}

export interface PendingRecord {
  readonly record: NewRecord
  readonly sizeBytes: number
  /** On the monotonic clock, in milliseconds. */
  readonly deadlineAtMs: number
  readonly settle: (outcome: Sent | AtollError) => void
}

export class Batch {
  readonly records: PendingRecord[] = []
  readonly openedAtMs: number
  sizeBytes = 0
  /** Takes no more records. */
  sealed = false
  inFlight = false
  /** Of its first record; undefined until it is sent for the first time. */
  sequence: number | undefined
  attempts = 0
  /** New epochs that were begun for its sake. */
  epochs = 0
  /** An attempt went out whose fate is not known. */
  adrift = false

  constructor(openedAtMs: number) {
    this.openedAtMs = openedAtMs
  }

  add(record: PendingRecord): void {
    this.records.push(record)
    this.sizeBytes += record.sizeBytes
  }

  /** When the first of its records has waited long enough. */
  get deadlineAtMs(): number {
    return this.records[0]?.deadlineAtMs ?? Number.POSITIVE_INFINITY
  }
}
