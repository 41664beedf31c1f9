// Which partition a record goes to. With a key: the one that Kafka’s default partitioner chooses, so that all clients agree.
// Without: by the producer’s choice the same one until a batch is full, which makes fewer and larger batches (KIP-480), or
// each in turn.
import type { Random } from '@atoll/base'
import { murmur2 } from './murmur2.ts'

/** How records without a key are spread: `sticky` fills a batch before it goes on, `round-robin` takes each partition in turn. */
export type Spreading = 'sticky' | 'round-robin'
/** Chooses a partition, from 0 to `partitions` - 1. */
export type Partitioner = (key: Uint8Array | null, partitions: number) => number

/** Where Kafka’s clients put that key by default. */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fff_ffff) % partitions
}

/** Chooses for the records of one topic. */
export class PartitionChoice {
  readonly #how: Spreading | Partitioner
  readonly #random: Random
  #stuckTo: number | undefined
  #turn: number

  constructor(how: Spreading | Partitioner, random: Random) {
    this.#how = how
    this.#random = random
    this.#turn = 0
  }

  /** `hasLeader`: records without a key go where they can be taken now, if there is such a partition. */
  choose(key: Uint8Array | null, partitions: number, hasLeader: (partition: number) => boolean): number {
    if (typeof this.#how === 'function') return this.#how(key, partitions)
    if (key !== null) return partitionOfKey(key, partitions)
    if (this.#how === 'round-robin') return this.#next(partitions, hasLeader)
    const stuckTo = this.#stuckTo
    if (stuckTo !== undefined && stuckTo < partitions && hasLeader(stuckTo)) return stuckTo
    this.#turn = Math.floor(this.#random.float() * partitions)
    this.#stuckTo = this.#next(partitions, hasLeader)
    return this.#stuckTo
  }

  /** A batch for that partition is full: the next records go elsewhere. */
  batchFull(partition: number): void {
    if (this.#stuckTo === partition) this.#stuckTo = undefined
  }

  #next(partitions: number, hasLeader: (partition: number) => boolean): number {
    for (let step = 0; step < partitions; step++) {
      const partition = (this.#turn + step) % partitions
      if (!hasLeader(partition)) continue
      this.#turn = partition + 1
      return partition
    }
    return this.#turn++ % partitions
  }
}
