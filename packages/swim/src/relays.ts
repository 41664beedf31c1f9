// Probes under way on behalf of others (SWIM section 3.1: the helper's side of an indirect probe; Lifeguard section
// IV-A: the nack).
import type { NodeId } from '@atoll/base'
import { RELAYS_MAX } from './limits.ts'
import type { Sequences } from './sequences.ts'

interface Relay {
  /** Who asked, and the sequence it knows the probe by. */
  readonly asker: NodeId
  readonly sequence: number
  readonly target: NodeId
  /** When the asker is told that nothing was heard so far: before its own timeout, so that it still arrives in time. Own time. */
  readonly nackAt: number
  /** The sequence of this process's ping. */
  readonly ownSequence: number
}

/** At most RELAYS_MAX; one more is not taken on, and its asker misses a helper. */
export class Relays {
  readonly #sequences: Sequences
  /** All have the same patience, so the first added is the first due. */
  readonly #relays = new Map<number, Relay>()

  constructor(sequences: Sequences) {
    this.#sequences = sequences
  }

  get length(): number {
    return this.#relays.size
  }

  add(request: Omit<Relay, 'ownSequence'>): Relay | undefined {
    if (this.#relays.size >= RELAYS_MAX) return undefined
    const relay: Relay = { ...request, ownSequence: this.#sequences.next() }
    this.#relays.set(relay.ownSequence, relay)
    return relay
  }

  /** Ends the relay that `from` answered, and returns it. */
  answered(ownSequence: number, from: NodeId): Relay | undefined {
    const relay = this.#relays.get(ownSequence)
    if (relay === undefined || relay.target !== from) return undefined
    this.#relays.delete(ownSequence)
    return relay
  }

  /** Ends those whose target did not answer in time, and returns them. */
  takeUnanswered(now: number): Relay[] {
    const due: Relay[] = []
    for (const relay of this.#relays.values()) {
      if (relay.nackAt > now) break
      due.push(relay)
    }
    for (const relay of due) this.#relays.delete(relay.ownSequence)
    return due
  }

  nextAt(): number {
    for (const relay of this.#relays.values()) return relay.nackAt
    return Number.POSITIVE_INFINITY
  }
}
