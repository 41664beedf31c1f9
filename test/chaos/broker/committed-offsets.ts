// What a group's committed offsets may be when they are read: nothing older than what was acknowledged before. A commit of
// which nobody knows may take effect later, and a client that commits something older has itself to blame: kafkajs does both,
// when it tries a commit again after it has joined anew.

/** Nothing is committed. */
const NONE = -1

export class CommittedOffsets {
  /** Acknowledged last, or read since, by partition. */
  readonly #known = new Map<number, number>()
  /** Asked for, and perhaps not over. */
  readonly #doubtful = new Map<number, Set<number>>()

  /** The client is about to ask for it, perhaps more than once. */
  asked(partition: number, offset: number): void {
    const doubtful = this.#doubtful.get(partition)
    if (doubtful === undefined) this.#doubtful.set(partition, new Set([offset]))
    else doubtful.add(offset)
  }

  /** It was acknowledged; `atOnce`: to the first request that asked for it, so that no other is under way. */
  acknowledged(partition: number, offset: number, atOnce: boolean): void {
    this.#known.set(partition, offset)
    if (atOnce) this.#doubtful.get(partition)?.delete(offset)
  }

  /** Begins to read: judges what is read then, by partition, in a sentence when it is wrong. */
  reading(): (partition: number, offset: number) => string | undefined {
    const before = new Map(this.#known)
    return (partition, offset) => {
      const floor = Math.min(before.get(partition) ?? NONE, this.#known.get(partition) ?? NONE)
      const wrong = offset < floor && this.#doubtful.get(partition)?.has(offset) !== true
      if (wrong) return `the committed offset of partition ${partition} is ${offset} after ${floor}`
      this.#known.set(partition, Math.max(offset, this.#known.get(partition) ?? NONE))
      return undefined
    }
  }
}
