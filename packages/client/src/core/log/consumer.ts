// A consumer of a topic, alone or as a member of a group: for `await`. Records of a partition come in order and once; a batch at a time from
// each partition in turn, fetched ahead within a bound.
import type { LogRecord } from '@atoll/records'
import { AtollError } from '../atoll-error.ts'
import type { WaitingList } from '../waiting-list.ts'
import { Fetcher } from './fetcher.ts'
import { GroupConsumption, type GroupOptions } from './group-consumption.ts'
import { CONSUMER_STALL_MS, PREFETCH_BYTES } from './limits.ts'
import type { LogParts } from './log-parts.ts'
import { PartitionReader, type Start } from './partition-reader.ts'
import type { Coders, Message } from './record.ts'
import type { TopicFollower } from './topic-follower.ts'

export interface ConsumeOptions extends GroupOptions {
  /**
   * Where to begin: at the first record that is kept, after the last one, at the first of a time, or at an offset for each
   * partition; those without one begin at the first. Default `latest`. In a group it counts where nothing was committed.
   */
  readonly from?: 'earliest' | 'latest' | { readonly timestamp: number } | Readonly<Record<number, number>> | undefined
  /** Only these. Default: all, also those that are added later. */
  readonly partitions?: readonly number[] | undefined
  /** Ends it, without an error. */
  readonly signal?: AbortSignal | undefined
  /** Ends after what was there when it began. */
  readonly exitAtEnd?: boolean | undefined
  /** Bytes fetched ahead. Default 16 MiB. */
  readonly prefetchBytes?: number | undefined
  /** What to do when the log does not have the offset that comes next, because it was deleted. Default `error`. */
  readonly onOutOfRange?: 'earliest' | 'latest' | 'error' | undefined
  /** How long nothing can be read from a partition before it fails as `consumer_stalled`, in milliseconds. Default 60,000. */
  readonly stallMs?: number | undefined
}

export interface ConsumerParts {
  readonly log: LogParts
  readonly topic: TopicFollower
  readonly coders: Coders
  readonly deadlines: ConstructorParameters<typeof WaitingList>[1]
  readonly onClosed: () => void
}

export class Consumer<K, V, H> implements AsyncIterableIterator<Message<K, V, H>> {
  readonly #parts: ConsumerParts
  readonly #options: ConsumeOptions
  readonly #fetcher: Fetcher
  #release: (() => void) | undefined
  #beginning: Promise<void> | undefined
  #begun = false
  #records: readonly LogRecord[] = []
  #at = 0
  #current: PartitionReader | undefined
  #turn = 0
  #wake: (() => void) | undefined
  #failure: AtollError | undefined
  #group: GroupConsumption | undefined
  #leaving: Promise<void> | undefined
  /** What was handed over last, until the next one is asked for. */
  #inWork: { readonly partition: number; readonly offset: number } | undefined
  #ended = false
  #isLetGo = false
  readonly #onAbort = (): void => this.#end()

  constructor(parts: ConsumerParts, options: ConsumeOptions = {}) {
    this.#parts = parts
    this.#options = options
    const { prefetchBytes = PREFETCH_BYTES, stallMs = CONSUMER_STALL_MS, onOutOfRange = 'error', exitAtEnd = false } = options
    this.#fetcher = new Fetcher({
      log: parts.log,
      topic: parts.topic,
      options: { prefetchBytes, stallMs, onOutOfRange, exitAtEnd },
      onProgress: () => this.#wake?.(),
      onFailure: error => this.#fail(error),
    })
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The next record. Rejects with an AtollError, and is over after that. One call at a time. */
  async next(): Promise<IteratorResult<Message<K, V, H>>> {
    if (!this.#begun && !this.#isLetGo) await (this.#beginning ??= this.#begin())
    this.#inWork = undefined
    this.#group?.polled()
    for (;;) {
      if (this.#options.signal?.aborted === true) this.#end()
      const failure = this.#failure
      if (failure !== undefined) {
        this.#failure = undefined
        this.#end()
        await this.#leaving
        throw failure
      }
      if (this.#ended) {
        await this.#leaving
        return { value: undefined, done: true }
      }
      const record = this.#shift()
      if (record !== undefined) return { value: await this.#decode(record), done: false }
      if (this.#isAtEnd) this.#end()
      else await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }

  async return(): Promise<IteratorResult<Message<K, V, H>>> {
    this.#end()
    await this.#leaving
    return { value: undefined, done: true }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  /** Commits the place of everything that was handed over: for members of a group with `commit: 'manual'`. Rejects with an AtollError. */
  async commit(): Promise<void> {
    if (this.#group === undefined)
      throw new AtollError('invalid_argument', 'commit: this consumer is in no group', { operation: 'group_commit' })
    await this.#group.commit()
  }

  /** Bytes of batches that were fetched and not handed over. */
  get bufferedBytes(): number {
    let sum = 0
    for (const { bufferedBytes } of this.#fetcher.readers) sum += bufferedBytes
    return sum
  }

  /** The next offset of each partition. */
  get positions(): Readonly<Record<number, number>> {
    const rows = [...this.#fetcher.readers].filter(({ start }) => start === undefined)
    return Object.fromEntries(rows.map(({ partition, position }) => [partition, position]))
  }

  /** Committed records of each partition that were not handed over, as far as is known. */
  get lag(): Readonly<Record<number, number>> {
    return Object.fromEntries([...this.#fetcher.readers].flatMap(({ partition, lag }) => (lag === undefined ? [] : [[partition, lag]])))
  }

  /** Goes on from there. Throws an AtollError for a partition that is not read. */
  seek(partition: number, to: Start): void {
    const reader = this.#reader(partition)
    reader.seek(to)
    if (this.#current === reader) this.#dropCurrent()
    this.#fetcher.pumpSoon()
  }

  /** Hands over nothing of these partitions until they are resumed. */
  pause(...partitions: readonly number[]): void {
    for (const partition of partitions) this.#reader(partition).paused = true
  }

  resume(...partitions: readonly number[]): void {
    for (const partition of partitions) this.#reader(partition).paused = false
    this.#fetcher.pumpSoon()
    this.#wake?.()
  }

  /** Ends at once, with `error` for whoever waits. */
  end(error: AtollError): void {
    this.#fail(error)
  }

  async #begin(): Promise<void> {
    const { topic, log } = this.#parts
    const { signal, stallMs = CONSUMER_STALL_MS } = this.#options
    const call = log.requests.begin('log_fetch', false, { timeoutMs: stallMs, signal })
    this.#release = topic.use(() => this.#topicChanged())
    try {
      await topic.ready(call)
      this.#begun = true
      if (this.#hasLetGo()) return
      if (this.#options.group === undefined) this.#addReaders(this.#options.from ?? 'latest')
      else this.#joinGroup(this.#options.group)
    } catch (error) {
      this.#begun = true
      if (this.#ended || signal?.aborted === true) return
      const told = log.requests.explained(call, error)
      if (!(told instanceof AtollError)) throw told
      this.#fail(told)
    }
  }

  #joinGroup(group: string): void {
    const { log, topic } = this.#parts
    const { from = 'latest', partitions, stallMs = CONSUMER_STALL_MS } = this.#options
    if (typeof from !== 'string' || partitions !== undefined)
      return this.#fail(
        new AtollError('invalid_argument', 'group: from is earliest or latest, and the group says which partitions', {
          operation: 'log_fetch',
        }),
      )
    this.#group = new GroupConsumption({
      log,
      topic: topic.name,
      group,
      fetcher: this.#fetcher,
      options: this.#options,
      start: from,
      stallMs,
      inWork: () => this.#inWork,
      onRevoked: () => this.#dropCurrent(),
      onAssigned: () => this.#wake?.(),
      onFailure: error => this.#fail(error),
    })
    this.#group.begin()
  }

  /** Partitions that are there and not read yet. */
  #addReaders(from: NonNullable<ConsumeOptions['from']>): void {
    const { topic } = this.#parts
    const all = Array.from({ length: topic.partitions }, (_, partition) => partition)
    const wanted = this.#options.partitions ?? all
    const unknown = wanted.find(partition => partition >= topic.partitions)
    if (unknown !== undefined)
      return this.#fail(
        new AtollError('unknown_partition', `log_fetch: ${topic.name} has partitions 0 to ${topic.partitions - 1}, not ${unknown}`, {
          operation: 'log_fetch',
        }),
      )
    for (const partition of wanted)
      if (this.#fetcher.reader(partition) === undefined)
        this.#fetcher.add(new PartitionReader(topic.name, partition, startOf(from, partition)))
  }

  #topicChanged(): void {
    if (!this.#begun || this.#isLetGo) return
    const { topic } = this.#parts
    // What is in a partition that was added came after this began.
    const { partitions, exitAtEnd, group } = this.#options
    if (topic.record !== undefined && partitions === undefined && exitAtEnd !== true && group === undefined) this.#addReaders('earliest')
    this.#fetcher.topicChanged()
  }

  get #isAtEnd(): boolean {
    if (this.#options.exitAtEnd !== true || this.#group?.mayHandOver === false) return false
    for (const reader of this.#fetcher.readers) if (!reader.isAtEnd) return false
    return true
  }

  #shift(): LogRecord | undefined {
    if (this.#group?.mayHandOver === false) return undefined
    for (;;) {
      const current = this.#current
      const record = this.#records[this.#at]
      if (current !== undefined && record !== undefined && !current.paused && !current.isAtEnd) {
        this.#at++
        current.handed(record.offset)
        this.#inWork = { partition: current.partition, offset: record.offset }
        return record
      }
      // What is left of a paused partition's batch is fetched again.
      if (current !== undefined && record !== undefined) current.seek(current.position)
      if (!this.#nextBatch()) return undefined
    }
  }

  /** Of the partitions that have something, each in turn. */
  #nextBatch(): boolean {
    this.#dropCurrent()
    const readers = [...this.#fetcher.readers]
    for (let step = 0; step < readers.length; step++) {
      const reader = readers[(this.#turn + step) % readers.length] as PartitionReader
      if (reader.paused || reader.isAtEnd || reader.bufferedBytes === 0) continue
      this.#turn = (this.#turn + step + 1) % readers.length
      const records = this.#decoded(reader)
      this.#fetcher.pumpSoon()
      if (records === undefined) return false
      this.#current = reader
      this.#records = records
      return true
    }
    return false
  }

  #decoded(reader: PartitionReader): readonly LogRecord[] | undefined {
    try {
      return reader.shift(this.#parts.log.compression.decompress)
    } catch (error) {
      if (!(error instanceof AtollError)) throw error
      this.#fail(error)
      return undefined
    }
  }

  #dropCurrent(): void {
    this.#current = undefined
    this.#records = []
    this.#at = 0
  }

  async #decode(record: LogRecord): Promise<Message<K, V, H>> {
    const { topic, coders } = this.#parts
    const partition = this.#current?.partition ?? 0
    try {
      return await coders.decode<K, V, H>(topic.name, partition, record)
    } catch (error) {
      // It is told each time it is read; to go on after it, seek past it with another consumer.
      this.#end()
      if (!(error instanceof AtollError)) throw error
      throw new AtollError(error.code, `${topic.name}/${partition} at ${record.offset}: ${error.message}`, {
        operation: 'log_fetch',
        cause: error,
      })
    }
  }

  #reader(partition: number): PartitionReader {
    const reader = this.#fetcher.reader(partition)
    if (reader !== undefined) return reader
    const { name } = this.#parts.topic
    throw new AtollError('unknown_partition', `${name}/${partition} is not read by this consumer`, { operation: 'log_fetch' })
  }

  #fail(error: AtollError): void {
    if (this.#ended) return
    this.#failure ??= error
    this.#letGo()
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#letGo()
  }

  /** It may have while something was awaited. */
  #hasLetGo(): boolean {
    return this.#isLetGo
  }

  /** Nothing is kept, whether somebody asks for another record or not. */
  #letGo(): void {
    if (!this.#isLetGo) {
      this.#isLetGo = true
      this.#options.signal?.removeEventListener('abort', this.#onAbort)
      this.#leaving = this.#group?.end()
      this.#fetcher.end()
      this.#release?.()
      this.#dropCurrent()
      this.#parts.onClosed()
    }
    this.#wake?.()
  }
}

function startOf(from: NonNullable<ConsumeOptions['from']>, partition: number): Start {
  if (typeof from === 'string') return from
  if ('timestamp' in from) return { timestamp: from.timestamp as number }
  return from[partition] ?? 'earliest'
}
