// `cluster node run NAME`: exactly one node in the foreground, without a supervisor; for a machine of its own, under
// systemd or in a container. It is told to stop by a signal, and ends when this process does.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import type { ToNode, ToParent } from '@atoll/service'
import {
  establish,
  identify,
  lockHolder,
  makeDirectory,
  nodeArguments,
  nodeLock,
  processEnvironment,
  Reaper,
  replaceFile,
  type StatePaths,
  settles,
  statePaths,
  takeLock,
} from '@atoll/supervisor'
import { CommandError, exitCodes } from '../exit-codes.ts'
import type { Output } from '../output.ts'
import { type ConfigOptions, type ResolvedConfig, resolveConfig } from '../resolved-config.ts'
import { addressOf } from '../status-view.ts'
import { findTarget, type Target, type TargetOptions } from '../target.ts'

/** A reaper that holds nothing ends at once, in milliseconds. */
const REAPER_ENDS_MS = 1_000

export interface NodeRunOptions extends TargetOptions, ConfigOptions {
  readonly state?: string
  readonly nativePort?: string
  readonly strictPorts?: boolean
  readonly join?: readonly string[]
}

export async function nodeRun(name: string, options: NodeRunOptions, output: Output): Promise<number> {
  const target = findTarget(options)
  const { plan, text } = resolveConfig(target, options)
  const own = plan.find(node => node.name === name)
  if (own === undefined)
    throw new CommandError('notFound', `The configuration has no node ${name}.`, {
      details: [`It has ${plan.map(node => node.name).join(', ')}.`],
    })
  const paths = options.state === undefined ? target.paths : statePaths(options.state)
  makeDirectory(paths)
  const lock = takeLock(nodeLock(paths.lock, name))
  if ('heldBy' in lock)
    throw new CommandError('conflict', `Process ${lock.heldBy.pid} runs ${name} already.`, { next: ['another --state'] })
  try {
    return await runAlone({ target, paths, plan, text, own, options }, output)
  } finally {
    lock.release()
  }
}

interface Alone {
  readonly target: Target
  readonly paths: StatePaths
  readonly plan: ResolvedConfig['plan']
  /** The configuration as the node reads it. */
  readonly text: string
  readonly own: ResolvedConfig['plan'][number]
  readonly options: NodeRunOptions
}

/** Holds the node's lock. */
async function runAlone({ target, paths, plan, text, own, options }: Alone, output: Output): Promise<number> {
  const { name, role } = own
  const holder = lockHolder(paths.lock)
  if (holder !== undefined)
    throw new CommandError('conflict', `Supervisor ${holder.pid} runs the nodes in ${paths.directory}.`, {
      next: ['cluster down', 'another --state'],
    })
  establish(paths, target.name, false)
  const config = join(paths.directory, `${name}.config.json`)
  replaceFile(config, text)
  const seeds =
    options.join?.map(readAddress) ?? plan.filter(node => node.name !== name).map(({ host, nativePort }) => ({ host, port: nativePort }))
  const port = options.nativePort === undefined ? own.nativePort : Number(options.nativePort)
  const place = { programs: import.meta.dirname, role, name, state: paths.directory, config, port, fronts: own.fronts }
  return await attend(nodeArguments({ ...place, strictPorts: options.strictPorts === true }), seeds, output)
}

/** Runs the node until it ends. Answers its exit code. */
async function attend(args: readonly string[], seeds: ToNode['seeds'], output: Output): Promise<number> {
  // Were this process killed, a paused node could not notice it; the reaper does, and wants a group of its own to kill.
  const reaper = new Reaper(join(import.meta.dirname, 'reaper'), () => {})
  const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const
  const child = spawn(process.execPath, args, { detached: true, stdio: [...stdio], env: processEnvironment() })
  const identity = child.pid === undefined ? undefined : identify(child.pid)
  if (identity !== undefined) reaper.hold(identity)
  // What it stops on is TERM; a second Ctrl-C does not wait for that.
  let interrupts = 0
  process.on('SIGINT', () => child.kill(++interrupts === 1 ? 'SIGTERM' : 'SIGKILL'))
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill('SIGTERM'))
  child.on('message', (message: ToParent) => {
    if (message.kind !== 'bound') return
    for (const endpoint of message.endpoints) output.say(`Listening for ${endpoint.protocol} on ${addressOf(endpoint)}.`)
    child.send({ kind: 'seeds', seeds } satisfies ToNode)
  })
  try {
    return await new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', (code, signal) => resolve(signal === null ? (code ?? exitCodes.failure.code) : 128 + constants.signals[signal]))
    })
  } finally {
    if (child.pid !== undefined) reaper.forget(child.pid)
    await settles(reaper.close(), REAPER_ENDS_MS)
  }
}

function readAddress(text: string): ToNode['seeds'][number] {
  const [, host, port] = /^\[?([\da-fA-F.:]+?)\]?:(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || port === undefined)
    throw new CommandError('usage', `--join wants an address and a port, 10.0.0.1:7201, not '${text}'.`)
  return { host, port: Number(port) }
}
