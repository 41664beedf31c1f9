// Records what clients do, in memory. One recorder serves all clients of one process. Its stamps never repeat, so what was
// recorded later is later: in one thread that is the truth, and it keeps a virtual clock, which stands still, from making
// everything concurrent.
import { assert, InvariantError, type MonotonicMs } from '@atoll/base'
import { HistoryError } from './history-error.ts'
import { OPERATIONS_MAX } from './limits.ts'
import type { HistoryRecord } from './operation.ts'

/** The least distance between two stamps: a nanosecond. A double holds it for 26 days after the clock's origin. */
const STAMP_STEP_MS = 1e-6

export interface RecorderOptions {
  /** A monotonic clock; recorders whose histories are put together share its origin. */
  readonly now: () => MonotonicMs
  /** Operations taken before `invoke` refuses. */
  readonly operationsMax?: number
  /** First process and operation id, so that the ids of several recorders do not meet. */
  readonly firstId?: number
}

export class Recorder {
  readonly #now: () => MonotonicMs
  readonly #operationsMax: number
  readonly #records: HistoryRecord[] = []
  #operations = 0
  #nextOperation: number
  #nextProcess: number
  #lastStamp = -Infinity

  constructor({ now, operationsMax = OPERATIONS_MAX, firstId = 0 }: RecorderOptions) {
    this.#now = now
    this.#operationsMax = operationsMax
    this.#nextOperation = firstId
    this.#nextProcess = firstId
  }

  get records(): readonly HistoryRecord[] {
    return this.#records
  }

  /** True when no further operation is taken. Those outstanding can still complete. */
  get full(): boolean {
    return this.#operations >= this.#operationsMax
  }

  /** A client that talks to `node`, or to whichever it likes when null. */
  client(node: string | null = null): RecordedClient {
    return new RecordedClient(this, node)
  }

  newProcess(): number {
    return this.#nextProcess++
  }

  /** Throws when full, before the operation happens: one that happened but was not recorded would make the history a lie. */
  invoke(process: number, f: string, key: string, value: unknown, node: string | null): HistoryRecord {
    if (this.full) throw new HistoryError([`the recorder is full: ${this.#operationsMax} operations`])
    this.#operations++
    const operation = this.#nextOperation++
    const record: HistoryRecord = { process, operation, type: 'invoke', f, key, value, node, t0: this.#stamp(), t1: null, error: null }
    this.#records.push(record)
    return record
  }

  complete(invocation: HistoryRecord, type: 'ok' | 'fail' | 'info', value: unknown, error: string | null): void {
    this.#records.push({ ...invocation, type, value, t1: this.#stamp(), error })
  }

  #stamp(): MonotonicMs {
    this.#lastStamp = Math.max(this.#now(), this.#lastStamp + STAMP_STEP_MS)
    return this.#lastStamp as MonotonicMs
  }
}

/** One client, which does one thing at a time. It takes a new process id after an operation whose outcome nobody knows. */
export class RecordedClient {
  readonly #recorder: Recorder
  readonly node: string | null
  #process: number
  #open: HistoryRecord | undefined

  constructor(recorder: Recorder, node: string | null) {
    this.#recorder = recorder
    this.node = node
    this.#process = recorder.newProcess()
  }

  get process(): number {
    return this.#process
  }

  /**
   * Does `act` and records it: what it resolves to is the answer (null for undefined). When it throws, `outcomeOf` says
   * whether the operation may have taken effect, and the error goes on to the caller. In doubt, `indefinite`.
   */
  async run<Answer>(
    f: string,
    key: string,
    value: unknown,
    act: () => Promise<Answer>,
    outcomeOf: (error: unknown) => 'definite' | 'indefinite',
  ): Promise<Answer> {
    this.invoke(f, key, value)
    let answer: Answer
    try {
      answer = await act()
    } catch (error) {
      const definite = !(error instanceof InvariantError) && outcomeOf(error) === 'definite'
      if (definite) this.fail(String(error))
      else this.info(String(error))
      throw error
    }
    this.ok(answer ?? null)
    return answer
  }

  invoke(f: string, key: string, value: unknown): void {
    assert(this.#open === undefined, 'a client does one thing at a time')
    this.#open = this.#recorder.invoke(this.#process, f, key, value, this.node)
  }

  ok(value: unknown): void {
    this.#complete('ok', value, null)
  }

  /** Certainly not applied. */
  fail(error: string): void {
    this.#complete('fail', null, error)
  }

  /** Nobody knows whether it was or will be applied. */
  info(error: string): void {
    this.#complete('info', null, error)
    this.#process = this.#recorder.newProcess()
  }

  #complete(type: 'ok' | 'fail' | 'info', value: unknown, error: string | null): void {
    assert(this.#open !== undefined, 'only what was invoked completes')
    this.#recorder.complete(this.#open, type, value, error)
    this.#open = undefined
  }
}
