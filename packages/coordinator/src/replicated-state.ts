// The coordinator's state as the machine that the agreed log drives.
import { type Applied, CommandCodec, CoordinatorState, Snapshot, SnapshotReader } from './core/index.ts'
import type { StateImage, StateMachine } from './state-machine.ts'

export class ReplicatedState implements StateMachine<Applied> {
  readonly codec = new CommandCodec()
  #state = new CoordinatorState()

  /** Another one after a snapshot was taken over from the leader. */
  get state(): CoordinatorState {
    return this.#state
  }

  apply(command: Uint8Array, index: number): Applied {
    return this.#state.apply(this.codec.decode(command), index)
  }

  skip(index: number): void {
    this.#state.skip(index)
  }

  image(): StateImage {
    return new Snapshot(this.#state)
  }

  async restore(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const reader = new SnapshotReader()
    for await (const piece of pieces) reader.push(piece)
    this.#state = reader.finish()
  }
}
