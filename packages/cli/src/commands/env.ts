// `cluster env` and `cluster exec`: the addresses of the cluster for other programs.
import { constants } from 'node:os'
import { execa } from 'execa'
import { clusterEnv } from '../cluster-env.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import type { Output } from '../output.ts'
import { statusOf, withCluster } from '../running-cluster.ts'
import { findTarget, type TargetOptions } from '../target.ts'

export interface EnvOptions extends TargetOptions {
  readonly json?: boolean
  readonly export?: boolean
}

export async function env(options: EnvOptions, output: Output): Promise<number> {
  const variables = await readVariables(options)
  if (options.json === true) output.json(variables)
  else
    for (const [name, value] of Object.entries(variables))
      output.data(
        options.export === true ? `export ${name}=${quoted(value)}` : `${name}=${/^[\w.:,/@%+-]*$/.test(value) ? value : quoted(value)}`,
      )
  return exitCodes.ok.code
}

/**
 * Runs a program with the variables set; one of the project's own (`node_modules/.bin`) is found by its name. Answers its
 * exit code, 128 and the signal when one ended it.
 */
export async function exec(command: readonly string[], options: TargetOptions): Promise<number> {
  const [program, ...args] = command
  if (program === undefined) throw new CommandError('usage', 'Which program? cluster exec -- COMMAND [ARGUMENTS]')
  // It ends with this process, unless that is killed: a SIGKILL leaves the program running, as a shell would.
  const child = execa(program, args, { stdio: 'inherit', env: await readVariables(options), preferLocal: true, reject: false })
  // A terminal sends Ctrl-C to both of us, and the program decides.
  process.on('SIGINT', () => {})
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
  const { exitCode, signal, code, shortMessage } = await child
  if (signal !== undefined) return 128 + constants.signals[signal]
  if (exitCode !== undefined) return exitCode
  throw code === 'ENOENT'
    ? new CommandError('notFound', `There is no program ${program}.`)
    : new CommandError('failure', shortMessage ?? `${program} could not be run.`)
}

async function readVariables(options: TargetOptions): Promise<Record<string, string>> {
  const target = findTarget(options)
  return await withCluster(target, async client => clusterEnv(target, (await statusOf(client, false)).nodes))
}

/** As a POSIX shell reads it. */
function quoted(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`
}
