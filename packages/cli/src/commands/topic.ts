// `cluster topic`: topics as an administrator sees them.
import type { PartitionInfo, TopicDescription, TopicInfo } from '@atoll/client'
import { withClient } from '../cluster-client.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import type { Output } from '../output.ts'
import { tableLines } from '../table.ts'
import type { TargetOptions } from '../target.ts'

/** As Kafka names its settings. */
const SETTING = /^[a-z]+(\.[a-z]+)*=/

export interface TopicOptions extends TargetOptions {
  readonly json?: boolean
}

export interface CreateTopicOptions extends Omit<TopicOptions, 'config'> {
  readonly partitions?: string
  readonly replicas?: string
  /** Settings of the topic, and the configuration file. */
  readonly config?: readonly string[]
}

export interface ListTopicsOptions extends TopicOptions {
  readonly internal?: boolean
}

export async function create(name: string, options: CreateTopicOptions, output: Output): Promise<number> {
  const { target, settings } = sorted(options)
  const wanted = {
    partitions: count('--partitions', options.partitions),
    replicas: count('--replicas', options.replicas),
    configs: Object.fromEntries(settings),
  }
  const topic = await withClient(target, client => client.log.topics.create(name, wanted))
  if (options.json === true) output.json(rowOf(topic))
  else output.say(`Created ${name} with ${some(topic.partitions, 'partition')}, ${some(topic.replicas, 'replica')} each.`)
  return exitCodes.ok.code
}

export async function list(options: ListTopicsOptions, output: Output): Promise<number> {
  const topics = await withClient(options, client => client.log.topics.list({ internal: options.internal === true }))
  if (options.json === true) output.json({ topics: topics.map(rowOf) })
  else if (topics.length === 0) output.say('There are no topics.')
  else {
    const rows = topics.map(({ name, partitions, replicas, configs }) => [name, String(partitions), String(replicas), settingsOf(configs)])
    for (const line of tableLines([['TOPIC', 'PARTITIONS', 'REPLICAS', 'SETTINGS'], ...rows])) output.data(line)
  }
  return exitCodes.ok.code
}

export async function describe(name: string, options: TopicOptions, output: Output): Promise<number> {
  const topic = await withClient(options, client => client.log.topics.describe(name))
  if (options.json === true) output.json({ ...rowOf(topic), parts: topic.parts.map(partOf) })
  else for (const line of described(topic)) output.data(line)
  return exitCodes.ok.code
}

export interface AlterTopicOptions extends Omit<TopicOptions, 'config'> {
  readonly partitions?: string
  readonly config?: readonly string[]
  readonly unset?: readonly string[]
}

export async function alter(name: string, options: AlterTopicOptions, output: Output): Promise<number> {
  const partitions = count('--partitions', options.partitions)
  const { target, settings } = sorted(options)
  const changes = [...settings, ...(options.unset ?? []).map(key => [key, null] as const)]
  if (partitions === undefined && changes.length === 0)
    throw new CommandError('usage', 'Say what is to change: --partitions, --config or --unset.')
  const configs = changes.length === 0 ? undefined : Object.fromEntries(changes)
  await withClient(target, client => client.log.topics.alter(name, { partitions, configs }))
  output.say(`Changed ${name}.`)
  return exitCodes.ok.code
}

export async function remove(name: string, options: TopicOptions, output: Output): Promise<number> {
  await withClient(options, client => client.log.topics.delete(name))
  output.say(`Deleted ${name} with all its records.`)
  return exitCodes.ok.code
}

/** Settings of the topic, and the configuration file: `--config` takes both. */
function sorted({ config = [], ...rest }: CreateTopicOptions | AlterTopicOptions): {
  readonly target: TargetOptions
  readonly settings: readonly (readonly [string, string])[]
} {
  const file = config.findLast(given => !SETTING.test(given))
  return {
    target: { ...rest, ...(file !== undefined && { config: file }) },
    settings: config.filter(given => SETTING.test(given)).map(setting),
  }
}

function described(topic: TopicDescription): string[] {
  const { name, id, partitions, replicas, parts, configs } = topic
  const [first] = parts
  const flushed =
    first?.flush === 'os'
      ? 'acknowledged once in the page cache of every in-sync replica (flush: os): losing power may lose it'
      : 'acknowledged once on the disk of every in-sync replica'
  const heading = ['PARTITION', 'LEADER', 'EPOCH', 'REPLICAS', 'IN SYNC', 'FROM', 'TO']
  const rows = parts.map(part => [
    String(part.partition),
    part.leader ?? '-',
    String(part.leaderEpoch),
    part.replicas.join(' '),
    part.isr.join(' '),
    String(part.logStart ?? '-'),
    String(part.highWatermark ?? '-'),
  ])
  return [
    `${name} (${id}): ${some(partitions, 'partition')}, ${some(replicas, 'replica')}, nothing is written with less than ${first?.minIsr ?? 0} in sync`,
    `  ${flushed}`,
    ...(Object.keys(configs).length === 0 ? [] : [`  ${settingsOf(configs)}`]),
    ...tableLines([heading, ...rows]),
  ]
}

function rowOf({ name, id, partitions, replicas, internal, configs }: TopicInfo): object {
  return { name, id, partitions, replicas, internal, configs }
}

function partOf({ leader, logStart, highWatermark, ...rest }: PartitionInfo): object {
  return { ...rest, leader: leader ?? null, logStart: logStart ?? null, highWatermark: highWatermark ?? null }
}

const settingsOf = (configs: Readonly<Record<string, string>>): string =>
  Object.entries(configs)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')

const some = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`

function count(option: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  if (!/^[1-9]\d{0,5}$/.test(given)) throw new CommandError('usage', `${option} wants a number from 1 on, not '${given}'.`)
  return Number(given)
}

function setting(given: string): [string, string] {
  const equals = given.indexOf('=')
  return [given.slice(0, equals), given.slice(equals + 1)]
}
