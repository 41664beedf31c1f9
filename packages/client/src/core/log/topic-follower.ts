// What the controller has committed about a topic: its partitions and who leads each, followed under the coordinators’ reserved
// keys without gap or repeat. So a change of leader is known when it is committed, and not when the old one fails to answer.
import { type Clock, type NodeId, sleep } from '@atoll/base'
import {
  type Deadlines,
  type PartitionRecord,
  ProtocolError,
  partitionRecord,
  partitionsOf,
  type TopicRecord,
  topicKey,
  topicRecord,
} from '@atoll/protocol'
import { AtollError } from '../atoll-error.ts'
import type { KeyValue } from '../kv.ts'
import { type Patience, WaitingList } from '../waiting-list.ts'
import { LOG_RETRY_MS_MAX } from './limits.ts'

export interface FollowerParts {
  readonly clock: Clock
  readonly deadlines: Deadlines
  readonly kv: KeyValue
}

export interface Leader {
  readonly node: NodeId
  readonly epoch: number
}

/** Follows one topic for as long as somebody uses it. */
export class TopicFollower {
  readonly name: string
  readonly #parts: FollowerParts
  readonly #waiting: WaitingList
  readonly #listeners = new Set<() => void>()
  readonly #partitionCodec = partitionRecord()
  readonly #topicCodec = topicRecord()
  readonly #partitions = new Map<number, PartitionRecord>()
  #record: TopicRecord | undefined
  #trouble: AtollError | undefined
  #troubleAtMs = 0
  #wake: (() => void) | undefined
  #stopping = new AbortController()
  #users = 0

  constructor(parts: FollowerParts, name: string) {
    this.#parts = parts
    this.#waiting = new WaitingList(parts.clock, parts.deadlines)
    this.name = name
  }

  /** Undefined before it was found, and when there is none. */
  get record(): TopicRecord | undefined {
    return this.#record
  }

  get partitions(): number {
    return this.#partitions.size
  }

  /** Why nothing is known at present. */
  get trouble(): AtollError | undefined {
    return this.#trouble
  }

  /** When that was found, on the monotonic clock, in milliseconds. */
  get troubleAtMs(): number {
    return this.#troubleAtMs
  }

  /** What is wrong may have been put right since. */
  askAgain(): void {
    this.#wake?.()
  }

  leaderOf(partition: number): Leader | undefined {
    const record = this.#partitions.get(partition)
    return record?.leader === undefined ? undefined : { node: record.leader, epoch: record.leaderEpoch }
  }

  partition(partition: number): PartitionRecord | undefined {
    return this.#partitions.get(partition)
  }

  /** Begins to follow, or goes on. `changed` is called after each change. The answer ends it. */
  use(changed: () => void): () => void {
    this.#listeners.add(changed)
    if (this.#users++ === 0) {
      this.#stopping = new AbortController()
      void this.#run(this.#stopping.signal)
    }
    let used = true
    return () => {
      if (!used) return
      used = false
      this.#listeners.delete(changed)
      if (--this.#users === 0) this.stop()
    }
  }

  /**
   * Resolves once the topic’s partitions are known. Rejects with an AtollError `unknown_topic` when there is none, or with a
   * ProtocolError when the caller’s patience ends.
   */
  async ready(patience: Patience): Promise<TopicRecord> {
    const begunAtMs = this.#parts.clock.monotonicMs()
    for (;;) {
      if (this.#record !== undefined) return this.#record
      const trouble = this.#trouble
      if (trouble?.code === 'unknown_topic' || trouble?.code === 'client_closed') {
        if (this.#troubleAtMs >= begunAtMs) throw trouble
        this.askAgain()
      }
      await this.#waiting.wait(patience)
    }
  }

  stop(): void {
    this.#stopping.abort()
    this.#waiting.refuseAll(new ProtocolError('request_cancelled', 'the topic is not followed any more'))
  }

  /** Never rejects but for a bug. */
  async #run(signal: AbortSignal): Promise<void> {
    const isOver = (): boolean => signal.aborted
    while (!isOver()) {
      try {
        await this.#follow(signal)
      } catch (error) {
        if (isOver()) return
        if (!(error instanceof AtollError)) throw error
        this.#trouble = error
        this.#troubleAtMs = this.#parts.clock.monotonicMs()
        if (error.code === 'unknown_topic') this.#forget()
        this.#changed()
        if (error.code === 'client_closed') return
        await this.#pause(signal)
      }
    }
  }

  /** Until it is time to ask again, somebody wants to know now, or nobody does any more. */
  async #pause(signal: AbortSignal): Promise<void> {
    const cut = new AbortController()
    const onStop = (): void => cut.abort()
    signal.addEventListener('abort', onStop, { once: true })
    this.#wake = onStop
    await sleep(this.#parts.clock, LOG_RETRY_MS_MAX, cut.signal).catch(() => {
      // Cut short.
    })
    this.#wake = undefined
    signal.removeEventListener('abort', onStop)
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { kv } = this.#parts
    const entry = await kv.getBytes(topicKey(this.name), { signal })
    if (entry === undefined)
      throw new AtollError('unknown_topic', `there is no topic ${this.name}`, { operation: 'log_topic', outcome: 'definite' })
    const record = this.#topicCodec.read(entry.value)
    const prefix = partitionsOf(record.id)
    const { entries, revision } = await kv.range({ prefix }, { signal })
    this.#forget()
    for (const { key, bytes } of entries) this.#take(prefix, key, bytes)
    this.#record = record
    this.#trouble = undefined
    this.#changed()
    for await (const event of kv.watch({ prefix }, { fromRevision: revision + 1, signal })) {
      // Its partitions go with it, and another topic may have its name by now.
      if (event.kind === 'delete') return this.#forget()
      this.#take(prefix, event.key, event.entry.bytes)
      this.#changed()
    }
  }

  #take(prefix: string, key: string, value: Uint8Array): void {
    this.#partitions.set(Number(key.slice(prefix.length)), this.#partitionCodec.read(value))
  }

  #forget(): void {
    this.#record = undefined
    this.#partitions.clear()
  }

  #changed(): void {
    this.#waiting.wakeAll()
    for (const listener of this.#listeners) listener()
  }
}

/** One follower for each topic that is in use. */
export class TopicFollowers {
  readonly #parts: FollowerParts
  readonly #byName = new Map<string, TopicFollower>()

  constructor(parts: FollowerParts) {
    this.#parts = parts
  }

  of(name: string): TopicFollower {
    const known = this.#byName.get(name)
    if (known !== undefined) return known
    const follower = new TopicFollower(this.#parts, name)
    this.#byName.set(name, follower)
    return follower
  }

  close(): void {
    for (const follower of this.#byName.values()) follower.stop()
    this.#byName.clear()
  }
}
