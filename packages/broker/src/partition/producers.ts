// What a partition knows of its idempotent producers (KIP-98): per producer its epoch and its last batches, so that a
// batch sent again is answered with the offset it got the first time. All of it is derived from the log, on followers as on
// leaders, or a failover would forget it (apache/kafka ProducerStateManager, ProducerAppendInfo).
import { assert } from '@atoll/base'
import type { BatchHeader, Offset } from '@atoll/records'
import { sequenceAfter } from '@atoll/records'
import { PRODUCER_BATCHES, PRODUCERS_MAX } from './limits.ts'

export interface ProducerBatch {
  readonly firstSequence: number
  /** Inclusive. */
  readonly lastSequence: number
  readonly firstOffset: Offset
  /** Inclusive. */
  readonly lastOffset: Offset
}

export interface ProducerEntry {
  readonly producerId: number
  readonly epoch: number
  /** The oldest first; at least one, at most five. */
  readonly batches: readonly ProducerBatch[]
}

interface Producer {
  epoch: number
  batches: ProducerBatch[]
  /** When it last wrote, by this replica's clock. */
  activeMs: number
}

export type SequenceVerdict =
  | { readonly kind: 'next' }
  | { readonly kind: 'duplicate'; readonly batch: ProducerBatch }
  | { readonly kind: 'out_of_order_sequence' | 'invalid_producer_epoch' }

const next: SequenceVerdict = { kind: 'next' }
const outOfOrder: SequenceVerdict = { kind: 'out_of_order_sequence' }
const oldEpoch: SequenceVerdict = { kind: 'invalid_producer_epoch' }

export class ProducerStates {
  /** In the order in which they last wrote. */
  readonly #producers = new Map<number, Producer>()
  readonly #producersMax: number

  constructor(producersMax: number = PRODUCERS_MAX) {
    this.#producersMax = producersMax
  }

  get size(): number {
    return this.#producers.size
  }

  /** Whether a producer's batch continues what it wrote here before. A producer that is not known may begin anywhere. */
  check(header: BatchHeader): SequenceVerdict {
    const { producerId, producerEpoch, baseSequence } = header
    if (producerId < 0) return next
    const producer = this.#producers.get(producerId)
    if (producer === undefined) return next
    if (producerEpoch < producer.epoch) return oldEpoch
    if (producerEpoch > producer.epoch) return baseSequence === 0 ? next : outOfOrder
    const lastSequence = lastSequenceOf(header)
    for (const batch of producer.batches)
      if (batch.firstSequence === baseSequence && batch.lastSequence === lastSequence) return { kind: 'duplicate', batch }
    const newest = producer.batches.at(-1)
    return newest === undefined || sequenceAfter(newest.lastSequence, 1) === baseSequence ? next : outOfOrder
  }

  /** A batch is in the log: `header` with the offsets it has there. */
  appended(header: BatchHeader, firstOffset: Offset, now: number): void {
    const { producerId, producerEpoch, baseSequence, control } = header
    if (producerId < 0 || control) return
    const lastSequence = lastSequenceOf(header)
    const lastOffset = (firstOffset + (header.lastOffset - header.baseOffset)) as Offset
    const batch = { firstSequence: baseSequence, lastSequence, firstOffset, lastOffset }
    const known = this.#producers.get(producerId)
    if (known !== undefined) this.#producers.delete(producerId)
    const producer = known ?? { epoch: producerEpoch, batches: [], activeMs: now }
    if (producer.epoch !== producerEpoch) producer.batches = []
    producer.epoch = producerEpoch
    producer.activeMs = now
    if (producer.batches.length === PRODUCER_BATCHES) producer.batches.shift()
    producer.batches.push(batch)
    this.#producers.set(producerId, producer)
    if (this.#producers.size > this.#producersMax) this.#forgetOldest()
  }

  /** Forgets producers that have been silent since before `sinceMs`. */
  expire(sinceMs: number): void {
    for (const [producerId, { activeMs }] of this.#producers) {
      if (activeMs >= sinceMs) return
      this.#producers.delete(producerId)
    }
  }

  /** When the producer that was silent longest last wrote. */
  get oldestActiveMs(): number {
    for (const { activeMs } of this.#producers.values()) return activeMs
    return Number.POSITIVE_INFINITY
  }

  /** For a snapshot, the one that was silent longest first. */
  entries(): readonly ProducerEntry[] {
    return [...this.#producers].map(([producerId, { epoch, batches }]) => ({ producerId, epoch, batches: [...batches] }))
  }

  /** From a snapshot: `entries` come before anything else. */
  restore(entries: readonly ProducerEntry[], now: number): void {
    assert(this.#producers.size === 0, 'a snapshot is restored into nothing')
    for (const { producerId, epoch, batches } of entries) this.#producers.set(producerId, { epoch, batches: [...batches], activeMs: now })
  }

  #forgetOldest(): void {
    for (const producerId of this.#producers.keys()) {
      this.#producers.delete(producerId)
      return
    }
  }
}

/** A compacted batch may hold fewer records than its span: the span is what counts. */
function lastSequenceOf({ baseSequence, baseOffset, lastOffset }: BatchHeader): number {
  return sequenceAfter(baseSequence, lastOffset - baseOffset)
}
