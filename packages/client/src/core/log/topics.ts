// Topics as an administrator sees them: made, changed, described and deleted by the controller, and where each partition
// stands by whoever leads it.
import {
  logListOffsets,
  PARTITION_PREFIX,
  type PartitionRecord,
  ProtocolError,
  partitionRecord,
  TOPIC_PREFIX,
  type TopicRecord,
  topicConfigure,
  topicCreate,
  topicDelete,
  topicGrow,
  topicKey,
  topicRecord,
} from '@atoll/protocol'
import { AtollError } from '../atoll-error.ts'
import type { CallOptions } from '../requests.ts'
import { BROKER_CALL_MS } from './limits.ts'
import type { LogParts } from './log-parts.ts'

export interface CreateOptions extends CallOptions {
  /** How many partitions. Default 1. */
  readonly partitions?: number | undefined
  /** Copies of each. Default 3, or as many as there are brokers. */
  readonly replicas?: number | undefined
  /** What differs from the defaults, as Kafka names it; `flush`: `disk` or `os`. */
  readonly configs?: Readonly<Record<string, string | number | boolean>> | undefined
}

export interface AlterOptions extends CallOptions {
  /** How many partitions it shall have; they never become fewer. */
  readonly partitions?: number | undefined
  /** `null` gives a setting its default again. */
  readonly configs?: Readonly<Record<string, string | number | boolean | null>> | undefined
}

export interface TopicInfo {
  readonly name: string
  /** Another one after it was deleted and created again. */
  readonly id: string
  readonly partitions: number
  readonly replicas: number
  /** It holds the cluster’s own state. */
  readonly internal: boolean
  /** What differs from the defaults. */
  readonly configs: Readonly<Record<string, string>>
}

/** What the controller has committed about a partition. */
export interface PartitionState {
  readonly topic: string
  readonly partition: number
  readonly leader: string | undefined
  readonly leaderEpoch: number
  readonly replicas: readonly string[]
  /** Who has all that is committed. */
  readonly isr: readonly string[]
  readonly minIsr: number
  /** What an acknowledgement waits for: the disk, or the page cache. */
  readonly flush: 'disk' | 'os'
}

export interface PartitionInfo extends PartitionState {
  /** The first offset that is kept; undefined when the leader could not be asked. */
  readonly logStart: number | undefined
  /** The first offset that is not committed; undefined when the leader could not be asked. */
  readonly highWatermark: number | undefined
}

export interface TopicDescription extends TopicInfo {
  readonly parts: readonly PartitionInfo[]
}

const REPLICAS_DEFAULT = 3

export class Topics {
  readonly #parts: LogParts

  constructor(parts: LogParts) {
    this.#parts = parts
  }

  /** Creates a topic. Rejects with an AtollError: `topic_exists`, `invalid_topic`, `invalid_config`, … */
  async create(name: string, options: CreateOptions = {}): Promise<TopicInfo> {
    const { changes, compute } = this.#parts
    const { partitions = 1, configs = {} } = options
    const request = {
      name,
      id: compute.secureBytes(16),
      partitions,
      replicationFactor: options.replicas ?? (await this.#replicasByDefault()),
      assignment: [],
      configs: rowsOf(configs),
      internal: false,
      validateOnly: false,
    }
    const made = await changes.change(topicCreate, request, options)
    return {
      name,
      id: made.id,
      partitions: made.partitions,
      replicas: made.replicationFactor,
      internal: false,
      configs: textsOf(request.configs),
    }
  }

  /** Every topic, by name; the cluster’s own with `internal`. */
  async list(options?: CallOptions & { readonly internal?: boolean | undefined }): Promise<readonly TopicInfo[]> {
    const { entries } = await this.#parts.kv.range({ prefix: TOPIC_PREFIX }, options)
    const codec = topicRecord()
    const topics = entries.map(({ bytes }) => infoOf(codec.read(bytes)))
    return options?.internal === true ? topics : topics.filter(({ internal }) => !internal)
  }

  /** A topic and its partitions. Rejects with an AtollError `unknown_topic`. */
  async describe(name: string, options?: CallOptions): Promise<TopicDescription> {
    const { topics } = this.#parts
    const follower = topics.of(name)
    const release = follower.use(() => {})
    try {
      const call = this.#parts.requests.begin('topic_describe', false, options)
      const record = await follower.ready(call).catch((error: unknown) => {
        throw this.#parts.requests.explained(call, error)
      })
      const numbers = Array.from({ length: follower.partitions }, (_, partition) => partition)
      const parts = await Promise.all(numbers.map(partition => this.#partition(record, follower, partition)))
      return { ...infoOf(record), partitions: follower.partitions, parts }
    } finally {
      release()
    }
  }

  /** Every partition of every topic, the cluster’s own among them, as the controller has it. */
  async partitions(options?: CallOptions): Promise<readonly PartitionState[]> {
    const { entries } = await this.#parts.kv.range({ prefix: PARTITION_PREFIX }, options)
    const codec = partitionRecord()
    return entries.map(({ bytes }) => stateOf(codec.read(bytes)))
  }

  /** Deletes a topic with all its records. */
  async delete(name: string, options?: CallOptions): Promise<void> {
    await this.#parts.changes.change(topicDelete, { name, id: '' }, options)
  }

  /** Changes what a topic was told, or gives it more partitions. */
  async alter(name: string, { partitions, configs, ...options }: AlterOptions): Promise<void> {
    const { changes } = this.#parts
    if (configs !== undefined) {
      const entries = Object.entries(configs)
      const set = rowsOf(Object.fromEntries(entries.filter(([, value]) => value !== null)))
      const unset = entries.filter(([, value]) => value === null).map(([key]) => key)
      await changes.change(topicConfigure, { name, set, unset, validateOnly: false }, options)
    }
    if (partitions !== undefined) await changes.change(topicGrow, { name, partitions, assignment: [], validateOnly: false }, options)
  }

  /** Whether there is such a topic. */
  async exists(name: string, options?: CallOptions): Promise<boolean> {
    return (await this.#parts.kv.getBytes(topicKey(name), options)) !== undefined
  }

  async #replicasByDefault(): Promise<number> {
    try {
      const brokers = await this.#parts.brokers.names()
      return Math.max(1, Math.min(REPLICAS_DEFAULT, brokers.length))
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return REPLICAS_DEFAULT // whoever creates it will say what is wrong
    }
  }

  async #partition(topic: TopicRecord, follower: ReturnType<LogParts['topics']['of']>, partition: number): Promise<PartitionInfo> {
    const record = follower.partition(partition)
    // Deleted in this very moment.
    if (record === undefined) throw new AtollError('unknown_topic', `there is no topic ${topic.name}`, { operation: 'topic_describe' })
    const { leader } = record
    const ask = (which: 'earliest' | 'latest'): Promise<number | undefined> => this.#offset(leader, topic.id, partition, which)
    const [logStart, highWatermark] = await Promise.all([ask('earliest'), ask('latest')])
    return { ...stateOf(record), logStart, highWatermark }
  }

  async #offset(
    leader: Parameters<LogParts['brokers']['connect']>[0] | undefined,
    topicId: string,
    partition: number,
    which: 'earliest' | 'latest',
  ): Promise<number | undefined> {
    if (leader === undefined) return undefined
    try {
      const session = await this.#parts.brokers.connect(leader)
      const request = { topicId, partition, leaderEpoch: undefined, which, timestampMs: 0 }
      return (await session.request(logListOffsets, request, { timeoutMs: BROKER_CALL_MS })).offset
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return undefined
    }
  }
}

function stateOf({ topic, partition, leader, leaderEpoch, replicas, isr, minIsr, flush }: PartitionRecord): PartitionState {
  return { topic, partition, leader, leaderEpoch, replicas, isr: isr.map(({ node }) => node), minIsr, flush }
}

function infoOf({ name, id, partitions, replicationFactor, internal, configs }: TopicRecord): TopicInfo {
  return { name, id, partitions, replicas: replicationFactor, internal, configs: textsOf(configs) }
}

const textsOf = (rows: TopicRecord['configs']): Record<string, string> => Object.fromEntries(rows.map(({ name, value }) => [name, value]))

function rowsOf(configs: Readonly<Record<string, string | number | boolean | null>>): { name: string; value: string }[] {
  return Object.entries(configs).map(([name, value]) => {
    if (!['string', 'number', 'boolean'].includes(typeof value))
      throw new AtollError('invalid_argument', `configs: ${name}: want text or a number`, { operation: 'topic_create' })
    return { name, value: String(value) }
  })
}
