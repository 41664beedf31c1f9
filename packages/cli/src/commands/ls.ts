// `cluster ls`: every cluster of this configuration, running or not.
import { join } from 'node:path'
import { ControlClient, clusterNames, readIdentity, StateError, type StatePaths, statePaths } from '@atoll/supervisor'
import { exitCodes } from '../exit-codes.ts'
import type { Output } from '../output.ts'
import { statusOf } from '../running-cluster.ts'
import { tableLines } from '../table.ts'
import { findTarget, type TargetOptions } from '../target.ts'

export interface LsOptions extends TargetOptions {
  readonly json?: boolean
  readonly quiet?: boolean
}

interface Row {
  readonly name: string
  readonly state: 'running' | 'stopped' | 'unreadable'
  readonly nodesRunning: number
  readonly nodes: number
  readonly ephemeral: boolean
  readonly directory: string
}

export async function ls(options: LsOptions, output: Output): Promise<number> {
  const { stateRoot } = findTarget(options)
  const rows = await Promise.all(clusterNames(stateRoot).map(name => describe(name, statePaths(join(stateRoot, name)))))
  if (options.json === true) output.json({ clusters: rows })
  else if (options.quiet === true) for (const { name } of rows) output.data(name)
  else if (rows.length === 0) output.say(`There is no cluster in ${stateRoot}.`)
  else for (const line of tableLines([['CLUSTER', 'STATE', 'NODES', 'DIRECTORY'], ...rows.map(cells)])) output.data(line)
  return exitCodes.ok.code
}

async function describe(name: string, paths: StatePaths): Promise<Row> {
  const row = { name, nodesRunning: 0, nodes: 0, directory: paths.directory }
  try {
    const ephemeral = readIdentity(paths)?.ephemeral === true
    await using client = await ControlClient.connect(paths)
    if (client === undefined) return { ...row, state: 'stopped', ephemeral }
    const { nodes } = await statusOf(client, false)
    return {
      ...row,
      state: 'running',
      nodes: nodes.length,
      nodesRunning: nodes.filter(({ state }) => state === 'running').length,
      ephemeral,
    }
  } catch (error) {
    if (error instanceof StateError) return { ...row, state: 'unreadable', ephemeral: false }
    throw error
  }
}

function cells({ name, state, nodes, nodesRunning, ephemeral, directory }: Row): string[] {
  return [name, ephemeral ? `${state}, ephemeral` : state, state === 'running' ? `${nodesRunning}/${nodes}` : '-', directory]
}
