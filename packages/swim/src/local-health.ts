// Local health (Lifeguard section IV-A): a member that misses answers others would have got suspects itself first, and
// grows more patient. The score multiplies its probe interval and its timeouts.

const SCORE_MAX = 7

export class LocalHealth {
  #score = 0

  /** 0 is healthy, 7 the worst. */
  get score(): number {
    return this.#score
  }

  /** What intervals and timeouts are multiplied by: 1 to 8. */
  get multiplier(): number {
    return this.#score + 1
  }

  probeSucceeded(): void {
    this.#add(-1)
  }

  /**
   * Nobody answered for the target. If every helper sent a nack, the fault lies with the target; each missing one
   * says that messages to or from this process are late too. Without helpers there is no telling, so it counts.
   */
  probeFailed(helpers: number, nacks: number): void {
    this.#add(helpers === 0 ? 1 : Math.max(0, helpers - nacks))
  }

  /** Others suspected this process: it may be slow to answer. */
  refuted(): void {
    this.#add(1)
  }

  stalled(): void {
    this.#add(1)
  }

  #add(delta: number): void {
    this.#score = Math.min(SCORE_MAX, Math.max(0, this.#score + delta))
  }
}
