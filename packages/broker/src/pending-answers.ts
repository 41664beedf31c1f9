// Producers and deletions that wait for a replica's answer, as promises; and the error that each refusal becomes.
import { ProtocolError } from '@atoll/protocol'
import type { Offset } from '@atoll/records'
import type { Answer, ProduceDoubt, ProduceRefusal } from './partition/effects.ts'

export interface Produced {
  readonly firstOffset: Offset
  readonly logStart: Offset
  readonly duplicate: boolean
}

interface Waiting<T> {
  readonly resolve: (answer: T) => void
  readonly reject: (error: ProtocolError) => void
}

const refusals: Readonly<Record<ProduceRefusal | ProduceDoubt, ProtocolError['code']>> = {
  not_leader: 'not_partition_leader',
  not_enough_replicas: 'not_enough_replicas',
  too_many_requests: 'too_many_requests',
  disk_full: 'log_disk_full',
  disk_failed: 'log_disk_failed',
  invalid_batch: 'invalid_batch',
  out_of_order_sequence: 'out_of_order_sequence',
  invalid_producer_epoch: 'invalid_producer_epoch',
  leadership_lost: 'partition_leadership_lost',
  not_enough_replicas_after_append: 'not_enough_replicas_after_append',
  request_timed_out: 'request_timed_out',
}

const deletionRefusals = {
  not_leader: 'not_partition_leader',
  out_of_range: 'offset_out_of_range',
  too_many_requests: 'too_many_requests',
  request_timed_out: 'request_timed_out',
} as const

export class PendingAnswers {
  readonly #producers = new Map<number, Waiting<Produced>>()
  readonly #deletions = new Map<number, Waiting<Offset>>()

  /** Resolves with the answer to the batch that `ask` hands in, under this id. */
  produced(requestId: number, ask: () => void): Promise<Produced> {
    return new Promise((resolve, reject) => {
      this.#producers.set(requestId, { resolve, reject })
      ask()
    })
  }

  /** Resolves with the low watermark. */
  deleted(requestId: number, ask: () => void): Promise<Offset> {
    return new Promise((resolve, reject) => {
      this.#deletions.set(requestId, { resolve, reject })
      ask()
    })
  }

  answer(answer: Answer): void {
    const { requestId } = answer
    if (answer.kind === 'deleted' || answer.kind === 'delete_refused') {
      const waiting = this.#deletions.get(requestId)
      this.#deletions.delete(requestId)
      if (answer.kind === 'deleted') waiting?.resolve(answer.lowWatermark)
      else waiting?.reject(new ProtocolError(deletionRefusals[answer.reason]))
      return
    }
    const waiting = this.#producers.get(requestId)
    this.#producers.delete(requestId)
    if (answer.kind === 'produced') waiting?.resolve(answer)
    else waiting?.reject(new ProtocolError(refusals[answer.reason]))
  }
}
