// Fetches ahead for a consumer: one request to each broker for all partitions that it leads and that have room, held there
// while there is nothing to read. A partition that was emptied meanwhile is asked for at once, with another request.
import type { NodeId, Timer } from '@atoll/base'
import {
  errorNamed,
  type FetchedRecords,
  type LeaderEpoch,
  LOG_FETCH_BYTES_MAX,
  LOG_FETCH_PARTITIONS_MAX,
  logEpochEnd,
  logFetch,
  logListOffsets,
  ProtocolError,
  type Session,
} from '@atoll/protocol'
import { AtollError } from '../atoll-error.ts'
import { BROKER_CALL_MS, FETCH_ATTEMPT_MS, FETCH_WAIT_MS, FETCHES_PER_BROKER, PARTITION_FETCH_BYTES } from './limits.ts'
import { expectProtocolError, type LogParts, mayPass, retryPauseMs } from './log-parts.ts'
import type { PartitionReader } from './partition-reader.ts'
import type { Leader, TopicFollower } from './topic-follower.ts'

export interface FetcherOptions {
  readonly prefetchBytes: number
  readonly stallMs: number
  /** What is done when the log does not have the offset that is wanted. */
  readonly onOutOfRange: 'earliest' | 'latest' | 'error'
  /** Read to where the log ends when it is first seen, and no further. */
  readonly exitAtEnd: boolean
}

export interface FetcherParts {
  readonly log: LogParts
  readonly topic: TopicFollower
  readonly options: FetcherOptions
  /** Something can be handed over, or the end may have come. */
  readonly onProgress: () => void
  readonly onFailure: (error: AtollError) => void
}

interface HeldFetch {
  readonly leaders: ReadonlyMap<PartitionReader, Leader>
  readonly giveUp: AbortController
}

export class Fetcher {
  readonly #parts: FetcherParts
  readonly #readers = new Map<number, PartitionReader>()
  readonly #held = new Map<NodeId, Set<HeldFetch>>()
  #timer: Timer | undefined
  #pumps = false
  #ended = false

  constructor(parts: FetcherParts) {
    this.#parts = parts
  }

  get readers(): Iterable<PartitionReader> {
    return this.#readers.values()
  }

  reader(partition: number): PartitionReader | undefined {
    return this.#readers.get(partition)
  }

  add(reader: PartitionReader): void {
    this.#readers.set(reader.partition, reader)
    this.pumpSoon()
  }

  remove(partition: number): void {
    const reader = this.#readers.get(partition)
    if (reader === undefined) return
    reader.era++
    this.#readers.delete(partition)
  }

  end(): void {
    this.#ended = true
    this.#timer?.cancel()
    for (const fetches of this.#held.values()) for (const { giveUp } of fetches) giveUp.abort()
  }

  /** What is asked of a broker that does not lead any more is given up. */
  topicChanged(): void {
    const { topic } = this.#parts
    for (const fetches of this.#held.values())
      for (const { leaders, giveUp } of fetches)
        for (const [{ partition }, { epoch }] of leaders) {
          const now = topic.leaderOf(partition)
          if (now !== undefined && now.epoch !== epoch) giveUp.abort()
        }
    for (const reader of this.#readers.values()) reader.notBeforeMs = 0
    this.pumpSoon()
  }

  /** Asks for whatever there is room for, once for all that this turn brings. */
  pumpSoon(): void {
    if (this.#pumps || this.#ended) return
    this.#pumps = true
    this.#parts.log.clock.endOfTurn(() => {
      this.#pumps = false
      this.#pump()
    })
  }

  get #nowMs(): number {
    return this.#parts.log.clock.monotonicMs()
  }

  #pump(): void {
    if (this.#ended) return
    const { topic, options } = this.#parts
    const now = this.#nowMs
    const wanted = new Map<NodeId, [PartitionReader, Leader][]>()
    let bufferedBytes = 0
    for (const reader of this.#readers.values()) bufferedBytes += reader.bufferedBytes
    for (const reader of this.#readers.values()) {
      if (reader.busy || reader.paused || reader.isAtEnd || now < reader.notBeforeMs) continue
      if (reader.bufferedBytes >= PARTITION_FETCH_BYTES || bufferedBytes >= options.prefetchBytes) continue
      const leader = topic.leaderOf(reader.partition)
      if (leader === undefined) {
        this.#failed(reader, topic.trouble ?? new ProtocolError('leader_not_available', 'the partition has no leader at present'))
        continue
      }
      const ofLeader = wanted.get(leader.node)
      if (ofLeader === undefined) wanted.set(leader.node, [[reader, leader]])
      else ofLeader.push([reader, leader])
    }
    for (const [node, rows] of wanted) this.#ask(node, rows, options.prefetchBytes - bufferedBytes)
    this.#wake()
  }

  #ask(node: NodeId, rows: readonly [PartitionReader, Leader][], roomBytes: number): void {
    const ready: [PartitionReader, Leader][] = []
    for (const [reader, leader] of rows) {
      const agrees = reader.lastEpoch === undefined || reader.agreedEpoch === leader.epoch
      if (reader.start === undefined && agrees) ready.push([reader, leader])
      else
        void this.#attend(
          reader,
          session => (reader.start === undefined ? this.#agree(session, reader, leader) : this.#locate(session, reader, leader)),
          node,
        )
    }
    const fetches = this.#held.get(node) ?? new Set<HeldFetch>()
    this.#held.set(node, fetches)
    if (ready.length === 0 || fetches.size >= FETCHES_PER_BROKER) return
    void this.#fetch(node, fetches, ready.slice(0, LOG_FETCH_PARTITIONS_MAX), roomBytes)
  }

  /** Asks one thing about one partition; never rejects but for a bug. */
  async #attend(reader: PartitionReader, act: (session: Session) => Promise<void>, node: NodeId): Promise<void> {
    const { era } = reader
    reader.busy = true
    try {
      await act(await this.#parts.log.brokers.connect(node))
      this.#progressed(reader)
    } catch (error) {
      if (error instanceof AtollError) this.#parts.onFailure(error)
      else if (reader.era === era) this.#refused(reader, expectProtocolError(error))
      this.#silent(node, error)
    } finally {
      reader.busy = false
    }
    if (!this.#ended) this.#parts.onProgress()
    this.pumpSoon()
  }

  /** Finds the offset to begin with, and the one to end with. */
  async #locate(session: Session, reader: PartitionReader, { epoch }: Leader): Promise<void> {
    const { era, start } = reader
    const ask = async (which: 'earliest' | 'latest' | 'time', timestampMs = 0): Promise<number> => {
      const request = { ...this.#named(reader), leaderEpoch: epoch as LeaderEpoch, which, timestampMs }
      return (await session.request(logListOffsets, request, { timeoutMs: BROKER_CALL_MS })).offset
    }
    const latest = await ask('latest')
    let offset = latest
    if (start === 'earliest') offset = await ask('earliest')
    else if (typeof start === 'number') offset = start
    else if (typeof start === 'object') {
      const found = await ask('time', Math.max(0, start.timestamp))
      offset = found < 0 ? latest : found
    }
    if (reader.era !== era) return
    const { lastEpoch } = reader
    reader.seek(offset)
    reader.highWatermark = latest
    // An offset that was remembered may be of a log that had more.
    if (typeof start === 'number') reader.lastEpoch = lastEpoch
    else reader.agreedEpoch = epoch
    if (this.#parts.options.exitAtEnd) reader.end ??= latest
  }

  /** Under a new leader: is what was read there? (KIP-320) */
  async #agree(session: Session, reader: PartitionReader, { epoch }: Leader): Promise<void> {
    const { era, lastEpoch = 0 } = reader
    const request = { ...this.#named(reader), leaderEpoch: epoch as LeaderEpoch, epoch: lastEpoch as LeaderEpoch }
    const { end } = await session.request(logEpochEnd, request, { timeoutMs: BROKER_CALL_MS })
    if (reader.era !== era) return
    reader.agreedEpoch = epoch
    if (end < 0 || end >= reader.fetchAt) return
    const { topic, partition, position } = reader
    if (this.#parts.options.onOutOfRange === 'error')
      throw new AtollError(
        'log_truncated',
        `log_fetch: ${topic}/${partition}: records from offset ${end} up to ${reader.fetchAt} are gone`,
        {
          operation: 'log_fetch',
          outcome: 'definite',
        },
      )
    reader.seek(Math.min(position, end))
  }

  async #fetch(node: NodeId, fetches: Set<HeldFetch>, rows: readonly [PartitionReader, Leader][], roomBytes: number): Promise<void> {
    const held: HeldFetch = { leaders: new Map(rows), giveUp: new AbortController() }
    const eras = rows.map(([{ era }]) => era)
    fetches.add(held)
    for (const [reader] of rows) reader.busy = true
    try {
      const session = await this.#parts.log.brokers.connect(node)
      const answer = await session.request(
        logFetch,
        {
          partitions: rows.map(([reader, { epoch }]) => ({
            ...this.#named(reader),
            leaderEpoch: epoch as LeaderEpoch,
            offset: reader.fetchAt,
            bytesMax: PARTITION_FETCH_BYTES,
          })),
          bytesMax: Math.max(PARTITION_FETCH_BYTES, Math.min(LOG_FETCH_BYTES_MAX, roomBytes)),
          bytesMin: 1,
          maxWaitMs: FETCH_WAIT_MS,
        },
        { timeoutMs: FETCH_ATTEMPT_MS, signal: held.giveUp.signal },
      )
      this.#takeAll(rows, eras, answer.partitions, answer.attachment)
    } catch (error) {
      const refusal = expectProtocolError(error)
      for (const [i, [reader]] of rows.entries()) if (reader.era === eras[i]) this.#refused(reader, refusal)
      this.#silent(node, error)
    } finally {
      fetches.delete(held)
      for (const [reader] of rows) reader.busy = false
    }
    if (!this.#ended) this.#parts.onProgress()
    this.pumpSoon()
  }

  #takeAll(
    rows: readonly [PartitionReader, Leader][],
    eras: readonly number[],
    found: readonly FetchedRecords[],
    attachment: Uint8Array,
  ): void {
    let place = 0
    for (const [i, [reader, leader]] of rows.entries()) {
      const one = found[i]
      if (one === undefined) throw new ProtocolError('bad_answer', `${found.length} of ${rows.length} partitions`)
      const records = attachment.subarray(place, place + one.recordsBytes)
      place += one.recordsBytes
      if (reader.era === eras[i] && !this.#ended) this.#take(reader, leader, one, records)
    }
    if (place !== attachment.length) throw new ProtocolError('bad_answer', `${attachment.length} bytes of records, ${place} accounted for`)
  }

  #take(reader: PartitionReader, leader: Leader, { error, highWatermark }: FetchedRecords, records: Uint8Array): void {
    if (error !== 0) return this.#refused(reader, new ProtocolError(errorNamed(error) ?? 'internal_error'))
    const { compute } = this.#parts.log
    try {
      reader.take(records, (bytes, before) => compute.crc32c(bytes, before))
    } catch (damage) {
      if (!(damage instanceof AtollError)) throw damage
      return this.#parts.onFailure(damage)
    }
    reader.highWatermark = highWatermark
    reader.agreedEpoch = leader.epoch
    this.#progressed(reader)
  }

  #progressed(reader: PartitionReader): void {
    reader.failures = 0
    reader.failingSinceMs = undefined
    reader.trouble = undefined
  }

  #refused(reader: PartitionReader, error: ProtocolError): void {
    if (this.#ended) return
    if (error.code === 'offset_out_of_range') return this.#outOfRange(reader)
    if (error.code === 'request_cancelled') return // its leader changed: asked of the new one
    if (mayPass(error.code)) return this.#failed(reader, error)
    const { topic, partition } = reader
    this.#parts.onFailure(
      new AtollError(error.code, `log_fetch: ${topic}/${partition}: ${error.message}`, {
        operation: 'log_fetch',
        outcome: 'definite',
        cause: error,
      }),
    )
  }

  #outOfRange(reader: PartitionReader): void {
    const { onOutOfRange } = this.#parts.options
    const { topic, partition, fetchAt } = reader
    if (onOutOfRange !== 'error') return reader.seek(onOutOfRange)
    this.#parts.onFailure(
      new AtollError(
        'offset_out_of_range',
        `log_fetch: ${topic}/${partition} has no offset ${fetchAt}: it was deleted, or was never there`,
        {
          operation: 'log_fetch',
          outcome: 'definite',
        },
      ),
    )
  }

  /** Tried again after a pause, and given up when that goes on for too long. */
  #failed(reader: PartitionReader, error: Error): void {
    const { log, options } = this.#parts
    const now = this.#nowMs
    reader.trouble = error
    reader.failingSinceMs ??= now
    reader.notBeforeMs = now + retryPauseMs(log.random, ++reader.failures)
    if (error instanceof AtollError && (error.code === 'unknown_topic' || error.code === 'client_closed'))
      return this.#parts.onFailure(error)
    if (now - reader.failingSinceMs < options.stallMs) return
    this.#parts.onFailure(
      new AtollError(
        'consumer_stalled',
        `log_fetch: ${reader.topic}/${reader.partition}: nothing for ${options.stallMs} ms: ${error.message}`,
        {
          operation: 'log_fetch',
          attempts: reader.failures,
          outcome: 'definite',
          cause: error,
        },
      ),
    )
  }

  #silent(node: NodeId, error: unknown): void {
    if (error instanceof ProtocolError && error.code === 'request_timed_out') this.#parts.log.brokers.doubt(node)
  }

  #named({ partition }: PartitionReader) {
    return { topicId: this.#parts.topic.record?.id ?? '', partition }
  }

  /** One timer for all that pause. */
  #wake(): void {
    this.#timer?.cancel()
    if (this.#ended) return
    const now = this.#nowMs
    let atMs = Number.POSITIVE_INFINITY
    for (const { busy, paused, notBeforeMs } of this.#readers.values())
      if (!busy && !paused && notBeforeMs > now) atMs = Math.min(atMs, notBeforeMs)
    if (atMs === Number.POSITIVE_INFINITY) return
    this.#timer = this.#parts.log.clock.after(atMs - now, () => this.#pump())
  }
}
