// A producer: from what an application has in hand to batches on their way. Records are numbered off in the order of the
// calls, whatever each has to wait for: its schema, the topic, or room in the buffer.
import type { Timer } from '@atoll/base'
import { ProtocolError } from '@atoll/protocol'
import { type NewRecord, type RecordHeader, recordSizeMax } from '@atoll/records'
import { AtollError } from '../atoll-error.ts'
import { WaitingList } from '../waiting-list.ts'
import type { PendingRecord, Sent } from './batch.ts'
import { after } from './codec.ts'
import { RECORD_BYTES_MAX, SENDS_WAITING_MAX } from './limits.ts'
import type { LogParts } from './log-parts.ts'
import { PartitionQueue } from './partition-queue.ts'
import { PartitionChoice } from './partitioner.ts'
import { ProducerIdentity } from './producer-identity.ts'
import { type ProducerOptions, type ResolvedProducerOptions, resolveProducerOptions } from './producer-options.ts'
import { type Coders, isRecord, type RecordInput } from './record.ts'
import type { TopicFollower } from './topic-follower.ts'

export type { Sent } from './batch.ts'

interface Encoded {
  readonly record: NewRecord
  readonly sizeBytes: number
  readonly partition: number | undefined
}

interface Waiting {
  readonly encoded: Encoded | Promise<Encoded>
  readonly begunAtMs: number
  readonly deadlineAtMs: number
  readonly settle: (outcome: Sent | AtollError) => void
}

interface Flush {
  left: number
  readonly upTo: number
  readonly done: () => void
}

export interface ProducerParts {
  readonly log: LogParts
  readonly topic: TopicFollower
  readonly coders: Coders
  readonly deadlines: ConstructorParameters<typeof WaitingList>[1]
  readonly onClosed: () => void
}

/** What went wrong is told elsewhere; a bug is not swallowed. */
function expectAtollError(error: unknown): void {
  if (!(error instanceof AtollError)) throw error
}

export class Producer<K, V, H> implements AsyncDisposable {
  readonly #parts: ProducerParts
  readonly #options: ResolvedProducerOptions
  readonly #identity: ProducerIdentity
  readonly #choice: PartitionChoice
  readonly #queues = new Map<number, PartitionQueue>()
  readonly #room: WaitingList
  readonly #waiting: Waiting[] = []
  #admitting = false
  #admitsSoon = false
  #bufferedBytes = 0
  #release: (() => void) | undefined
  #begun = 0
  #pending = 0
  #flushes: Flush[] = []
  /** The first failure that no `flush` has told of. */
  #failure: AtollError | undefined
  #expiry: Timer | undefined
  #closed: AtollError | undefined

  constructor(parts: ProducerParts, options: ProducerOptions = {}) {
    this.#parts = parts
    this.#options = resolveProducerOptions(options, parts.log)
    this.#identity = new ProducerIdentity(parts.log.brokers)
    this.#choice = new PartitionChoice(this.#options.partitioner, parts.log.random)
    this.#room = new WaitingList(parts.log.clock, parts.deadlines)
  }

  /** Bytes of records that are not acknowledged. */
  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /**
   * Sends a record, or a value alone. Resolves with its place once it is acknowledged; rejects with an AtollError, whose
   * outcome says whether it may be in the log. Calls keep their order in each partition.
   */
  send(input: V | RecordInput<K, V, H>): Promise<Sent> {
    const sent = new Promise<Sent>((resolve, reject) => {
      this.#begin(input, outcome => (outcome instanceof AtollError ? reject(outcome) : resolve(outcome)))
    })
    // Whoever does not look hears of it from `flush`.
    sent.catch(() => {
      // Told by the promise itself, too.
    })
    return sent
  }

  /** Sends many, with room waited for; resolves when all are acknowledged, with their places in order. */
  async sendBatch(inputs: Iterable<V | RecordInput<K, V, H>> | AsyncIterable<V | RecordInput<K, V, H>>): Promise<Sent[]> {
    const sent: Promise<Sent>[] = []
    for await (const input of inputs) {
      await this.room()
      sent.push(this.send(input))
    }
    return Promise.all(sent)
  }

  /** Resolves when one more record can be taken at once: what to await when acknowledgements are not awaited one by one. */
  async room(signal?: AbortSignal): Promise<void> {
    while (this.#closed === undefined && (this.#waiting.length > 0 || this.#bufferedBytes >= this.#options.bufferBytes)) {
      try {
        await this.#room.wait({ deadlineAtMs: this.#nowMs + this.#options.timeoutMs, signal })
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error
        throw new AtollError(error.code, `log_produce: no room in the buffer: ${error.message}`, {
          operation: 'log_produce',
          outcome: 'definite',
          cause: error,
        })
      }
    }
    if (this.#closed !== undefined) throw this.#closed
  }

  /**
   * Sends what lingers, and resolves when everything sent so far is acknowledged. Rejects with the first failure since the
   * last flush, for whoever does not await each record.
   */
  async flush(): Promise<void> {
    const before = this.#pending
    if (before > 0)
      await new Promise<void>(done => {
        this.#flushes.push({ left: before, upTo: this.#begun, done })
        for (const queue of this.#queues.values()) queue.flush()
      })
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) throw failure
  }

  /** Waits for what was sent, then lets go of everything. Never rejects: what failed was told. */
  async close(): Promise<void> {
    if (this.#closed === undefined) await this.flush().catch(expectAtollError)
    this.end(new AtollError('client_closed', 'log_produce: the producer was closed', { operation: 'log_produce' }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Ends at once: what is not acknowledged fails with `error`. */
  end(error: AtollError): void {
    if (this.#closed !== undefined) return
    this.#closed = error
    this.#expiry?.cancel()
    for (const { settle } of this.#waiting.splice(0)) settle(this.#definite(error.code, error.message))
    for (const queue of this.#queues.values()) queue.close(error)
    this.#room.wakeAll()
    this.#release?.()
    this.#parts.onClosed()
  }

  get #nowMs(): number {
    return this.#parts.log.clock.monotonicMs()
  }

  #begin(input: V | RecordInput<K, V, H>, told: (outcome: Sent | AtollError) => void): void {
    const ordinal = ++this.#begun
    this.#pending++
    const settle = (outcome: Sent | AtollError): void => {
      this.#pending--
      if (outcome instanceof AtollError) this.#failure ??= outcome
      told(outcome)
      this.#settled(ordinal)
    }
    if (this.#closed !== undefined) return settle(this.#definite('client_closed', 'the producer is closed'))
    if (this.#waiting.length >= SENDS_WAITING_MAX)
      return settle(this.#definite('too_many_requests', `${SENDS_WAITING_MAX} records wait for room: await room() or send() first`))
    this.#release ??= this.#parts.topic.use(() => this.#topicChanged())
    try {
      const encoded = this.#encode(input)
      if (encoded instanceof Promise) encoded.catch(expectAtollError) // told when it is its turn
      const begunAtMs = this.#nowMs
      this.#waiting.push({ encoded, begunAtMs, deadlineAtMs: begunAtMs + this.#options.timeoutMs, settle })
    } catch (error) {
      if (!(error instanceof AtollError)) throw error
      return settle(error)
    }
    this.#admit()
  }

  #encode(input: V | RecordInput<K, V, H>): Encoded | Promise<Encoded> {
    const { coders, log } = this.#parts
    const given = (isRecord(input) ? input : { value: input }) as RecordInput<unknown, unknown, unknown>
    const { partition } = given
    const timestampMs = given.timestamp ?? Math.floor(log.clock.wallMs())
    if (!Number.isSafeInteger(timestampMs) || timestampMs < 0) throw this.#definite('invalid_record', `a timestamp of ${timestampMs}`)
    const key = given.key === undefined || given.key === null ? null : coders.key.encode(given.key)
    return after(key, keyBytes =>
      after(given.value === null ? null : coders.value.encode(given.value), value =>
        after(coders.headers(given.headers), (headers: readonly RecordHeader[]) => {
          const record = { timestampMs, key: keyBytes, value, headers }
          const sizeBytes = recordSizeMax(record)
          if (sizeBytes > RECORD_BYTES_MAX) throw this.#definite('message_too_large', `a record of ${sizeBytes} bytes`)
          return { record, sizeBytes, partition }
        }),
      ),
    ) as Encoded | Promise<Encoded>
  }

  /** Hands records on in their order, for as long as nothing has to be waited for. */
  #admit(): void {
    if (this.#admitting) return
    for (;;) {
      const [first] = this.#waiting
      if (first === undefined) break
      const { encoded } = first
      if (encoded instanceof Promise) return void this.#admitLater(first, encoded)
      const refusal = this.#refusal(first)
      if (refusal === undefined && !this.#isReady) return this.#expireLater()
      this.#waiting.shift()
      if (refusal === undefined) this.#admitOne(first, encoded)
      else first.settle(refusal)
    }
    if (this.#room.size > 0 && this.#bufferedBytes < this.#options.bufferBytes) this.#room.wakeAll()
  }

  async #admitLater(first: Waiting, encoding: Promise<Encoded>): Promise<void> {
    this.#admitting = true
    const encoded = await encoding.catch((error: unknown) => {
      if (!(error instanceof AtollError)) throw error
      return error
    })
    this.#admitting = false
    if (this.#waiting[0] === first) {
      this.#waiting.shift()
      if (encoded instanceof AtollError) first.settle(encoded)
      else this.#waiting.unshift({ ...first, encoded })
    }
    this.#admit()
  }

  /** What is wrong with the topic, as found since that record came. */
  #refusal({ begunAtMs }: Waiting): AtollError | undefined {
    const { topic } = this.#parts
    const { trouble } = topic
    if (trouble?.code !== 'unknown_topic' && trouble?.code !== 'client_closed') return undefined
    if (topic.troubleAtMs >= begunAtMs) return this.#definite(trouble.code, trouble.message)
    topic.askAgain()
    return undefined
  }

  get #isReady(): boolean {
    const { topic } = this.#parts
    return topic.record !== undefined && topic.partitions > 0 && this.#bufferedBytes < this.#options.bufferBytes
  }

  #admitOne({ deadlineAtMs, settle }: Waiting, { record, sizeBytes, partition: wanted }: Encoded): void {
    const { topic } = this.#parts
    const { partitions } = topic
    const partition = wanted ?? this.#choice.choose(record.key ?? null, partitions, one => topic.leaderOf(one) !== undefined)
    if (!Number.isInteger(partition) || partition < 0 || partition >= partitions)
      return settle(this.#definite('unknown_partition', `${topic.name} has partitions 0 to ${partitions - 1}, not ${partition}`))
    this.#bufferedBytes += sizeBytes
    const pending: PendingRecord = {
      record,
      sizeBytes,
      deadlineAtMs,
      settle: outcome => {
        this.#bufferedBytes -= sizeBytes
        settle(outcome)
      },
    }
    this.#queueOf(partition).add(pending)
  }

  #queueOf(partition: number): PartitionQueue {
    const known = this.#queues.get(partition)
    if (known !== undefined) return known
    const { log, topic } = this.#parts
    const queue = new PartitionQueue({
      log,
      topic,
      partition,
      options: this.#options,
      identity: this.#identity,
      onFull: () => this.#choice.batchFull(partition),
    })
    this.#queues.set(partition, queue)
    return queue
  }

  #topicChanged(): void {
    for (const queue of this.#queues.values()) queue.topicChanged()
    this.#admit()
  }

  #settled(ordinal: number): void {
    for (const flush of this.#flushes) {
      if (ordinal > flush.upTo || --flush.left > 0) continue
      flush.done()
      this.#flushes = this.#flushes.filter(({ left }) => left > 0)
    }
    if (this.#admitsSoon || (this.#waiting.length === 0 && this.#room.size === 0)) return
    this.#admitsSoon = true
    this.#parts.log.clock.endOfTurn(() => {
      this.#admitsSoon = false
      this.#admit()
    })
  }

  /** One timer for the records that wait for the topic or for room. */
  #expireLater(): void {
    const [first] = this.#waiting
    if (first === undefined || this.#expiry !== undefined || this.#closed !== undefined) return
    this.#expiry = this.#parts.log.clock.after(Math.max(0, first.deadlineAtMs - this.#nowMs), () => {
      this.#expiry = undefined
      const { trouble, name } = this.#parts.topic
      const why = trouble?.message ?? (this.#parts.topic.record === undefined ? `nothing is known of ${name}` : 'no room in the buffer')
      while ((this.#waiting[0]?.deadlineAtMs ?? Infinity) <= this.#nowMs)
        this.#waiting
          .shift()
          ?.settle(this.#definite(trouble?.code ?? 'request_timed_out', `not sent within ${this.#options.timeoutMs} ms: ${why}`))
      this.#admit()
    })
  }

  #definite(code: AtollError['code'], message: string): AtollError {
    return new AtollError(code, `log_produce: ${message}`, { operation: 'log_produce', outcome: 'definite' })
  }
}
