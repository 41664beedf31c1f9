// What the state file says of a log, as it is now: where the log begins, its epochs, its debt. Each change is staged at
// once, so that a full disk refuses the change and not the sync after it.
import { assert } from '@atoll/base'
import type { Offset } from '@atoll/records'
import type { LeaderEpochs } from './leader-epochs.ts'
import { EPOCHS_MAX } from './limits.ts'
import type { LogState, LogStateFile } from './log-state.ts'

export class LogFacts {
  readonly epochs: LeaderEpochs
  readonly #file: LogStateFile
  #logStart: Offset
  #owedEnd: Offset | undefined

  constructor(state: LogState, epochs: LeaderEpochs, file: LogStateFile) {
    this.#logStart = state.logStart
    this.#owedEnd = state.owedEnd
    this.epochs = epochs
    this.#file = file
  }

  get logStart(): Offset {
    return this.#logStart
  }

  get owedEnd(): Offset | undefined {
    return this.#owedEnd
  }

  /** Changes the epochs as told, and start and debt if given. Throws a DiskError, and then nothing changed. */
  change(changeEpochs: (epochs: LeaderEpochs) => void, state: Partial<Pick<LogState, 'logStart' | 'owedEnd'>> = {}): void {
    const { starts } = this.epochs
    changeEpochs(this.epochs)
    const next = { logStart: this.#logStart, owedEnd: this.#owedEnd, ...state, epochs: this.epochs.starts }
    assert(next.epochs.length <= EPOCHS_MAX, 'a log remembers so many epochs')
    try {
      this.#file.stage(next)
    } catch (error) {
      this.epochs.replace(starts)
      throw error
    }
    this.#logStart = next.logStart
    this.#owedEnd = next.owedEnd
  }
}
