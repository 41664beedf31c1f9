// `cluster lock`: a program runs while a lock is held, and `cluster lock ls` says who holds which.
import type { Client, Holder } from '@atoll/client'
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

/** Answers the program's exit code. When the lock is lost the program is told to end, and killed if it does not. */
export async function lock(words: readonly string[], options: LockOptions): Promise<number> {
  const [name = '', ...rest] = words
  const command = rest[0] === '--' ? rest.slice(1) : rest
  if (command.length === 0) throw new CommandError('usage', 'Which program? cluster lock NAME -- COMMAND [ARGUMENTS]')
  const env = await readVariables(options)
  const ttlMs = milliseconds('--ttl', options.ttl, 10)
  const timeoutMs = milliseconds('--timeout', options.timeout, 86_400)
  return await withClient(options, async client => {
    const held = await client.lock(name).acquire({ ttlMs, timeoutMs, owner: `pid ${process.pid}`, wait: options.wait !== false })
    if (held === undefined) throw new CommandError('conflict', `Somebody else holds ${name}.`, { next: ['cluster lock ls'] })
    const code = await runProgram(command, { env: { ...env, ATOLL_LOCK_TOKEN: String(held.token) }, signal: held.lost })
    if (held.lost.aborted)
      throw new CommandError('conflict', `The lock ${name} was lost, so the program was ended.`, { next: ['cluster status'] })
    await held.release()
    return code
  })
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
