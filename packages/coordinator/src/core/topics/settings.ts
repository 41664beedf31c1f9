// Settings of a topic: the few that the controller itself acts on, and the check that a name and its settings are allowed.
// That check belongs before a proposal, not into the state machine: two builds that know different settings must still
// make the same of one log. So the state machine reads with defaults and refuses nothing here.
import { type PartitionRecord, ProtocolError, TOPIC_NAME_MAX, type TopicConfig } from '@atoll/protocol'
import { targetOf } from './moves.ts'

export interface PartitionSettings {
  readonly minIsr: number
  readonly flush: PartitionRecord['flush']
  /** Where nobody in sync is left, anybody may be elected, and acknowledged records may be gone. */
  readonly unclean: boolean
}

const textOf = (configs: readonly TopicConfig[], name: string): string | undefined => configs.find(config => config.name === name)?.value

/** The majority of its replicas, unless the topic was told otherwise. */
export function settingsOf(configs: readonly TopicConfig[], partition: Pick<PartitionRecord, 'replicas' | 'removing'>): PartitionSettings {
  const majority = Math.floor(targetOf(partition).length / 2) + 1
  const asked = Number(textOf(configs, 'min.insync.replicas'))
  return {
    minIsr: Number.isInteger(asked) && asked >= 1 && asked <= 0xffff ? asked : majority,
    flush: textOf(configs, 'flush') === 'os' ? 'os' : 'disk',
    unclean: textOf(configs, 'unclean.leader.election.enable') === 'true',
  }
}

/** Throws `invalid_topic` for a name that Kafka would refuse. */
export function checkTopicName(name: string): void {
  if (name.length > TOPIC_NAME_MAX || !/^[a-zA-Z0-9._-]+$/.test(name) || name === '.' || name === '..')
    throw new ProtocolError('invalid_topic', `'${name}': want 1 to ${TOPIC_NAME_MAX} of letters, digits, '.', '_' and '-'`)
}

type Check = (value: string) => boolean
const integer =
  (min: number, max = Number.MAX_SAFE_INTEGER): Check =>
  value =>
    /^-?\d+$/.test(value) && Number(value) >= min && Number(value) <= max
const oneOf =
  (...words: readonly string[]): Check =>
  value =>
    words.includes(value)
const truth = oneOf('true', 'false')
const INT_MAX = 2_147_483_647

/** What a topic may be told, and which values that takes. */
const topicSettings: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['cleanup.policy', value => value.split(',').every(oneOf('delete', 'compact'))],
  ['compression.type', oneOf('producer', 'uncompressed', 'gzip', 'snappy', 'lz4', 'zstd')],
  ['delete.retention.ms', integer(0)],
  ['file.delete.delay.ms', integer(0)],
  ['flush', oneOf('disk', 'os')],
  ['flush.messages', integer(1)],
  ['flush.ms', integer(0)],
  ['index.interval.bytes', integer(0, INT_MAX)],
  ['max.compaction.lag.ms', integer(1)],
  ['max.message.bytes', integer(0, INT_MAX)],
  ['message.timestamp.after.max.ms', integer(0)],
  ['message.timestamp.before.max.ms', integer(0)],
  ['message.timestamp.difference.max.ms', integer(0)],
  ['message.timestamp.type', oneOf('CreateTime', 'LogAppendTime')],
  ['min.cleanable.dirty.ratio', value => /^(0(\.\d+)?|1(\.0+)?)$/.test(value)],
  ['min.compaction.lag.ms', integer(0)],
  ['min.insync.replicas', integer(1, 16)],
  ['preallocate', truth],
  ['retention.bytes', integer(-1)],
  ['retention.ms', integer(-1)],
  ['segment.bytes', integer(14, INT_MAX)],
  ['segment.index.bytes', integer(4, INT_MAX)],
  ['segment.jitter.ms', integer(0)],
  ['segment.ms', integer(1)],
  ['unclean.leader.election.enable', truth],
])

export const topicSettingNames: readonly string[] = [...topicSettings.keys()]

/** Throws `invalid_config` naming the first that is not allowed. For whoever is about to propose them. */
export function checkTopicConfigs(configs: readonly TopicConfig[]): void {
  for (const { name, value } of configs) {
    const check = topicSettings.get(name)
    if (check === undefined) throw new ProtocolError('invalid_config', `there is no setting ${name}`)
    if (!check(value)) throw new ProtocolError('invalid_config', `${name} cannot be '${value}'`)
  }
}
