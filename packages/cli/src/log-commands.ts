// The commands about the log: `topic`, `produce`, `consume`, `group`, `broker`.
import type { Command } from 'commander'
import type { ProgramParts } from './client-commands.ts'
import type { BrokerOptions } from './commands/broker.ts'
import type { ConsumeOptions } from './commands/consume.ts'
import type { GroupOptions } from './commands/group.ts'
import type { ProduceOptions } from './commands/produce.ts'
import type { AlterTopicOptions, CreateTopicOptions, ListTopicsOptions, TopicOptions } from './commands/topic.ts'
import { Output, type OutputOptions } from './output.ts'

export function addLogCommands({ program, command, onDone }: ProgramParts): void {
  addTopicCommands(program.command('topic').description('topics of the log').exitOverride(), command, onDone)
  command('produce <topic>', 'send a record for each line of standard input; done when all are acknowledged')
    .option('--key-separator <text>', 'what stands before it in a line is the key')
    .option('--acks <who>', 'all: on the disk of every in-sync replica; leader: on that of the leader; none', 'all')
    .action(async (topic: string, options: ProduceOptions & OutputOptions) =>
      onDone(await (await import('./commands/produce.ts')).produce(topic, options, new Output(options))),
    )
  command('consume <topic>', 'print the value of each record, one per line')
    .option('--from-beginning', 'with what is there already, instead of only what comes')
    .option('--exit-at-end', 'end after what was there when it began')
    .option('--group <name>', 'as a member of a group')
    .option('--json', 'whole records, a JSON value per line')
    .action(async (topic: string, options: ConsumeOptions) => onDone(await (await import('./commands/consume.ts')).consume(topic, options)))
  addGroupCommands(program.command('group').description('consumer groups').exitOverride(), command, onDone)
  command(
    'list',
    'every broker that registered, and what it leads',
    program.command('broker').description('brokers of the log').exitOverride(),
  )
    .alias('ls')
    .option('--json', 'as JSON')
    .action(async (options: BrokerOptions & OutputOptions) =>
      onDone(await (await import('./commands/broker.ts')).list(options, new Output(options))),
    )
}

function addGroupCommands(group: Command, command: ProgramParts['command'], onDone: ProgramParts['onDone']): void {
  command('list', 'every group', group)
    .alias('ls')
    .option('--json', 'as JSON')
    .action(async (options: GroupOptions & OutputOptions) =>
      onDone(await (await import('./commands/group.ts')).list(options, new Output(options))),
    )
  command('describe <group>', 'its members, what each has, and what is left to read', group)
    .option('--json', 'as JSON')
    .action(async (name: string, options: GroupOptions & OutputOptions) =>
      onDone(await (await import('./commands/group.ts')).describe(name, options, new Output(options))),
    )
}

function addTopicCommands(topic: Command, command: ProgramParts['command'], onDone: ProgramParts['onDone']): void {
  const create = command('create <topic>', 'create a topic', topic)
    .option('--partitions <n>', 'how many partitions; by default 1')
    .option('--replicas <n>', 'copies of each; by default 3, or as many as there are brokers')
    .option('--json', 'as JSON')
    .action(async (name: string, options: CreateTopicOptions & OutputOptions) =>
      onDone(await (await import('./commands/topic.ts')).create(name, options, new Output(options))),
    )
  takeSettings(create)
  command('list', 'every topic', topic)
    .alias('ls')
    .option('--internal', 'the cluster’s own, too')
    .option('--json', 'as JSON')
    .action(async (options: ListTopicsOptions & OutputOptions) =>
      onDone(await (await import('./commands/topic.ts')).list(options, new Output(options))),
    )
  command('describe <topic>', 'its partitions: who leads, who is in sync, and from where to where they reach', topic)
    .option('--json', 'as JSON')
    .action(async (name: string, options: TopicOptions & OutputOptions) =>
      onDone(await (await import('./commands/topic.ts')).describe(name, options, new Output(options))),
    )
  const alter = command('alter <topic>', 'change what a topic was told, or give it more partitions', topic)
    .option('--partitions <n>', 'how many it shall have; they never become fewer')
    .option('--unset <name...>', 'give settings their defaults again')
    .action(async (name: string, options: AlterTopicOptions & OutputOptions) =>
      onDone(await (await import('./commands/topic.ts')).alter(name, options, new Output(options))),
    )
  takeSettings(alter)
  command('delete <topic>', 'delete a topic with all its records', topic)
    .alias('rm')
    .action(async (name: string, options: TopicOptions & OutputOptions) =>
      onDone(await (await import('./commands/topic.ts')).remove(name, options, new Output(options))),
    )
}

/** Every command takes `--config FILE`; here it also takes settings of the topic, which nobody would take for a file. */
function takeSettings(command: Command): void {
  const config = command.options.find(({ long }) => long === '--config')
  if (config === undefined) return
  config.description = 'NAME=VALUE: a setting of the topic, as Kafka names it; may be repeated. Otherwise the configuration file'
  config.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value])
}
