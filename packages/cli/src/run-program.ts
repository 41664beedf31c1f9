// Running somebody's program in the foreground: its terminal is ours, and so are its signals and its exit code.
import { constants } from 'node:os'
import { execa } from 'execa'
import { CommandError } from './exit-codes.ts'

/** A program that is told to end gets this long before it is killed, in milliseconds. */
const GRACE_MS = 2_000

export interface RunOptions {
  readonly env: Readonly<Record<string, string>>
  /** Ends the program when it aborts. */
  readonly signal?: AbortSignal
}

/** Runs it; one of the project's own (`node_modules/.bin`) is found by its name. Answers its exit code, 128 and the signal when one ended it. */
export async function runProgram(command: readonly string[], { env, signal: stop }: RunOptions): Promise<number> {
  const [program = '', ...args] = command
  // It ends with this process, unless that is killed: a SIGKILL leaves the program running, as a shell would.
  const stopping = stop === undefined ? {} : { cancelSignal: stop, forceKillAfterDelay: GRACE_MS }
  const child = execa(program, args, { stdio: 'inherit', env, preferLocal: true, reject: false, ...stopping })
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
