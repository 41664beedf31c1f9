// `cluster doctor`: whether the machine is fit, what earlier sessions left behind, and a report for a bug's finder.
import { existsSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  clusterNames,
  doorOf,
  heldNodes,
  killLeftovers,
  leftovers,
  lockHolder,
  RememberedPorts,
  readIdentity,
  removeDirectory,
  StateError,
  socketPath,
  statePaths,
} from '@atoll/supervisor'
import { exitCodes } from '../exit-codes.ts'
import { checkMachine, type Finding } from '../machine-checks.ts'
import type { Output, Style } from '../output.ts'
import { writeReport } from '../report.ts'
import { resolveConfig } from '../resolved-config.ts'
import { connect, statusOf } from '../running-cluster.ts'
import { findTarget, type Target, type TargetOptions } from '../target.ts'

export interface DoctorOptions extends TargetOptions {
  readonly fix?: boolean
  readonly report?: string
  readonly json?: boolean
}

const signs: Record<Finding['outcome'], readonly [Style, string]> = { ok: ['green', '✓'], warning: ['yellow', '!'], failure: ['red', '✗'] }

/** Exit code: 0 when nothing failed, 7 otherwise. */
export async function doctor(options: DoctorOptions, output: Output): Promise<number> {
  const target = findTarget(options)
  const remembered = new RememberedPorts(target.paths.ports)
  const plan = resolveConfig(target, {}).plan.map(node => ({
    ...node,
    nativePort: remembered.portFor(node.name, node.nativePort),
    fronts: node.fronts.map(({ protocol, port }) => ({ protocol, port: remembered.portFor(doorOf(node.name, protocol), port) })),
  }))
  const findings = [
    ...(await checkMachine(plan, target.stateRoot, await ourPorts(target))),
    ...(await Promise.all(clusterNames(target.stateRoot).map(name => checkCluster(target.stateRoot, name, options.fix === true)))).flat(),
  ]
  if (options.json === true) output.json({ findings })
  else
    for (const { check, outcome, message, remedy } of findings) {
      const [style, sign] = signs[outcome]
      output.data(
        `${output.mark(style, sign)} ${check.padEnd(11)} ${message}${outcome === 'ok' || remedy === undefined ? '' : ` → ${remedy}`}`,
      )
    }
  if (options.report !== undefined) output.say(`Report: ${await writeReport(options.report, target, findings)}`)
  return findings.some(({ outcome }) => outcome === 'failure') ? exitCodes.environment.code : exitCodes.ok.code
}

/** Ports that nodes of the running cluster hold. */
async function ourPorts(target: Target): Promise<ReadonlySet<number>> {
  await using client = await connect(target)
  if (client === undefined) return new Set()
  return new Set((await statusOf(client, false)).nodes.flatMap(({ endpoints }) => endpoints.map(({ port }) => port)))
}

/** What is wrong with the state of one cluster; mends it when asked to. */
async function checkCluster(stateRoot: string, name: string, fix: boolean): Promise<Finding[]> {
  const paths = statePaths(join(stateRoot, name))
  const check = 'state'
  try {
    const identity = readIdentity(paths)
    if (lockHolder(paths.lock) !== undefined) return [{ check, outcome: 'ok', message: `cluster ${name} is running` }]
    const alone = heldNodes(paths.lock).map(({ node, pid }) => `${node} (${pid})`)
    if (alone.length > 0) return [{ check, outcome: 'ok', message: `nodes of cluster ${name} run by themselves: ${alone.join(', ')}` }]
    const left = leftovers(paths.processes).map(({ name: node, pid }) => `${node} (${pid})`)
    const socket = socketPath(paths)
    const remains = existsSync(paths.supervisor) || existsSync(socket) || left.length > 0 || identity?.ephemeral === true
    const exposed = existsSync(paths.secret) && (statSync(paths.secret).mode & 0o077) !== 0
    if (exposed)
      return [{ check, outcome: 'failure', message: `${paths.secret} can be read by others`, remedy: `chmod 600 ${paths.secret}` }]
    if (!remains) return [{ check, outcome: 'ok', message: `cluster ${name} is stopped, nothing is left behind` }]
    const what =
      left.length > 0 ? `these processes: ${left.join(', ')}` : identity?.ephemeral === true ? 'its ephemeral state' : 'its socket'
    if (!fix) return [{ check, outcome: 'warning', message: `cluster ${name} was killed and left ${what}`, remedy: 'cluster doctor --fix' }]
    await killLeftovers(paths.processes)
    for (const path of [socket, paths.supervisor, paths.processes]) rmSync(path, { force: true })
    if (identity?.ephemeral === true) removeDirectory(paths)
    return [{ check, outcome: 'ok', message: `cluster ${name} was killed and left ${what}; cleaned up` }]
  } catch (error) {
    if (!(error instanceof StateError)) throw error
    return [{ check, outcome: 'failure', message: error.message, remedy: 'another --name, or the version that wrote it' }]
  }
}
