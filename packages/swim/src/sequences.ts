// Sequence numbers that pair an ack with its ping. They start anywhere, so that a late answer to an earlier life of
// this process is not taken for one to this life, and wrap at 2^32.
import type { Random } from '@atoll/base'

export class Sequences {
  #last: number

  constructor(random: Random) {
    this.#last = random.u32()
  }

  next(): number {
    this.#last = (this.#last + 1) >>> 0
    return this.#last
  }
}
