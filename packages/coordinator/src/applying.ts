// Applies what is committed and durable to the state machine, in order, a slice at a time, and takes over a snapshot that
// the leader sent. What cannot be applied, such as a command of a later version, ends the process: guessing would make of
// the same log another state.
import { assert, type Clock, type Timer } from '@atoll/base'
import { type Entry, type LogIndex, logIndex } from '@atoll/raft'
import type { RaftStore } from './adapters/raft-log.ts'
import { APPLY_SLICE_ENTRIES, LOAD_BYTES } from './limits.ts'
import type { StateMachine } from './state-machine.ts'

export interface ApplyingOptions<Result> {
  readonly clock: Clock
  readonly store: RaftStore
  readonly machine: StateMachine<Result>
  /** How far the machine is. */
  readonly applied: LogIndex
  /** Every entry, right after it was applied. */
  readonly onEntry: (entry: Entry, result: Result | undefined) => void
  /** Once per slice. */
  readonly onApplied: (index: LogIndex) => void
  readonly onFatal: (error: unknown) => void
}

export class Applying<Result> {
  readonly #options: ApplyingOptions<Result>
  #applied: LogIndex
  #through: LogIndex
  /** Read and not applied yet, from place `#at` on. All of it is committed, so it stays what it is. */
  #ready: readonly Entry[] = []
  #at = 0
  #restoring = false
  #soon: Timer | undefined
  #stopped = false

  constructor(options: ApplyingOptions<Result>) {
    this.#options = options
    this.#applied = options.applied
    this.#through = options.applied
  }

  /** Everything up to here is applied. */
  get applied(): LogIndex {
    return this.#applied
  }

  /** Everything up to `index` may be applied. */
  allow(index: LogIndex): void {
    this.#through = index
    this.go()
  }

  /** Applies what may be and can be read. */
  go(): void {
    if (this.#restoring || this.#stopped || this.#soon !== undefined) return
    const { clock, onApplied } = this.#options
    const before = this.#applied
    this.#slice(before + APPLY_SLICE_ENTRIES)
    if (this.#applied === before) return
    onApplied(this.#applied)
    if (this.#applied < this.#through)
      this.#soon = clock.after(0, () => {
        this.#soon = undefined
        this.go()
      })
  }

  /** Becomes the snapshot on the disk, which is the state as of `index`. Rejects when that cannot be read. */
  async restore(index: LogIndex): Promise<void> {
    const { machine, store } = this.#options
    this.#restoring = true
    this.#ready = []
    this.#at = 0
    await machine.restore(store.snapshots.state())
    this.#restoring = false
    this.#applied = index
  }

  stop(): void {
    this.#stopped = true
    this.#soon?.cancel()
  }

  #slice(end: number): void {
    while (this.#applied < this.#through && this.#applied < end && !this.#stopped) {
      const entry = this.#next()
      if (entry === undefined) return
      this.#apply(entry)
    }
  }

  /** The next entry; undefined while it is being read. */
  #next(): Entry | undefined {
    if (this.#at === this.#ready.length) {
      const batches = this.#options.store.batchesFrom(logIndex(this.#applied + 1), LOAD_BYTES)
      // The store says when they are there.
      if (batches === undefined) return undefined
      this.#at = 0
      this.#ready = batches.flatMap(({ entries }) => entries.filter(({ index }) => index > this.#applied && index <= this.#through))
      assert(this.#ready[0]?.index === this.#applied + 1, 'what is committed and durable can be read')
    }
    return this.#ready[this.#at++]
  }

  #apply(entry: Entry): void {
    const { machine, onEntry, onFatal } = this.#options
    const { index, payload } = entry
    let result: Result | undefined
    try {
      if (payload.kind === 'command') result = machine.apply(payload.bytes, index)
      else machine.skip(index)
    } catch (error) {
      return onFatal(error)
    }
    this.#applied = index
    onEntry(entry, result)
  }
}
