// `cluster env` and `cluster exec`: the addresses of the cluster for other programs.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
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

/** Runs a program with the variables set. Answers its exit code, 128 and the signal when one ended it. */
export async function exec(command: readonly string[], options: TargetOptions): Promise<number> {
  const [program, ...args] = command
  if (program === undefined) throw new CommandError('usage', 'Which program? cluster exec -- COMMAND [ARGUMENTS]')
  const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, ...(await readVariables(options)) } })
  // A terminal sends Ctrl-C to both of us, and the program decides.
  process.on('SIGINT', () => {})
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
  // Before our own end, which the same event brings.
  process.prependListener('disconnect', () => child.kill('SIGTERM'))
  return await new Promise((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'ENOENT' ? 'notFound' : 'failure'
      reject(new CommandError(reason, `Could not run ${program}: ${error.code === 'ENOENT' ? 'there is no such program' : error.message}.`))
    })
    child.on('exit', (code, signal) => resolve(signal === null ? (code ?? 0) : 128 + constants.signals[signal]))
  })
}

async function readVariables(options: TargetOptions): Promise<Record<string, string>> {
  const target = findTarget(options)
  return await withCluster(target, async client => clusterEnv(target, (await statusOf(client, false)).nodes))
}

/** As a POSIX shell reads it. */
function quoted(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`
}
