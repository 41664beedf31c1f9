// `cluster node run NAME`: exactly one node in the foreground, without a supervisor; for a machine of its own, under
// systemd or in a container. It is told to stop by a signal, and ends when this process does.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import type { ToNode, ToParent } from '@atoll/service'
import { establish, lockHolder, makeDirectory, nodeArguments, processEnvironment, replaceFile, statePaths } from '@atoll/supervisor'
import { CommandError, exitCodes } from '../exit-codes.ts'
import type { Output } from '../output.ts'
import { type ConfigOptions, resolveConfig } from '../resolved-config.ts'
import { addressOf } from '../status-view.ts'
import { findTarget, type TargetOptions } from '../target.ts'

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
  const holder = lockHolder(paths.lock)
  if (holder !== undefined)
    throw new CommandError('conflict', `Supervisor ${holder.pid} runs the nodes in ${paths.directory}.`, {
      next: ['cluster down', 'another --state'],
    })
  makeDirectory(paths)
  establish(paths, target.name, false)
  const config = join(paths.directory, `${name}.config.json`)
  replaceFile(config, text)
  const seeds =
    options.join?.map(readAddress) ?? plan.filter(node => node.name !== name).map(({ host, nativePort }) => ({ host, port: nativePort }))
  const port = options.nativePort === undefined ? own.nativePort : Number(options.nativePort)
  const place = { programs: import.meta.dirname, role: own.role, name, state: paths.directory, config, port }
  return await attend(nodeArguments({ ...place, strictPorts: options.strictPorts === true }), seeds, output)
}

/** Runs the node until it ends. Answers its exit code. */
async function attend(args: readonly string[], seeds: ToNode['seeds'], output: Output): Promise<number> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env: processEnvironment() })
  // Ctrl-C reaches it through the terminal, too, but what it stops on is TERM.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => child.kill('SIGTERM'))
  child.on('message', (message: ToParent) => {
    if (message.kind !== 'bound') return
    for (const endpoint of message.endpoints) output.say(`Listening for ${endpoint.protocol} on ${addressOf(endpoint)}.`)
    child.send({ kind: 'seeds', seeds } satisfies ToNode)
  })
  return await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => resolve(signal === null ? (code ?? exitCodes.failure.code) : 128 + constants.signals[signal]))
  })
}

function readAddress(text: string): ToNode['seeds'][number] {
  const [, host, port] = /^\[?([\da-fA-F.:]+?)\]?:(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || port === undefined)
    throw new CommandError('usage', `--join wants an address and a port, 10.0.0.1:7201, not '${text}'.`)
  return { host, port: Number(port) }
}
