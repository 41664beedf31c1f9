// `cluster env` and `cluster exec`: the addresses of the cluster for other programs.
import { clusterEnv } from '../cluster-env.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import type { Output } from '../output.ts'
import { runProgram } from '../run-program.ts'
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

/** Runs a program with the variables set. Answers its exit code, 128 and the signal when one ended it. */
export async function exec(command: readonly string[], options: TargetOptions): Promise<number> {
  if (command.length === 0) throw new CommandError('usage', 'Which program? cluster exec -- COMMAND [ARGUMENTS]')
  return await runProgram(command, { env: await readVariables(options) })
}

/** The addresses of a cluster that runs. */
export async function readVariables(options: TargetOptions): Promise<Record<string, string>> {
  const target = findTarget(options)
  return await withCluster(target, async client => clusterEnv(target, (await statusOf(client, false)).nodes))
}

/** As a POSIX shell reads it. */
function quoted(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`
}
