// The offsets that one group has committed: the last one stored for each partition. One that is not stored yet counts for
// nobody, so what a client was told it can go on from is still there at the next coordinator.

import type { FetchedOffset, FetchRequest, OffsetPlace } from './group-messages.ts'
import type { StoredOffset } from './group-records.ts'

export interface CommittedOffset extends OffsetPlace {
  readonly value: StoredOffset
}

export class GroupOffsets {
  readonly #topics = new Map<string, Map<number, StoredOffset>>()
  #size = 0
  /** Commits and deletions on their way. */
  storing = 0

  get size(): number {
    return this.#size
  }

  get({ topic, partition }: OffsetPlace): StoredOffset | undefined {
    return this.#topics.get(topic)?.get(partition)
  }

  /** What was stored; undefined for a deletion. */
  apply({ topic, partition }: OffsetPlace, value: StoredOffset | undefined): void {
    const partitions = this.#topics.get(topic)
    if (value === undefined) {
      if (partitions?.delete(partition) === true) this.#size--
      if (partitions?.size === 0) this.#topics.delete(topic)
      return
    }
    if (partitions?.has(partition) !== true) this.#size++
    if (partitions === undefined) this.#topics.set(topic, new Map([[partition, value]]))
    else partitions.set(partition, value)
  }

  *entries(): Generator<CommittedOffset, void> {
    for (const [topic, partitions] of this.#topics) for (const [partition, value] of partitions) yield { topic, partition, value }
  }

  *ofTopic(topic: string): Generator<CommittedOffset, void> {
    for (const [partition, value] of this.#topics.get(topic) ?? []) yield { topic, partition, value }
  }
}

/** What a group that may not be there is answered. */
export function fetchedOffsets({ places }: FetchRequest, offsets: GroupOffsets | undefined): FetchedOffset[] {
  const none = { offset: -1, leaderEpoch: -1, metadata: '' }
  if (places === undefined)
    return [...(offsets?.entries() ?? [])].map(({ topic, partition, value }) => ({ topic, partition, ...pick(value) }))
  return places.map(({ topic, partition }) => ({ topic, partition, ...pick(offsets?.get({ topic, partition }) ?? none) }))
}

const pick = ({ offset, leaderEpoch, metadata }: Omit<StoredOffset, 'commitTimestamp'>) => ({ offset, leaderEpoch, metadata })
