// When appended records are on disk. Logs say that they changed; one round of syncs covers all that did, and the next
// round begins when it ends (group commit). How far the logs were durable is put on record every few milliseconds, beside
// the rounds, which do not wait for it: a sync of its own in each would cost as much as the one that it is about.
//
// A sync that fails is never tried again: its log has failed, and nothing above its durable end is to be trusted even if
// it can be read ("Can Applications Recover from fsync Failures?", ATC 2020).
import type { Clock, MonotonicMs } from '@atoll/base'
import type { Offset } from '@atoll/records'
import { isDiskError } from './commit-log-error.ts'
import type { DurableEnds, EndChange } from './durable-ends.ts'
import { SETTLE_MS } from './limits.ts'

/** What is to be synced in a round. */
export interface SyncWork {
  /** The log's end that is durable once `done` resolves. Exclusive. */
  readonly end: Offset
  readonly done: Promise<unknown>
}

/** A log, as its durability sees it. */
export interface SyncTarget {
  readonly name: string
  /** Exclusive: the first offset that is not known to be durable. */
  readonly durableEnd: Offset
  /** Begins syncing everything written so far. What it throws fails the log. */
  beginSync(): SyncWork
  /** Everything below `end` is durable. Answers false when the log does not count any more: it failed or was closed. */
  endSync(end: Offset): boolean
  failSync(error: unknown): void
}

export class Durability {
  readonly #clock: Clock
  readonly #ends: DurableEnds
  readonly #changed = new Set<SyncTarget>()
  /** Logs whose durable end went beyond what is on record. */
  readonly #unrecorded = new Set<SyncTarget>()
  #roundSinceMs: MonotonicMs | undefined
  #startAsked = false
  #settling: { cancel(): void } | undefined
  /** What is being put on record. */
  #recording: Promise<void> = Promise.resolve()
  #failure: unknown
  #rounds = 0

  constructor(clock: Clock, ends: DurableEnds) {
    this.#clock = clock
    this.#ends = ends
  }

  /** When the round under way began; undefined when the disk owes nothing. A leader whose disk hangs sees it here. */
  get roundSinceMs(): MonotonicMs | undefined {
    return this.#roundSinceMs
  }

  /** Rounds begun so far. */
  get rounds(): number {
    return this.#rounds
  }

  /** `target` has something to sync. The next round takes it along. */
  changed(target: SyncTarget): void {
    if (this.#failure !== undefined) {
      this.#clock.endOfTurn(() => target.failSync(this.#failure))
      return
    }
    this.#changed.add(target)
    if (this.#roundSinceMs !== undefined || this.#startAsked) return
    this.#startAsked = true
    // What the rest of this turn appends is in the same round.
    this.#clock.endOfTurn(() => {
      this.#startAsked = false
      this.#start()
    })
  }

  /** Puts an end on record that is below the one there: before a log is cut, or it would look damaged. */
  lower(name: string, end: Offset): Promise<void> {
    return this.#ends.lower(name, end)
  }

  /** `target` is closed. Its durable end is not put on record any more: another may have opened the log and cut it. */
  leave(target: SyncTarget): void {
    this.#changed.delete(target)
    this.#unrecorded.delete(target)
  }

  /** The log is gone, and its name may be used again. */
  async forget(name: string): Promise<void> {
    await this.#ends.write([[name, undefined]])
  }

  /** Records what is not on record yet. Rejects with a DiskError. */
  settle(): Promise<void> {
    this.#settling?.cancel()
    this.#settling = undefined
    const changes = [...this.#unrecorded].map(({ name, durableEnd }): EndChange => [name, durableEnd])
    this.#unrecorded.clear()
    // What is being recorded already has to be as well; changes are written in order.
    if (changes.length > 0) this.#recording = this.#ends.write(changes)
    return this.#recording
  }

  #start(): void {
    if (this.#changed.size === 0 || this.#roundSinceMs !== undefined) return
    this.#roundSinceMs = this.#clock.monotonicMs()
    this.#rounds++
    const targets = [...this.#changed]
    this.#changed.clear()
    void this.#round(targets)
  }

  async #round(targets: readonly SyncTarget[]): Promise<void> {
    const works = targets.map(target => ({ target, work: begin(target) }))
    const outcomes = await Promise.allSettled(works.map(({ work }) => work.done))
    for (const [index, { target, work }] of works.entries()) {
      const outcome = outcomes[index] as PromiseSettledResult<unknown>
      if (outcome.status === 'rejected') target.failSync(diskErrorOnly(outcome.reason))
      else if (this.#failure !== undefined) target.failSync(this.#failure)
      else if (target.endSync(work.end) && target.durableEnd > (this.#ends.get(target.name) ?? 0)) this.#unrecorded.add(target)
    }
    this.#roundSinceMs = undefined
    if (this.#unrecorded.size > 0) this.#settleLater()
    if (this.#failure !== undefined) this.#failAll()
    else this.#start()
  }

  /** One at a time: what becomes durable meanwhile is recorded with the next. */
  #settleLater(): void {
    this.#settling ??= this.#clock.after(SETTLE_MS, () => void this.#settleQuietly())
  }

  /** A log of which nothing can be recorded any more takes nothing any more. */
  #failAll(): void {
    const failed = new Set(this.#changed)
    this.#changed.clear()
    for (const target of failed) target.failSync(this.#failure)
  }

  async #settleQuietly(): Promise<void> {
    try {
      await this.settle()
    } catch (error) {
      // Whoever writes next hears of it, or whose sync is under way.
      this.#failure = diskErrorOnly(error)
      this.#failAll()
    }
  }
}

/** The disk may fail; anything else that does is a bug of ours, and ends the process. */
function diskErrorOnly(error: unknown): unknown {
  if (!isDiskError(error)) throw error
  return error
}

function begin(target: SyncTarget): SyncWork {
  try {
    return target.beginSync()
  } catch (error) {
    return { end: target.durableEnd, done: Promise.reject(error as Error) }
  }
}
