// One partition as all brokers together have committed it: what is in it never changes, nothing is there twice, and each
// producer's batches are in its order.
import type { BatchHeader } from '@atoll/records'

/** Which batch of which producer it is, whatever place it was given. */
export const identityOf = ({ producerId, baseSequence }: BatchHeader): string => `${producerId}/${baseSequence}`

export interface CommittedBatch {
  readonly base: number
  readonly last: number
  readonly epoch: number
  readonly identity: string
}

export class CommittedLog {
  readonly batches: CommittedBatch[] = []
  readonly #places = new Map<number, number>()
  readonly #bases = new Map<string, number>()
  readonly #nextSequences = new Map<number, number>()

  /** The first offset that nobody has committed. Exclusive. */
  get end(): number {
    return (this.batches.at(-1)?.last ?? -1) + 1
  }

  at(base: number): CommittedBatch | undefined {
    const place = this.#places.get(base)
    return place === undefined ? undefined : this.batches[place]
  }

  /** Where a batch is committed. */
  baseOf(identity: string): number | undefined {
    return this.#bases.get(identity)
  }

  /** What is wrong with a replica that has this batch below its high watermark; undefined when nothing is. */
  take(header: BatchHeader): string | undefined {
    const identity = identityOf(header)
    const known = this.at(header.baseOffset)
    if (known !== undefined) {
      if (known.identity === identity && known.epoch === header.leaderEpoch && known.last === header.lastOffset) return undefined
      return `has ${identity} of epoch ${header.leaderEpoch} at ${header.baseOffset}, where ${known.identity} of epoch ${known.epoch} is committed`
    }
    return header.baseOffset === this.end ? this.#push(header, identity) : `commits at ${header.baseOffset}, after ${this.end}`
  }

  #push(header: BatchHeader, identity: string): string | undefined {
    const { baseOffset, lastOffset, leaderEpoch, producerId, baseSequence, count } = header
    this.#places.set(baseOffset, this.batches.length)
    this.batches.push({ base: baseOffset, last: lastOffset, epoch: leaderEpoch, identity })
    // Without a producer's identity two batches may well be alike.
    if (producerId < 0) return undefined
    const before = this.#bases.get(identity)
    if (before !== undefined) return `commits ${identity} twice, at ${before} and ${baseOffset}`
    this.#bases.set(identity, baseOffset)
    const expected = this.#nextSequences.get(producerId) ?? 0
    this.#nextSequences.set(producerId, baseSequence + count)
    return baseSequence === expected ? undefined : `commits ${identity} where ${expected} of that producer was due`
  }
}
