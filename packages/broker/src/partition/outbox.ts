// Gathers what one step wants done.
import type { Offset } from '@atoll/records'
import type { IsrProposal } from './assignment.ts'
import type { Answer, Cut, Effects, FetchCheck, ReplicaEvent, ResignReason } from './effects.ts'

const NOTHING: readonly never[] = []

export class Outbox {
  check: FetchCheck | undefined
  proposal: IsrProposal | undefined
  resignation: ResignReason | undefined
  cut: Cut | undefined
  trim: Offset | undefined
  logEndMoved = false
  committedBytes = 0
  highWatermarkMoved = false
  positionMoved = false
  #answers: Answer[] | undefined
  #events: ReplicaEvent[] | undefined

  answer(answer: Answer): void {
    if (this.#answers === undefined) this.#answers = [answer]
    else this.#answers.push(answer)
  }

  tell(event: ReplicaEvent): void {
    if (this.#events === undefined) this.#events = [event]
    else this.#events.push(event)
  }

  /** Everything gathered since the last call. */
  take(wakeAtMs: number): Effects {
    const { check, proposal, resignation, cut, trim, logEndMoved, committedBytes, highWatermarkMoved, positionMoved } = this
    const answers = this.#answers ?? NOTHING
    const events = this.#events ?? NOTHING
    this.check = undefined
    this.proposal = undefined
    this.resignation = undefined
    this.cut = undefined
    this.trim = undefined
    this.logEndMoved = false
    this.committedBytes = 0
    this.highWatermarkMoved = false
    this.positionMoved = false
    this.#answers = undefined
    this.#events = undefined
    return {
      answers,
      check,
      proposal,
      resignation,
      cut,
      trim,
      logEndMoved,
      committedBytes,
      highWatermarkMoved,
      positionMoved,
      events,
      wakeAtMs,
    }
  }
}
