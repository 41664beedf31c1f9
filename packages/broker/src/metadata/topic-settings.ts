// What a topic may be told, with its defaults as Kafka has them: what brokers act on, and what they show to whoever asks.
import { LOG_BATCH_BYTES_MAX, type TopicConfig, type TopicRecord } from '@atoll/protocol'

/** Kafka's numbers for the types of settings. */
const configTypes = { boolean: 1, string: 2, int: 3, long: 5, double: 6, list: 7 } as const
export type ConfigType = keyof typeof configTypes

export interface TopicSetting {
  readonly name: string
  /** As text. */
  readonly fallback: string
  readonly type: number
  readonly doc: string
}

const setting = (name: string, fallback: string, type: ConfigType, doc: string): TopicSetting => ({
  name,
  fallback,
  type: configTypes[type],
  doc,
})
const LONG_MAX = '9223372036854775807'

/** In order of their names. */
export const topicSettings: readonly TopicSetting[] = [
  setting('cleanup.policy', 'delete', 'list', '`delete` drops old segments, `compact` keeps the last record of each key.'),
  setting('compression.type', 'producer', 'string', '`producer`: batches stay as they were sent.'),
  setting('delete.retention.ms', '86400000', 'long', 'How long a compacted topic keeps records that end a key.'),
  setting('file.delete.delay.ms', '60000', 'long', 'Has no effect here: files go at once.'),
  setting('flush', 'disk', 'string', 'What an acknowledgement waits for: `disk`, or with `os` the page cache, as in Kafka.'),
  setting('flush.messages', LONG_MAX, 'long', 'Has no effect here: see `flush`.'),
  setting('flush.ms', LONG_MAX, 'long', 'Has no effect here: see `flush`.'),
  setting('index.interval.bytes', '4096', 'int', 'Has no effect here.'),
  setting('max.compaction.lag.ms', LONG_MAX, 'long', 'A record is compacted after this long at the latest.'),
  setting('max.message.bytes', '1048588', 'int', `The largest batch, in bytes; never more than ${LOG_BATCH_BYTES_MAX}.`),
  setting('message.timestamp.after.max.ms', LONG_MAX, 'long', 'Has no effect here.'),
  setting('message.timestamp.before.max.ms', LONG_MAX, 'long', 'Has no effect here.'),
  setting('message.timestamp.type', 'CreateTime', 'string', '`LogAppendTime`: records get the time at which they were appended.'),
  setting('min.cleanable.dirty.ratio', '0.5', 'double', 'How much of a compacted log is not, before it is compacted again.'),
  setting('min.compaction.lag.ms', '0', 'long', 'A record is not compacted before this long.'),
  setting(
    'min.insync.replicas',
    '',
    'int',
    'With fewer in sync nothing is acknowledged to `acks=all`. Default: the majority of the replicas.',
  ),
  setting('preallocate', 'false', 'boolean', 'Has no effect here.'),
  setting('retention.bytes', '-1', 'long', 'A partition larger than this loses its oldest segments; -1: no bound.'),
  setting('retention.ms', '604800000', 'long', 'Segments whose records are all older are dropped; -1: never.'),
  setting('segment.bytes', '67108864', 'int', 'A segment is closed before it grows past this.'),
  setting('segment.index.bytes', '10485760', 'int', 'Has no effect here.'),
  setting('segment.jitter.ms', '0', 'long', 'Has no effect here.'),
  setting('segment.ms', '604800000', 'long', 'A segment older than this is closed.'),
  setting('unclean.leader.election.enable', 'false', 'boolean', '`true`: a replica that is not in sync may lead, and records may be lost.'),
]

const fallbacks: ReadonlyMap<string, string> = new Map(topicSettings.map(({ name, fallback }) => [name, fallback]))

export interface TopicRules {
  readonly batchBytesMax: number
  /** Compacted: every record has a key. */
  readonly isCompacted: boolean
  readonly appendTime: boolean
  /** Undefined: no bound. */
  readonly retentionMs: number | undefined
  readonly retentionBytes: number | undefined
  readonly segmentBytes: number
}

/** What the broker itself acts on. */
export function rulesOf({ configs }: Pick<TopicRecord, 'configs'>): TopicRules {
  const value = (name: string): string => valueOf(configs, name)
  const bound = (name: string): number | undefined => (Number(value(name)) < 0 ? undefined : Number(value(name)))
  const policies = value('cleanup.policy').split(',')
  const isDeleted = policies.includes('delete')
  return {
    batchBytesMax: Math.min(Number(value('max.message.bytes')), LOG_BATCH_BYTES_MAX),
    isCompacted: policies.includes('compact'),
    appendTime: value('message.timestamp.type') === 'LogAppendTime',
    retentionMs: isDeleted ? bound('retention.ms') : undefined,
    retentionBytes: isDeleted ? bound('retention.bytes') : undefined,
    segmentBytes: Number(value('segment.bytes')),
  }
}

/** A setting of a topic, or its default. `min.insync.replicas` has none that is the same for all. */
export function valueOf(configs: readonly TopicConfig[], name: string): string {
  return configs.find(config => config.name === name)?.value ?? fallbacks.get(name) ?? ''
}
