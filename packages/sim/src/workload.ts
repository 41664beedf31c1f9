// What a simulated cluster is used for while it is broken.

import type { PartitionResult, Recorder } from '@atoll/history'

export interface Workload {
  readonly recorder: Recorder
  /** How operations ended, and how often. */
  readonly outcomes: ReadonlyMap<string, number>
  /** What no correct cluster does, noticed while it was used. */
  readonly violations: readonly string[]
  /** Grows with every write that is acknowledged. */
  readonly progress: number
  readonly operations: number
  /** Nothing that was begun is still open. */
  readonly isIdle: boolean
  /** The history that cannot be, once `check` found one. */
  readonly failed: PartitionResult | undefined
  start(): void
  /** Nothing is begun any more. */
  stop(): void
  /** Judges all that was recorded, a sentence for each thing that is wrong. */
  check(): string[]
}
