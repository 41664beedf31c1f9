// What the agreed commands act on, as the driver needs it.

/** A state as of one entry of the log, while the state itself goes on. */
export interface StateImage {
  /** Its bytes, a slice at a time. */
  slices(): Iterable<Uint8Array>
  close(): void
}

/** Synchronous and deterministic: every coordinator makes the same of the same log. */
export interface StateMachine<Result> {
  /** The command of the entry at `index`, the one after what was applied last. */
  apply(command: Uint8Array, index: number): Result
  /** An entry without a command stands at `index`. */
  skip(index: number): void
  /** The state as it is now. */
  image(): StateImage
  /** Becomes what `pieces` say, once they end. */
  restore(pieces: AsyncIterable<Uint8Array>): Promise<void>
}
