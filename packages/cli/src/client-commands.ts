// The commands that speak to the coordinators as applications do: `kv`, `lock`, `member`.
import type { Command } from 'commander'
import type { KvOptions, ListOptions, SelectOptions, WatchOptions } from './commands/kv.ts'
import type { LockListOptions, LockOptions } from './commands/lock.ts'
import type { MemberOptions } from './commands/member.ts'
import { Output, type OutputOptions } from './output.ts'

export interface ProgramParts {
  readonly program: Command
  /** A command with the options that all have. */
  readonly command: (usage: string, description: string, parent?: Command) => Command
  readonly onDone: (exitCode: number) => void
}

export function addClientCommands({ program, command, onDone }: ProgramParts): void {
  const group = (name: string, description: string): Command => program.command(name).description(description).exitOverride()
  const kv = group('kv', 'keys and values that the coordinators keep')
  command('get <key>', 'print the value of a key', kv)
    .option('--json', 'as JSON')
    .action(async (key: string, options: KvOptions & OutputOptions) =>
      onDone(await (await import('./commands/kv.ts')).get(key, options, new Output(options))),
    )
  command('put <key> [value]', 'write a key; without a value, or with -, it is read from standard input', kv)
    .option('--json', 'as JSON')
    .action(async (key: string, value: string | undefined, options: KvOptions & OutputOptions) =>
      onDone(await (await import('./commands/kv.ts')).put(key, value, options, new Output(options))),
    )
  command('del <key>', 'delete a key', kv)
    .option('--prefix', 'delete all keys that begin with it')
    .option('--json', 'as JSON')
    .action(async (key: string, options: SelectOptions & OutputOptions) =>
      onDone(await (await import('./commands/kv.ts')).del(key, options, new Output(options))),
    )
  command('ls [prefix]', 'print the keys that begin with it, or all', kv)
    .option('--values', 'with their values')
    .option('--limit <n>', 'at most so many')
    .option('--json', 'as JSON')
    .action(async (prefix: string | undefined, options: ListOptions & OutputOptions) =>
      onDone(await (await import('./commands/kv.ts')).ls(prefix, options, new Output(options))),
    )
  command('watch <key>', 'print every change of a key, until it is interrupted', kv)
    .option('--prefix', 'of all keys that begin with it')
    .option('--from <revision>', 'from this revision on, instead of from now on')
    .option('--json', 'a JSON value per line')
    .action(async (key: string, options: WatchOptions & OutputOptions) =>
      onDone(await (await import('./commands/kv.ts')).watch(key, options, new Output(options))),
    )
  command('txn', 'do a transaction that is read as JSON from standard input', kv).action(async (options: KvOptions & OutputOptions) =>
    onDone(await (await import('./commands/kv.ts')).txn(options, new Output(options))),
  )
  const lock = command('lock <name...>', 'run a program while a lock is held; `lock ls` lists who holds which')
    .usage('[options] <name> -- <command> [arguments]')
    .option('--ttl <seconds>', 'how long the lock outlives this process', '10')
    .option('--timeout <seconds>', 'how long to wait for it; by default a day, or 5 seconds with --no-wait')
    .option('--no-wait', 'fail when somebody else holds it')
    .passThroughOptions()
    .action(async (words: string[], options: LockOptions & OutputOptions) =>
      onDone(await (await import('./commands/lock.ts')).lock(words, options, new Output(options))),
    )
  command('ls', 'every lock that somebody holds', lock)
    .option('--json', 'as JSON')
    .action(async (options: LockListOptions & OutputOptions) =>
      onDone(await (await import('./commands/lock.ts')).lockLs(options, new Output(options))),
    )
  const member = group('member', 'the nodes that registered')
  command('ls', 'every node that ever registered, and who leads', member)
    .option('--json', 'as JSON')
    .action(async (options: MemberOptions & OutputOptions) =>
      onDone(await (await import('./commands/member.ts')).memberLs(options, new Output(options))),
    )
}
