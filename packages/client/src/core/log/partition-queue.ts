// The batches of one producer for one partition, in their order. Each is numbered when it is first sent, and the number stays
// with it through every retry, so that the log takes it once (KIP-98). What makes that hold:
// - Until the leader has acknowledged something, and after every failure, one batch is under way at a time: a leader that does
//   not know the producer takes whatever number comes first.
// - A retry goes out when nothing else is under way, the oldest batch first.
// - A batch that is given up may leave a gap. Whether it does shows with the next one, sent alone: taken, or out of order. Then
//   nothing from that batch on is in the log, and all of it goes out again under a new epoch, numbered from 0 (KIP-360).
import type { NodeId, Timer } from '@atoll/base'
import { errorRows, logProduce, ProtocolError, type RequestOf, type ResponseOf } from '@atoll/protocol'
import { BATCH_HEADER_BYTES, encodeBatch, sequenceAfter } from '@atoll/records'
import { AtollError } from '../atoll-error.ts'
import { Batch, type PendingRecord } from './batch.ts'
import { BATCHES_IN_FLIGHT, EPOCHS_PER_BATCH, PRODUCE_ATTEMPT_MS, PRODUCER_EPOCH_MAX } from './limits.ts'
import { expectProtocolError, type LogParts, mayPass, retryPauseMs } from './log-parts.ts'
import type { ProducerIdentity } from './producer-identity.ts'
import type { ResolvedProducerOptions } from './producer-options.ts'
import type { TopicFollower } from './topic-follower.ts'

export interface PartitionQueueParts {
  readonly log: LogParts
  readonly topic: TopicFollower
  readonly partition: number
  readonly options: ResolvedProducerOptions
  readonly identity: ProducerIdentity
  /** A batch was filled, and the next records without a key may go elsewhere. */
  readonly onFull: () => void
}

export class PartitionQueue {
  readonly #parts: PartitionQueueParts
  #batches: Batch[] = []
  #inFlight = 0
  #epoch = 0
  #nextSequence = 0
  /** The leader acknowledged something since the last failure. */
  #calm = false
  #failures = 0
  #notBeforeMs = 0
  #flushing = false
  #connecting = false
  #timer: Timer | undefined
  #leader: NodeId | undefined
  #leaderEpoch = -1
  #giveUp = new AbortController()
  #trouble: Error | undefined
  #closed = false

  constructor(parts: PartitionQueueParts) {
    this.#parts = parts
  }

  add(record: PendingRecord): void {
    const { batchBytes, lingerMs } = this.#parts.options
    let open = this.#batches.at(-1)
    if (open !== undefined && !open.sealed && open.sizeBytes + record.sizeBytes > batchBytes) {
      open.sealed = true
      this.#parts.onFull()
    }
    if (open === undefined || open.sealed) {
      open = new Batch(this.#nowMs)
      open.sizeBytes = BATCH_HEADER_BYTES
      this.#batches.push(open)
    }
    open.add(record)
    // With nothing to linger for, what one turn brings goes together.
    if (open.records.length > 1 && open.sizeBytes < batchBytes) return
    if (lingerMs === 0) this.#parts.log.clock.endOfTurn(() => this.pump())
    else this.pump()
  }

  /** What is here now goes out without lingering. */
  flush(): void {
    this.#flushing = true
    this.pump()
  }

  /** The topic changed: what the old leader owes is given up, and asked of the new one. */
  topicChanged(): void {
    const { trouble } = this.#parts.topic
    if (trouble?.code === 'unknown_topic')
      for (const batch of this.#batches.filter(({ inFlight }) => !inFlight)) this.#drop(batch, trouble.code, trouble.message, trouble)
    const leader = this.#parts.topic.leaderOf(this.#parts.partition)
    if (leader === undefined || leader.epoch === this.#leaderEpoch) return
    this.#leader = leader.node
    this.#leaderEpoch = leader.epoch
    this.#notBeforeMs = 0
    const before = this.#giveUp
    this.#giveUp = new AbortController()
    before.abort()
    this.pump()
  }

  close(error: AtollError): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#giveUp.abort()
    const batches = this.#batches
    this.#batches = []
    for (const batch of batches) this.#reject(batch, error.code, error.message, error)
  }

  /** Sends whatever may be sent now, and sees to it that the rest is looked after. */
  pump(): void {
    if (this.#closed) return
    this.#expire()
    while (this.#sendNext());
    this.#wake()
  }

  get #nowMs(): number {
    return this.#parts.log.clock.monotonicMs()
  }

  get #window(): number {
    const { idempotent, acks } = this.#parts.options
    if (!idempotent && acks !== 'none') return 1
    return this.#calm ? BATCHES_IN_FLIGHT : 1
  }

  #sendNext(): boolean {
    const batch = this.#batches.find(({ inFlight }) => !inFlight)
    if (batch === undefined || this.#inFlight >= this.#window || this.#nowMs < this.#notBeforeMs) return false
    // Sent before: everything after it was answered first.
    if (batch.attempts > 0 && this.#inFlight > 0) return false
    if (!batch.sealed && this.#lingers(batch)) return false
    const { topic, partition, identity, options, log } = this.#parts
    const leader = topic.leaderOf(partition)
    if (leader === undefined || topic.record === undefined) {
      this.#trouble = topic.trouble ?? new ProtocolError('leader_not_available', 'the partition has no leader at present')
      return false
    }
    this.#leader = leader.node
    this.#leaderEpoch = leader.epoch
    const session = log.brokers.open(leader.node)
    if (session === undefined || (options.idempotent && identity.id === undefined)) {
      void this.#prepare(leader.node)
      return false
    }
    batch.sealed = true
    if (batch.sequence === undefined) {
      batch.sequence = this.#nextSequence
      this.#nextSequence = sequenceAfter(this.#nextSequence, batch.records.length)
    }
    void this.#send(batch, topic.record.id, request => {
      const timeoutMs = Math.max(1, Math.min(PRODUCE_ATTEMPT_MS, batch.deadlineAtMs - this.#nowMs))
      return session.request(logProduce, request, { timeoutMs, signal: this.#giveUp.signal })
    })
    return true
  }

  #lingers({ openedAtMs, sizeBytes }: Batch): boolean {
    const { lingerMs, batchBytes } = this.#parts.options
    return !this.#flushing && sizeBytes < batchBytes && this.#nowMs < openedAtMs + lingerMs
  }

  /** A connection and an identity; never rejects but for a bug. */
  async #prepare(leader: NodeId): Promise<void> {
    if (this.#connecting) return
    this.#connecting = true
    try {
      await this.#parts.log.brokers.connect(leader)
      if (this.#parts.options.idempotent) await this.#parts.identity.draw()
    } catch (error) {
      this.#failed(expectProtocolError(error))
    } finally {
      this.#connecting = false
    }
    this.pump()
  }

  async #send(
    batch: Batch,
    topicId: string,
    ask: (request: RequestOf<typeof logProduce>) => Promise<ResponseOf<typeof logProduce>>,
  ): Promise<void> {
    const { partition, options } = this.#parts
    batch.inFlight = true
    batch.attempts++
    this.#inFlight++
    const epoch = this.#epoch
    try {
      // Encoded for each attempt: the bytes belong to whoever gets them.
      const { firstOffset } = await ask({ topicId, partition, acks: options.acks, attachment: this.#encode(batch) })
      this.#settled(batch)
      this.#calm = true
      this.#failures = 0
      this.#trouble = undefined
      this.#resolve(batch, firstOffset)
    } catch (error) {
      this.#settled(batch)
      if (this.#closed) return
      // Of an epoch that is over: it is numbered anew already.
      if (epoch === this.#epoch) this.#refused(batch, expectProtocolError(error))
    }
    this.pump()
  }

  #settled(batch: Batch): void {
    batch.inFlight = false
    this.#inFlight--
  }

  #encode(batch: Batch): Uint8Array {
    const { log, options, identity } = this.#parts
    const { id } = identity
    return encodeBatch(
      batch.records.map(({ record }) => record),
      {
        crc32c: (bytes, before) => log.compute.crc32c(bytes, before),
        codec: options.compression,
        compress: log.compression.compress,
        ...(options.idempotent && id !== undefined && { producer: { id, epoch: this.#epoch, baseSequence: batch.sequence ?? 0 } }),
      },
    )
  }

  #refused(batch: Batch, error: ProtocolError): void {
    if (error.outcome === 'indefinite') batch.adrift = true
    const isFirst = batch === this.#batches[0]
    const isGap = this.#parts.options.idempotent && error.code === 'out_of_order_sequence'
    if (isGap && isFirst && this.#inFlight === 0 && this.#beginEpoch(batch)) return
    const mayRepeat = this.#parts.options.idempotent || error.outcome === 'definite'
    // One that came before is answered first; then this one is in order, or there is a gap.
    if ((isGap && !isFirst) || (mayRepeat && (mayPass(error.code) || error.code === 'request_cancelled'))) return this.#failed(error)
    this.#calm = false
    if (error.code === 'batch_too_large' && batch.records.length > 1) return this.#split(batch)
    this.#drop(batch, error.code, error.message, error)
  }

  /** The topic takes less than one was told: two batches with the same numbers (KIP-126). */
  #split(batch: Batch): void {
    const rest = new Batch(batch.openedAtMs)
    rest.sealed = true
    rest.attempts = batch.attempts
    const half = Math.ceil(batch.records.length / 2)
    for (const record of batch.records.splice(half)) rest.add(record)
    if (batch.sequence !== undefined) rest.sequence = sequenceAfter(batch.sequence, half)
    this.#batches.splice(this.#batches.indexOf(batch) + 1, 0, rest)
  }

  /** Nothing from this batch on is in the log: false when that did not help before. */
  #beginEpoch(first: Batch): boolean {
    if (first.epochs++ >= EPOCHS_PER_BATCH || this.#epoch === PRODUCER_EPOCH_MAX) return false
    this.#epoch++
    this.#calm = false
    this.#nextSequence = 0
    for (const batch of this.#batches) {
      batch.sequence = undefined
      batch.adrift = false
    }
    return true
  }

  #failed(error: ProtocolError): void {
    this.#trouble = error
    this.#calm = false
    // Another leader is asked at once.
    if (error.code === 'request_cancelled') return
    const { random } = this.#parts.log
    this.#notBeforeMs = this.#nowMs + retryPauseMs(random, ++this.#failures)
  }

  /** What nobody waits for any longer. Of what is under way the answer is waited for: its deadline is the same. */
  #expire(): void {
    const now = this.#nowMs
    for (;;) {
      const batch = this.#batches.find(({ inFlight, deadlineAtMs }) => !inFlight && deadlineAtMs <= now)
      if (batch === undefined) return
      const { timeoutMs } = this.#parts.options
      const trouble = this.#trouble
      const code = trouble instanceof ProtocolError || trouble instanceof AtollError ? trouble.code : undefined
      const told = code !== undefined && telling.has(code) ? code : 'request_timed_out'
      const why = trouble === undefined ? 'others were in front of it' : trouble.message
      this.#drop(batch, told, `not acknowledged within ${timeoutMs} ms: ${why}`, trouble)
    }
  }

  #drop(batch: Batch, code: AtollError['code'], message: string, cause: unknown): void {
    const at = this.#batches.indexOf(batch)
    // With nothing numbered after it, its numbers are free, unless it may be in the log after all.
    const isLast = this.#batches.every((other, index) => index <= at || other.sequence === undefined)
    if (isLast && !batch.adrift && batch.sequence !== undefined) this.#nextSequence = batch.sequence
    this.#batches.splice(at, 1)
    this.#reject(batch, code, message, cause)
  }

  #resolve(batch: Batch, firstOffset: number): void {
    const at = this.#batches.indexOf(batch)
    if (at < 0) return // given up meanwhile
    this.#batches.splice(at, 1)
    if (this.#batches.length === 0) this.#flushing = false
    const { partition, options } = this.#parts
    for (const [index, { record, settle }] of batch.records.entries()) {
      const offset = options.acks === 'none' ? -1 : firstOffset + index
      settle({ partition, offset, timestamp: record.timestampMs })
    }
  }

  #reject(batch: Batch, code: AtollError['code'], message: string, cause: unknown): void {
    if (this.#batches.length === 0) this.#flushing = false
    const { topic, partition } = this.#parts
    const definite = errorRows[code].outcome === 'definite' || !batch.inFlight
    const outcome = batch.adrift || !definite ? 'indefinite' : 'definite'
    const { attempts } = batch
    const error = new AtollError(code, `log_produce: ${topic.name}/${partition}: ${message}`, {
      operation: 'log_produce',
      node: this.#leader,
      attempts,
      outcome,
      cause,
    })
    for (const { settle } of batch.records) settle(error)
  }

  /** One timer: for the pause after a failure, for lingering, or for a deadline. */
  #wake(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const waiting = this.#batches.filter(({ inFlight }) => !inFlight)
    const [first] = waiting
    if (first === undefined) return
    const now = this.#nowMs
    const { lingerMs } = this.#parts.options
    const moments = waiting.map(({ deadlineAtMs }) => deadlineAtMs)
    if (this.#notBeforeMs > now) moments.push(this.#notBeforeMs)
    else if (!first.sealed && !this.#flushing && lingerMs > 0 && first.openedAtMs + lingerMs > now)
      moments.push(first.openedAtMs + lingerMs)
    const atMs = Math.min(...moments)
    this.#timer = this.#parts.log.clock.after(Math.max(0, atMs - now), () => this.pump())
  }
}

/** More of a help to whoever has to do something than that time was up. */
const telling: ReadonlySet<string> = new Set([
  'unknown_topic',
  'leader_not_available',
  'not_enough_replicas',
  'not_enough_replicas_after_append',
  'log_disk_full',
  'not_connected',
  'wrong_secret',
])
