// The addresses a process joins through. Each is asked until it answers or is known as a member's address: the
// processes of a cluster start together, so that a seed is often not there yet, and two halves that each found one seed
// would otherwise never meet.
import type { Address } from './effects.ts'
import { SEEDS_MAX } from './limits.ts'

const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 5_000

interface Seed {
  readonly address: Address
  /** Of the last question; pairs it with its answer. */
  sequence: number
  retryMs: number
  /** Own time. */
  nextAt: number
}

export class Seeds {
  #open: Seed[] = []

  /** Seeds that have not answered yet. */
  get openCount(): number {
    return this.#open.length
  }

  /** Takes up to SEEDS_MAX addresses, to be asked at once. */
  add(addresses: readonly Address[], now: number): void {
    for (const address of addresses) {
      if (this.#open.length >= SEEDS_MAX || this.#open.some(seed => sameAddress(seed.address, address))) continue
      this.#open.push({ address, sequence: 0, retryMs: RETRY_MS_MIN, nextAt: now })
    }
  }

  /** The addresses to ask now. Each is asked under the sequence that `nextSequence` gives it. */
  takeDue(now: number, nextSequence: () => number): { readonly address: Address; readonly sequence: number }[] {
    const due = this.#open.filter(seed => seed.nextAt <= now)
    for (const seed of due) {
      seed.sequence = nextSequence()
      seed.nextAt = now + seed.retryMs
      seed.retryMs = Math.min(RETRY_MS_MAX, seed.retryMs * 2)
    }
    return due
  }

  /** Drops the seed that was asked under `sequence`; true when there was one. */
  answered(sequence: number): boolean {
    const before = this.#open.length
    this.#open = this.#open.filter(seed => seed.sequence !== sequence)
    return this.#open.length < before
  }

  /** Drops the seed at `address`, now known by name. */
  known(address: Address): void {
    if (this.#open.length > 0) this.#open = this.#open.filter(seed => !sameAddress(seed.address, address))
  }

  nextAt(): number {
    return this.#open.reduce((next, seed) => Math.min(next, seed.nextAt), Number.POSITIVE_INFINITY)
  }
}

function sameAddress(a: Address, b: Address): boolean {
  return a.host === b.host && a.port === b.port
}
