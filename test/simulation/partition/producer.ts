// An idempotent producer: it sends its batches in order, a few ahead of the first that is not answered, and each again
// until it is acknowledged, wherever the leader is by then.
import type { Random } from '@atoll/base'
import { encodeBatch } from '@atoll/records'
import type { Message } from './messages.ts'

export interface ProducerWorld {
  readonly now: number
  readonly random: Random
  newRequest(): number
  leaderOf(key: string): string
  sendFrom(client: string, to: string, message: Message): void
  acked(client: string, key: string, identity: string, firstOffset: number): void
  refused(reason: string): void
}

interface Outstanding {
  readonly number: number
  readonly sequence: number
  readonly batch: Uint8Array
  requestId: number | undefined
  sentMs: number
  isRetry: boolean
}

const VALUE = new Uint8Array(4)
const IN_FLIGHT_MAX = 5
const TIMEOUT_MS = 600

export class SimulatedProducer {
  readonly name: string
  readonly key: string
  readonly #producerId: number
  readonly #world: ProducerWorld
  #outstanding: Outstanding[] = []
  #sequence = 0
  #number = 0
  isStopped = false

  constructor(name: string, producerId: number, key: string, world: ProducerWorld) {
    this.name = name
    this.key = key
    this.#producerId = producerId
    this.#world = world
  }

  get isDone(): boolean {
    return this.#outstanding.length === 0
  }

  work(): void {
    const { now, random } = this.#world
    for (const batch of this.#outstanding) {
      if (batch.requestId === undefined || now - batch.sentMs < TIMEOUT_MS) continue
      batch.requestId = undefined
      batch.isRetry = true
    }
    const first = this.#outstanding.find(({ isRetry }) => isRetry)
    // What is sent again goes one at a time, in order; nothing new overtakes it.
    if (first !== undefined) {
      if (first === this.#outstanding[0] && first.requestId === undefined) this.#send(first)
      return
    }
    const ahead = this.#outstanding[0] === undefined ? 0 : this.#number - this.#outstanding[0].number
    // Answers come in the order of requests on a connection, so no more than these can follow one without an answer.
    if (this.isStopped || ahead >= IN_FLIGHT_MAX || random.float() < 0.3) return
    // A producer that no leader knows yet may begin anywhere: its first batch goes alone.
    if (this.#outstanding[0]?.sequence === 0) return
    this.#send(this.#next())
  }

  produced({ requestId, outcome, firstOffset }: Extract<Message, { kind: 'produced' }>): void {
    const batch = this.#outstanding.find(other => other.requestId === requestId)
    if (batch === undefined) return
    if (outcome === 'ok') {
      this.#outstanding = this.#outstanding.filter(other => other !== batch)
      this.#world.acked(this.name, this.key, `${this.#producerId}/${batch.sequence}`, firstOffset)
      return
    }
    this.#world.refused(outcome)
    batch.requestId = undefined
    batch.isRetry = true
  }

  #next(): Outstanding {
    const { random, now } = this.#world
    const sequence = this.#sequence
    const records = Array.from({ length: 1 + random.below(3) }, () => ({ timestampMs: Math.floor(now), key: null, value: VALUE }))
    this.#sequence += records.length
    const producer = { id: this.#producerId, epoch: 0, baseSequence: sequence }
    const batch = encodeBatch(records, { crc32c: () => 0, producer })
    const outstanding = { number: this.#number++, sequence, batch, requestId: undefined, sentMs: 0, isRetry: false }
    this.#outstanding.push(outstanding)
    return outstanding
  }

  #send(batch: Outstanding): void {
    const requestId = this.#world.newRequest()
    batch.requestId = requestId
    batch.sentMs = this.#world.now
    const { name, key } = this
    const message = { kind: 'produce', requestId, key, batch: batch.batch, acks: 'all', timeoutMs: 500 } as const
    this.#world.sendFrom(name, this.#world.leaderOf(key), message)
  }
}
