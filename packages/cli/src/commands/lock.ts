// `cluster lock`: a program runs while a lock is held, and `cluster lock ls` says who holds which.
import { AtollError, type Client, type Holder } from '@atoll/client'
import { withClient } from '../cluster-client.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import type { Output } from '../output.ts'
import { runProgram } from '../run-program.ts'
import { tableLines } from '../table.ts'
import type { TargetOptions } from '../target.ts'
import { readVariables } from './env.ts'

export interface LockOptions extends TargetOptions {
  readonly ttl?: string
  readonly timeout?: string
  readonly wait?: boolean
}

export interface LockListOptions extends TargetOptions {
  readonly json?: boolean
}

/** Whoever waits longer than this is told for whom, in milliseconds. */
const SILENCE_MS_MAX = 1_000
/** How long may be spent on finding that out, in milliseconds. */
const LOOK_TIMEOUT_MS = 1_000

/** Answers the program's exit code. When the lock is lost the program is told to end, and killed if it does not. */
export async function lock(words: readonly string[], options: LockOptions, output: Output): Promise<number> {
  const [name = '', ...rest] = words
  const command = rest[0] === '--' ? rest.slice(1) : rest
  if (command.length === 0) throw new CommandError('usage', 'Which program? cluster lock NAME -- COMMAND [ARGUMENTS]')
  const env = await readVariables(options)
  const ttlMs = milliseconds('--ttl', options.ttl, 10)
  const wait = options.wait !== false
  const timeoutMs = milliseconds('--timeout', options.timeout, wait ? 86_400 : 5)
  return await withClient(options, async client => {
    const silence = setTimeout(() => void sayWhy(client, name, output), SILENCE_MS_MAX)
    const acquired = client.lock(name).acquire({ ttlMs, timeoutMs, owner: `pid ${process.pid}`, wait })
    const held = await acquired.finally(() => clearTimeout(silence))
    if (held === undefined) throw new CommandError('conflict', `Somebody else holds ${name}.`, { next: ['cluster lock ls'] })
    const code = await runProgram(command, { env: { ...env, ATOLL_LOCK_TOKEN: String(held.token) }, signal: held.lost })
    if (held.lost.aborted)
      throw new CommandError('conflict', `The lock ${name} was lost, so the program was ended.`, { next: ['cluster status'] })
    // Whether anybody hears of it or not, the program is done, and the lock ends with its term.
    await held[Symbol.asyncDispose]()
    return code
  })
}

/** Tells a person at a silent prompt what is waited for. */
async function sayWhy(client: Client, name: string, output: Output): Promise<void> {
  try {
    const { holder, waiting } = await client.lock(name).holder({ timeoutMs: LOOK_TIMEOUT_MS })
    if (holder !== undefined) output.say(`Waiting for ${name}: ${holder.value || 'somebody'} holds it, ${waiting} wait.`)
  } catch (error) {
    if (!(error instanceof AtollError)) throw error
    if (error.code !== 'client_closed') output.say(`Waiting for ${name}: ${error.message}`)
  }
}

export async function lockLs(options: LockListOptions, output: Output): Promise<number> {
  const rows = await withClient(options, holders)
  if (options.json === true) output.json({ locks: rows.map(({ name, holder, waiting }) => ({ name, ...holder, waiting })) })
  else if (rows.length === 0) output.say('Nobody holds a lock.')
  else {
    const cells = rows.map(({ name, holder, waiting }) => [name, String(holder.token), String(waiting), holder.value])
    for (const line of tableLines([['LOCK', 'TOKEN', 'WAITING', 'OWNER'], ...cells])) output.data(line)
  }
  return exitCodes.ok.code
}

async function holders(client: Client): Promise<readonly { readonly name: string; readonly holder: Holder; readonly waiting: number }[]> {
  const rows = []
  for (const name of await client.locks()) {
    const { holder, waiting } = await client.lock(name).holder()
    // One that was released in between is held by nobody.
    if (holder !== undefined) rows.push({ name, holder, waiting })
  }
  return rows
}

function milliseconds(option: string, given: string | undefined, otherwise: number): number {
  const seconds = given === undefined ? otherwise : Number(given)
  if (!(seconds > 0)) throw new CommandError('usage', `${option} wants seconds, not '${given}'.`)
  return seconds * 1_000
}
