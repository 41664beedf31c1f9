// Producers and a group of consumers on six partitions, through Kafka's protocol and a client that is not ours. Everything
// they ask and are told goes into one history; committed offsets are watched beside it.
import type { MonotonicMs } from '@atoll/base'
import { checkLog, pairRecords, Recorder } from '@atoll/history'
import { type Admin, type Consumer, type EachBatchPayload, Kafka, logLevel, type Producer } from 'kafkajs'
import { CommittedOffsets } from './committed-offsets.ts'

export const TOPIC = 'chaos'
const GROUP = 'readers'
const PARTITIONS = 6
const REPLICAS = 3
const PRODUCERS = 2
const CONSUMERS = 2
/** Records of one batch at most. */
const BATCH_RECORDS_MAX = 4
/** Between two batches of a producer, in milliseconds. */
const PAUSE_MS = 4
/** Between two looks at the committed offsets, in milliseconds. */
const LOOK_MS = 150
/** A consumer of this client forgets who it was when its coordinator is gone; its group waits until its session has ended. */
const SESSION_MS = 3_000
const REQUEST_MS = 1_500
/** A lost request is soon made again; what a client does beyond this, its owner does. */
const RETRY = { initialRetryTime: 50, maxRetryTime: 400, retries: 4 }

type Offsets = Map<number, number>

export class LogLoad implements AsyncDisposable {
  readonly #recorder = new Recorder({ now: () => performance.now() as MonotonicMs })
  readonly #brokers: readonly string[]
  readonly #admin: Admin
  readonly #consumers: Consumer[] = []
  readonly #loops: Promise<void>[] = []
  readonly #wrong: string[] = []
  /** Records acknowledged, of each partition. */
  readonly #acknowledged = Array.from({ length: PARTITIONS }, () => 0)
  readonly #committed = new CommittedOffsets()
  readonly errors = new Map<string, number>()
  #lastError = ''
  #clients = 0
  /** Values that any member of the group was given. */
  readonly #given = new Set<string>()
  #values = 0
  #stopped = false

  constructor(brokers: readonly string[]) {
    this.#brokers = brokers
    this.#admin = this.#client().admin({ retry: RETRY })
  }

  get acknowledged(): number {
    return this.#acknowledged.reduce((sum, count) => sum + count, 0)
  }

  /** Creates the topic and begins. */
  async start(): Promise<this> {
    await this.#admin.connect()
    await this.#admin.createTopics({
      topics: [{ topic: TOPIC, numPartitions: PARTITIONS, replicationFactor: REPLICAS }],
      waitForLeaders: true,
    })
    for (let place = 0; place < PRODUCERS; place++) this.#loops.push(this.#produce(place))
    for (let place = 0; place < CONSUMERS; place++) await this.#consume()
    this.#loops.push(this.#watchCommitted())
    await this.progress()
    return this
  }

  /** Waits until something that was sent after this is acknowledged in every partition. Answers how long that took. */
  async progress(withinMs = 20_000): Promise<number> {
    const startMs = performance.now()
    const goal = this.#acknowledged.map(count => count + BATCH_RECORDS_MAX * PRODUCERS)
    while (this.#acknowledged.some((count, partition) => count < (goal[partition] ?? 0))) {
      if (performance.now() - startMs > withinMs)
        throw new Error(`not all partitions go on within ${withinMs} ms: ${this.#acknowledged.join()}; ${this.#told()}`)
      await pause(5)
    }
    return Math.round(performance.now() - startMs)
  }

  /** Waits until all replicas of all partitions are in sync: only then it is promised that two may be lost. */
  async inSync(withinMs = 30_000): Promise<void> {
    const startMs = performance.now()
    for (;;) {
      const lagging = await this.#notInSync().catch((error: unknown) => [String(error)])
      if (lagging.length === 0) return
      if (performance.now() - startMs > withinMs) throw new Error(`not in sync within ${withinMs} ms: ${lagging.join()}`)
      await pause(LOOK_MS)
    }
  }

  async #notInSync(): Promise<readonly string[]> {
    const { topics } = await this.#admin.fetchTopicMetadata({ topics: [TOPIC] })
    const partitions = topics.flatMap(topic => topic.partitions)
    return partitions.filter(({ isr }) => isr.length < REPLICAS).map(({ partitionId, isr }) => `${partitionId}: ${isr.join(' ')}`)
  }

  /** Waits until the group was given what was acknowledged before this. Answers how long that took. */
  async consumed(withinMs = 20_000): Promise<number> {
    const startMs = performance.now()
    const goal = this.acknowledged
    while (this.#given.size < goal) {
      if (performance.now() - startMs > withinMs)
        throw new Error(`the group was given ${this.#given.size} of ${goal} records within ${withinMs} ms: ${this.#told()}`)
      await pause(5)
    }
    return Math.round(performance.now() - startMs)
  }

  /** Ends the load, reads everything from its beginning, and says what was wrong with all that was answered. */
  async verdict(): Promise<readonly string[]> {
    this.#stopped = true
    await Promise.all(this.#loops)
    await Promise.all(this.#consumers.map(consumer => consumer.disconnect()))
    await this.#readAll()
    await this.#lookAtCommitted().catch((error: unknown) => this.#wrong.push(`committed offsets cannot be read: ${String(error)}`))
    const { violations, count } = checkLog(pairRecords(this.#recorder.records), { finalPolls: true })
    const found = violations.map(({ rule, partition, message }) => `${rule} in partition ${partition}: ${message}`)
    return [...this.#wrong, ...found, ...(count > found.length ? [`${count} in all`] : [])]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    await Promise.allSettled(this.#loops)
    await Promise.allSettled([...this.#consumers.map(consumer => consumer.disconnect()), this.#admin.disconnect()])
  }

  /** One batch at a time, to one partition after the other; with another identity after a batch of which nobody knows. */
  async #produce(place: number): Promise<void> {
    const recorded = this.#recorder.client()
    let producer: Producer | undefined
    for (let turn = place; !this.#stopped && !this.#recorder.full; turn++) {
      const partition = turn % PARTITIONS
      const values = Array.from({ length: 1 + (turn % BATCH_RECORDS_MAX) }, () => `${place}-${this.#values++}`)
      try {
        producer ??= await this.#newProducer()
      } catch (error) {
        this.#note(error)
        await pause(RETRY.initialRetryTime)
        continue
      }
      try {
        const current = producer
        await recorded.run(
          'send',
          `${partition}`,
          { values },
          () => send(current, partition, values),
          () => 'indefinite',
        )
        this.#acknowledged[partition] = (this.#acknowledged[partition] ?? 0) + values.length
        await pause(PAUSE_MS)
      } catch (error) {
        this.#note(error)
        await producer.disconnect().catch((reason: unknown) => this.#note(reason))
        producer = undefined
      }
    }
    await producer?.disconnect()
  }

  async #newProducer(): Promise<Producer> {
    const producer = this.#client().producer({ idempotent: true, maxInFlightRequests: 1, retry: RETRY })
    await producer.connect()
    return producer
  }

  async #consume(): Promise<void> {
    const consumer = this.#client().consumer({
      groupId: GROUP,
      sessionTimeout: SESSION_MS,
      rebalanceTimeout: SESSION_MS,
      heartbeatInterval: 300,
      maxWaitTimeInMs: 200,
      retry: { ...RETRY, restartOnFailure: () => Promise.resolve(!this.#stopped) },
    })
    this.#consumers.push(consumer)
    const recorded = this.#recorder.client()
    const reader = new Reader()
    consumer.on(consumer.events.GROUP_JOIN, () => reader.joined())
    consumer.on(consumer.events.CRASH, ({ payload }) => this.#note(payload.error))
    await consumer.connect()
    await consumer.subscribe({ topics: [TOPIC], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: async payload => {
        const { batch } = payload
        const { from, records } = reader.take(batch)
        recorded.invoke('poll', `${batch.partition}`, from === undefined ? null : { from })
        recorded.ok({ records })
        for (const [, value] of records) this.#given.add(value)
        payload.resolveOffset(batch.lastOffset())
        await this.#commit(consumer, batch.partition, Number(batch.lastOffset()) + 1)
        await payload.heartbeat()
      },
    })
  }

  async #commit(consumer: Consumer, partition: number, offset: number): Promise<void> {
    const sentMs = performance.now()
    this.#committed.asked(partition, offset)
    // That the call succeeds says nothing: it does, too, when the client has given up meanwhile. The event says it.
    const off = consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
      const isThis = payload.topics.some(topic =>
        topic.partitions.some(row => Number(row.partition) === partition && Number(row.offset) === offset),
      )
      if (isThis) this.#committed.acknowledged(partition, offset, performance.now() - sentMs < REQUEST_MS)
    })
    try {
      await consumer.commitOffsets([{ topic: TOPIC, partition, offset: `${offset}` }])
    } finally {
      off()
    }
  }

  async #watchCommitted(): Promise<void> {
    while (!this.#stopped) {
      await this.#lookAtCommitted().catch((error: unknown) => this.#note(error))
      await pause(LOOK_MS)
    }
  }

  async #lookAtCommitted(): Promise<void> {
    const judge = this.#committed.reading()
    const topics = await this.#admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC] })
    for (const { partition, offset } of topics.flatMap(topic => topic.partitions)) {
      const wrong = judge(partition, Number(offset))
      if (wrong !== undefined) this.#wrong.push(wrong)
    }
  }

  /** Every record there is, by a consumer of its own. */
  async #readAll(): Promise<void> {
    const ends = new Map((await this.#admin.fetchTopicOffsets(TOPIC)).map(({ partition, high }) => [partition, Number(high)]))
    const recorded = this.#recorder.client()
    const reader = new Reader()
    const consumer = this.#client().consumer({ groupId: `${GROUP}-last`, retry: RETRY, maxWaitTimeInMs: 200 })
    consumer.on(consumer.events.GROUP_JOIN, () => reader.joined())
    await consumer.connect()
    await consumer.subscribe({ topics: [TOPIC], fromBeginning: true })
    const behind = new Set([...ends].filter(([, end]) => end > 0).map(([partition]) => partition))
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const { from, records } = reader.take(batch)
        recorded.invoke('poll', `${batch.partition}`, from === undefined ? null : { from })
        recorded.ok({ records })
        if (Number(batch.lastOffset()) + 1 >= (ends.get(batch.partition) ?? 0)) behind.delete(batch.partition)
      },
    })
    const deadlineMs = performance.now() + 20_000
    while (behind.size > 0 && performance.now() < deadlineMs) await pause(10)
    if (behind.size > 0) this.#wrong.push(`partitions ${[...behind].join()} cannot be read to their ends: ${[...ends].join(' ')}`)
    await consumer.disconnect()
  }

  /**
   * A client that begins with another broker each time: this one never gets on when the first that it asks takes its
   * connection and does not answer.
   */
  #client(): Kafka {
    const first = this.#clients++ % this.#brokers.length
    return new Kafka({
      clientId: 'chaos',
      brokers: [...this.#brokers.slice(first), ...this.#brokers.slice(0, first)],
      logLevel: logLevel.NOTHING,
      connectionTimeout: 1_000,
      requestTimeout: REQUEST_MS,
      retry: RETRY,
    })
  }

  #note(error: unknown): void {
    const { cause, name, message } = error as Error
    const root = cause instanceof Error ? cause : { name, message }
    this.errors.set(root.name, (this.errors.get(root.name) ?? 0) + 1)
    this.#lastError = root.message
  }

  #told(): string {
    return `${[...this.errors].map(([name, times]) => `${times} ${name}`).join(', ')}, the last: ${this.#lastError}`
  }
}

/** What one consumer was given last of each partition, and whether it may have been given it anew since. */
class Reader {
  readonly #last: Offsets = new Map()
  readonly #joinsAt: Offsets = new Map()
  #joins = 0

  joined(): void {
    this.#joins++
  }

  take({ partition, messages }: EachBatchPayload['batch']): { from: number | undefined; records: [number, string][] } {
    const records = messages.map(({ offset, value }): [number, string] => [Number(offset), String(value)])
    const first = records[0]?.[0]
    const last = this.#last.get(partition)
    // Whoever joined goes on where the group had committed; what goes on from the batch before needs no excuse.
    const isAnew = last === undefined || (first !== last + 1 && this.#joinsAt.get(partition) !== this.#joins)
    if (isAnew) this.#joinsAt.set(partition, this.#joins)
    this.#last.set(partition, records.at(-1)?.[0] ?? last ?? -1)
    return { from: isAnew ? first : undefined, records }
  }
}

async function send(producer: Producer, partition: number, values: readonly string[]): Promise<{ offset: number }> {
  const messages = values.map(value => ({ key: `${partition}`, value, partition }))
  const [answer] = await producer.send({ topic: TOPIC, acks: -1, timeout: REQUEST_MS - 500, messages })
  return { offset: Number(answer?.baseOffset) }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
