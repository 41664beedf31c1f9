// Which cluster a command is about: the one whose configuration, or state, lies nearest above the working directory,
// unless a flag or the environment says otherwise.
import { existsSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { isDnsLabel } from '@atoll/base'
import { clusterNames, STATE_ROOT, type StatePaths, statePaths } from '@atoll/supervisor'
import { CommandError } from './exit-codes.ts'

export const CONFIG_FILE = 'cluster.config.json'

/** Options that every command has. */
export interface TargetOptions {
  readonly name?: string
  readonly config?: string
}

export type Origin = 'flag' | 'environment' | 'file' | 'default'

export interface Target {
  readonly name: string
  readonly nameOrigin: Origin
  /** The configuration file; undefined when there is none and the defaults hold. */
  readonly configFile: string | undefined
  /** Where the state of this and the other clusters of the same configuration is. */
  readonly stateRoot: string
  readonly paths: StatePaths
}

export function findTarget(options: TargetOptions, env: NodeJS.ProcessEnv = process.env, from = process.cwd()): Target {
  const named = options.config ?? env['ATOLL_CONFIG']
  if (named !== undefined && !existsSync(resolve(from, named)))
    throw new CommandError('notFound', `There is no file ${resolve(from, named)}.`)
  const home = named === undefined ? nearestHome(from) : dirname(resolve(from, named))
  const file = named === undefined ? join(home, CONFIG_FILE) : resolve(from, named)
  const { name, nameOrigin } = chosenName(options, env, home)
  const stateRoot = join(home, STATE_ROOT)
  return { name, nameOrigin, configFile: existsSync(file) ? file : undefined, stateRoot, paths: statePaths(join(stateRoot, name)) }
}

function chosenName(options: TargetOptions, env: NodeJS.ProcessEnv, home: string): { name: string; nameOrigin: Origin } {
  const name = options.name ?? env['ATOLL_NAME']
  if (name === undefined) return { name: labelOf(basename(home)), nameOrigin: 'default' }
  if (!isDnsLabel(name))
    throw new CommandError('usage', `'${name}' cannot name a cluster: want lower-case letters, digits and dashes, at most 63.`)
  return { name, nameOrigin: options.name === undefined ? 'environment' : 'flag' }
}

/** The nearest directory, from `from` upwards, with a configuration or with state of ours; `from` itself when there is none. */
function nearestHome(from: string): string {
  for (let at = from; ; at = dirname(at)) {
    if (existsSync(join(at, CONFIG_FILE)) || holdsCluster(join(at, STATE_ROOT))) return at
    if (dirname(at) === at) return from
  }
}

function holdsCluster(stateRoot: string): boolean {
  try {
    return clusterNames(stateRoot).length > 0
  } catch {
    return false // not a directory, or somebody else's
  }
}

/** A cluster’s name made of a directory’s. */
export function labelOf(directory: string): string {
  const label = directory
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 50)
    .replace(/^-+|-+$/g, '')
  return label === '' ? 'atoll' : label
}
