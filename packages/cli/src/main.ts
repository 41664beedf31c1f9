// The `cluster` command: reads its arguments, runs one command, and turns whatever happens into words and an exit code.
import type { StateError } from '@atoll/supervisor'
import { CommanderError } from 'commander'
import { CommandError, exitCodes } from './exit-codes.ts'
import { Output } from './output.ts'
import { buildProgram } from './program.ts'

// The launcher is gone, and nobody is left to talk to. A cluster that is tied to this process ends with it.
process.on('disconnect', () => process.exit(exitCodes.failure.code))
if (process.send !== undefined && !process.connected) process.exit(exitCodes.failure.code)
// `cluster logs | head`: the reader has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? exitCodes.ok.code : exitCodes.failure.code),
)

// Nobody reads what is said (`2>&-`, a closed terminal): that ends nothing.
process.stderr.on('error', () => {})

const args = process.argv.slice(2)
let exitCode: number = exitCodes.ok.code
try {
  await buildProgram(code => {
    exitCode = code
  }).parseAsync(args.length === 0 ? ['--help'] : args, { from: 'user' })
} catch (error) {
  exitCode = await explain(error)
}
// A reader that is slower than we are has not taken everything yet, and what it has not would be gone.
await new Promise<void>(taken => process.stdout.write('', () => taken()))
process.exit(exitCode)

/** Says what went wrong. Answers the exit code. */
async function explain(error: unknown): Promise<number> {
  // Commander has said it already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok.code : exitCodes.usage.code
  const output = new Output({ color: 'auto', progress: 'auto' })
  if (error instanceof Error && error.name === 'ProtocolError') {
    output.say(`${output.message('red', '✗')} ${error.message}`)
    output.say('Try: cluster status, or cluster doctor')
    return exitCodes.failure.code
  }
  if (error instanceof Error && error.name === 'StateError') {
    output.say(`${output.message('red', '✗')} ${error.message}`)
    return exitCodes[(error as StateError).reason].code
  }
  const fileTrouble = (await import('@atoll/supervisor')).describeFileTrouble(error)
  if (fileTrouble !== undefined) {
    output.say(`${output.message('red', '✗')} ${fileTrouble}`)
    return exitCodes.environment.code
  }
  if (!(error instanceof CommandError)) {
    output.say(`${output.message('red', '✗')} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    output.say(
      output.message('dim', 'This is a bug of ours, or of this machine; `cluster doctor --report FILE` collects what helps to find it.'),
    )
    return exitCodes.failure.code
  }
  output.say(`${output.message('red', '✗')} ${error.message}`)
  for (const line of error.details) output.say(line)
  if (error.next.length > 0) output.say(`Try: ${error.next.join(', or ')}`)
  return exitCodes[error.reason].code
}
