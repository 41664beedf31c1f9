// `cluster status` and `cluster ps`: how the cluster is, and which processes it has.

import { CommandError, exitCodes } from '../exit-codes.ts'
import { faultLines } from '../link-faults.ts'
import type { Output } from '../output.ts'
import { connect, notRunning, statusOf, withCluster } from '../running-cluster.ts'
import { addressOf, headline, nodeTable, statusJson } from '../status-view.ts'
import { tableLines } from '../table.ts'
import { findTarget, type Target, type TargetOptions } from '../target.ts'

export interface StatusOptions extends TargetOptions {
  readonly json?: boolean
  readonly watch?: boolean | string
}

/** Exit code: 0 ready, 3 not running, 4 degraded. */
export async function status(options: StatusOptions, output: Output): Promise<number> {
  const target = findTarget(options)
  if (options.watch !== undefined && options.watch !== false) return watch(target, options, output)
  return show(target, options, output)
}

async function show(target: Target, options: StatusOptions, output: Output): Promise<number> {
  await using client = await connect(target)
  const found = client === undefined ? undefined : await statusOf(client, true)
  if (options.json === true) output.json(statusJson(target, found))
  else if (found === undefined) throw notRunning(target)
  else for (const line of statusLines(target, found, output)) output.data(line)
  if (found === undefined) return exitCodes.notRunning.code
  return found.ready ? exitCodes.ok.code : exitCodes.degraded.code
}

function statusLines(target: Target, found: Parameters<typeof headline>[0], output: Output): string[] {
  return [
    headline(found, output),
    ...nodeTable(found, output),
    ...faults(found).map(sentence => output.mark('yellow', `! ${sentence}`)),
    ...found.unready.map(sentence => output.mark('yellow', `! ${sentence}`)),
    output.mark('dim', `State: ${target.paths.directory}${found.ephemeral ? ' (deleted when it stops)' : ''}`),
  ]
}

function faults({ links, nodes }: Parameters<typeof headline>[0]): string[] {
  const lines = faultLines(
    links,
    nodes.map(({ name }) => name),
  )
  return lines.map((line, i) => (i === lines.length - 1 ? `${line} (\`cluster heal\` undoes it)` : line))
}

/** Repaints on a terminal; elsewhere one JSON line, or one block, per look. Until interrupted. */
async function watch(target: Target, options: StatusOptions, output: Output): Promise<number> {
  const everyMs = typeof options.watch === 'string' ? secondsOf(options.watch) * 1000 : 1000
  for (;;) {
    await using client = await connect(target)
    const found = client === undefined ? undefined : await statusOf(client, true)
    if (options.json === true) output.data(JSON.stringify({ schema: 1, ...statusJson(target, found) }))
    else {
      if (process.stdout.isTTY) process.stdout.write('\x1b[H\x1b[2J')
      const lines = found === undefined ? [`Cluster ${target.name} is not running.`] : statusLines(target, found, output)
      for (const line of lines) output.data(line)
    }
    await new Promise(resolve => setTimeout(resolve, everyMs))
  }
}

function secondsOf(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (!(seconds >= 0.1 && seconds <= 3_600)) throw new CommandError('usage', `--watch wants seconds, 0.1 to 3600, not '${text}'.`)
  return seconds
}

export interface PsOptions extends TargetOptions {
  readonly json?: boolean
  readonly quiet?: boolean
}

/** What the supervisor knows, without asking the nodes. */
export async function ps(options: PsOptions, output: Output): Promise<number> {
  const target = findTarget(options)
  const { nodes } = await withCluster(target, client => statusOf(client, false))
  if (options.json === true) {
    const rows = nodes.map(({ name, role, pid, state, endpoints }) => ({ name, role, pid: pid ?? null, state, endpoints }))
    output.json({ cluster: target.name, processes: rows })
  } else if (options.quiet === true) for (const { name } of nodes) output.data(name)
  else {
    const rows = nodes.map(({ name, role, pid, state, endpoints }) => [
      name,
      role,
      String(pid ?? '-'),
      state,
      endpoints.map(addressOf).join(' '),
    ])
    for (const line of tableLines([['NODE', 'ROLE', 'PID', 'STATE', 'ADDRESS'], ...rows])) output.data(line)
  }
  return exitCodes.ok.code
}
