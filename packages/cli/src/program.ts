// Every command with its words and options. The code behind one is loaded when it runs, so that a short command starts fast.
import { Command, Help, Option } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { addClientCommands } from './client-commands.ts'
import type { ShowConfigOptions } from './commands/config.ts'
import type { DoctorOptions } from './commands/doctor.ts'
import type { DownOptions } from './commands/down.ts'
import type { EnvOptions } from './commands/env.ts'
import type { PartitionOptions } from './commands/links.ts'
import type { LogsOptions } from './commands/logs.ts'
import type { LsOptions } from './commands/ls.ts'
import type { NodeRunOptions } from './commands/node-run.ts'
import type { NodesOptions, Verb } from './commands/processes.ts'
import type { PsOptions, StatusOptions } from './commands/status.ts'
import { topHelp } from './help.ts'
import { addLogCommands } from './log-commands.ts'
import { Output, type OutputOptions } from './output.ts'
import type { TargetOptions } from './target.ts'
import type { UpOptions } from './up-run.ts'

/** The program. `onDone` gets the exit code of the command that ran. */
export function buildProgram(onDone: (exitCode: number) => void): Command {
  const program = new Command('cluster')
    .version(manifest.version, '-V, --version', 'print the version')
    .exitOverride()
    .enablePositionalOptions()
    .showHelpAfterError('(cluster --help shows everything there is)')
    .configureHelp({ formatHelp: (command, help) => (command.parent === null ? topHelp : new Help().formatHelp(command, help)) })

  const command = (usage: string, description: string, parent = program): Command =>
    parent
      .command(usage)
      .description(description)
      .option('--name <name>', 'the cluster; by default it is named after the directory (or ATOLL_NAME)')
      .option('--config <file>', 'the configuration; by default the nearest cluster.config.json (or ATOLL_CONFIG)')
      .addOption(new Option('--color <when>', 'colour').choices(['auto', 'always', 'never']).default('auto'))
      .addOption(new Option('--progress <how>', 'how progress is shown').choices(['auto', 'tty', 'plain', 'json', 'quiet']).default('auto'))

  /** A command without arguments. */
  const plain =
    <O>(act: (options: O, output: Output) => Promise<number>) =>
    async (options: O & OutputOptions): Promise<void> =>
      onDone(await act(options, new Output(options)))
  /** A command with any number of arguments. */
  const withArguments =
    <O>(act: (args: string[], options: O, output: Output) => Promise<number>) =>
    async (args: string[], options: O & OutputOptions): Promise<void> =>
      onDone(await act(args, options, new Output(options)))

  command('up', 'start the cluster, or find it running')
    .option('-d, --detach', 'return when it is ready, and let it run')
    .option('--ephemeral', 'delete its data when it stops')
    .option('--strict-ports', 'fail when a wanted port is taken, instead of using another one')
    .option('--port-offset <n>', 'add this to every port of the configuration (or ATOLL_PORT_OFFSET)')
    .option('--only <part>', 'this part of the cluster and the coordinators: log')
    .option('--timeout <seconds>', 'how long it may take to be ready', '60')
    .option('--no-wait', 'do not wait until it is ready')
    .option('--recreate', 'stop it first when it runs, so that a changed configuration holds')
    .option('--retain', 'keep what was started when the start fails')
    .option('--dry-run', 'print what would be started')
    .option('--json', 'print the status as JSON')
    .action(plain<UpOptions>(async (options, output) => (await import('./commands/up.ts')).up(options, output)))
  command('down', 'stop the cluster; its data stays')
    .option('--volumes', 'delete its data, too')
    .action(plain<DownOptions>(async (options, output) => (await import('./commands/down.ts')).down(options, output)))
  command('status', 'how every node is, and what each believes of the others')
    .option('--watch [seconds]', 'again and again')
    .option('--json', 'as JSON')
    .action(plain<StatusOptions>(async (options, output) => (await import('./commands/status.ts')).status(options, output)))
  command('ps', 'the processes, without asking them')
    .option('-q, --quiet', 'names only')
    .option('--json', 'as JSON')
    .action(plain<PsOptions>(async (options, output) => (await import('./commands/status.ts')).ps(options, output)))
  command('logs [node...]', 'what the nodes wrote, merged by time')
    .option('-f, --follow', 'go on with what comes')
    .option('--since <when>', 'only what is newer: 30s, 5m, 2h, 1d, or a date')
    .option('--tail <lines>', 'only the last so many lines')
    .option('--level <level>', 'only this severity and above: debug, info, warn, error')
    .option('--grep <pattern>', 'only lines that match')
    .option('--json', 'lines as they are in the files')
    .action(withArguments<LogsOptions>(async (nodes, options, output) => (await import('./commands/logs.ts')).logs(nodes, options, output)))

  const onNodes = (verb: Verb, description: string): void => {
    command(`${verb} [node...]`, description)
      .option('--all', 'every node of the cluster')
      .action(
        withArguments<NodesOptions>(async (nodes, options, output) =>
          (await import('./commands/processes.ts')).actOnNodes(verb, nodes, options, output),
        ),
      )
  }
  onNodes('kill', 'end nodes with SIGKILL')
  onNodes('pause', 'stop nodes where they stand (SIGSTOP)')
  onNodes('resume', 'let paused nodes go on')
  onNodes('restart', 'stop nodes in order and start them again; starts dead ones, too')

  command('partition <group...>', 'cut the links between groups of nodes (A,B C,D); one group is cut from all others')
    .option('--one-way', 'only from the first group to the second')
    .action(
      withArguments<PartitionOptions>(async (groups, options, output) =>
        (await import('./commands/links.ts')).partition(groups, options, output),
      ),
    )
  command('heal', 'undo every fault on the links').action(
    plain<TargetOptions>(async (options, output) => (await import('./commands/links.ts')).heal(options, output)),
  )
  command('env', 'the addresses of the cluster as environment variables')
    .option('--export', 'as commands for a shell: eval "$(cluster env --export)"')
    .option('--json', 'as JSON')
    .action(plain<EnvOptions>(async (options, output) => (await import('./commands/env.ts')).env(options, output)))
  command('exec <command...>', 'run a program with those variables set')
    .usage('[options] -- <command> [arguments]')
    .passThroughOptions()
    .action(withArguments<TargetOptions>(async (words, options) => (await import('./commands/env.ts')).exec(words, options)))
  addClientCommands({ program, command, onDone })
  addLogCommands({ program, command, onDone })
  command('ls', 'every cluster of this configuration')
    .option('-q, --quiet', 'names only')
    .option('--json', 'as JSON')
    .action(plain<LsOptions>(async (options, output) => (await import('./commands/ls.ts')).ls(options, output)))
  command('config', 'the configuration, and where each value of it is from')
    .option('--port-offset <n>', 'add this to every port (or ATOLL_PORT_OFFSET)')
    .option('--json', 'as JSON')
    .action(plain<ShowConfigOptions>(async (options, output) => (await import('./commands/config.ts')).config(options, output)))
  command('doctor', 'whether this machine is fit, and what earlier sessions left behind')
    .option('--fix', 'clean up what was left behind')
    .option('--report <file>', 'write everything that helps to find a bug, without secrets')
    .option('--json', 'as JSON')
    .action(plain<DoctorOptions>(async (options, output) => (await import('./commands/doctor.ts')).doctor(options, output)))
  command('completion <shell>', 'a script for bash, zsh or fish that completes commands and names').action(
    async (shell: string, options: OutputOptions) =>
      onDone((await import('./commands/completion.ts')).completion(shell, program, new Output(options))),
  )
  const node = program.command('node').description('a single node').exitOverride()
  command('run <name>', 'run exactly one node of the configuration, in the foreground', node)
    .option('--state <directory>', 'its state directory; secret and cluster.json are made there, or copied from another machine')
    .option('--join <address...>', 'where to find the others; by default where the configuration says')
    .option('--native-port <port>', 'its native port; by default what the configuration says')
    .option('--strict-ports', 'fail when that port is taken')
    .option('--port-offset <n>', 'add this to every port of the configuration (or ATOLL_PORT_OFFSET)')
    .action(async (name: string, options: NodeRunOptions & OutputOptions) =>
      onDone(await (await import('./commands/node-run.ts')).nodeRun(name, options, new Output(options))),
    )
  return program
}
