// The configuration in force: flags and environment over the file over the defaults, each value with where it is from.
import { readFileSync } from 'node:fs'
import { type ClusterConfig, ConfigError, type PlannedNode, parseConfig, plannedNodes, type Role } from '@atoll/service'
import { describeFileTrouble } from '@atoll/supervisor'
import { CommandError } from './exit-codes.ts'
import type { Origin, Target } from './target.ts'

export interface ConfigOptions {
  readonly portOffset?: string
  /** A part of the cluster: its roles and the coordinators run, no others. */
  readonly only?: string
}

/** The parts of a cluster that can run without the others, with the roles they are made of. */
export const parts: Readonly<Record<string, readonly Role[]>> = { log: ['broker'] }

export interface ResolvedConfig {
  readonly config: ClusterConfig
  /** As the nodes read it; equal texts are equal configurations. */
  readonly text: string
  readonly plan: readonly PlannedNode[]
  /** Where each value is from, by its path (`gossip.probeIntervalMs`). */
  readonly origins: ReadonlyMap<string, Origin>
}

/** Reads and resolves the configuration. Throws a CommandError with every problem of the file. */
export function resolveConfig(target: Target, options: ConfigOptions, env: NodeJS.ProcessEnv = process.env): ResolvedConfig {
  const name = target.configFile ?? 'the default configuration'
  const written = target.configFile === undefined ? '{}' : readConfig(target.configFile)
  try {
    const fromFile = parseConfig(written, name)
    const offset = portOffset(options, env)
    const moved = offset === undefined ? fromFile : parseConfig(JSON.stringify(withOffset(fromFile, offset.value)), name)
    const idle = idleRoles(moved, options)
    const config = withoutRoles(moved, idle)
    const said = new Set(flatten(JSON.parse(written)).keys())
    const origins = new Map(
      Array.from(flatten(config).keys(), (path): [string, Origin] => [
        path,
        offset !== undefined && isPort(path)
          ? offset.origin
          : idle.some(role => path === `roles.${role}.count`)
            ? 'flag'
            : said.has(path)
              ? 'file'
              : 'default',
      ]),
    )
    return { config, text: `${JSON.stringify(config, undefined, 2)}\n`, plan: plannedNodes(config), origins }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new CommandError('usage', `${name} cannot be used.`, { details: error.problems.map(problem => `  ${problem}`) })
  }
}

function readConfig(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const trouble = describeFileTrouble(Object.assign(error as Error, { path: file }))
    if (trouble === undefined) throw error
    throw new CommandError('usage', `${trouble}.`)
  }
}

/** Keys on which two configurations differ, with both values. */
export function configChanges(before: string, after: string): readonly { key: string; before: unknown; after: unknown }[] {
  const [old, now] = [flatten(JSON.parse(before)), flatten(JSON.parse(after))]
  return [...new Set([...old.keys(), ...now.keys()])]
    .map(key => ({ key, before: old.get(key), after: now.get(key) }))
    .filter(change => change.before !== change.after)
}

/** Every single value of a JSON document by its path. */
export function flatten(value: unknown, path = ''): Map<string, unknown> {
  if (typeof value !== 'object' || value === null) return new Map([[path, value]])
  return new Map(Object.entries(value).flatMap(([key, inner]) => [...flatten(inner, path === '' ? key : `${path}.${key}`)]))
}

const isPort = (path: string): boolean => /^roles\.[^.]+\.[a-zA-Z]*[pP]ort$/.test(path)

function portOffset(options: ConfigOptions, env: NodeJS.ProcessEnv): { value: number; origin: Origin } | undefined {
  const text = options.portOffset ?? env['ATOLL_PORT_OFFSET']
  if (text === undefined) return undefined
  const origin = options.portOffset === undefined ? 'environment' : 'flag'
  if (!/^\d{1,5}$/.test(text)) throw new CommandError('usage', `A port offset is a whole number from 0 on, not '${text}'.`)
  return { value: Number(text), origin }
}

function withOffset(config: ClusterConfig, offset: number): ClusterConfig {
  const moved = Object.entries(config.roles).map(([role, settings]) => [
    role,
    Object.fromEntries(
      Object.entries(settings).map(([key, value]) => [key, isPort(`roles.${role}.${key}`) ? Number(value) + offset : value]),
    ),
  ])
  return { ...config, roles: Object.fromEntries(moved) as ClusterConfig['roles'] }
}

/** Roles that run none, because only a part of the cluster is wanted that is made of others. */
function idleRoles({ roles }: ClusterConfig, { only }: ConfigOptions): Role[] {
  if (only === undefined) return []
  const wanted = parts[only]
  if (wanted === undefined) throw new CommandError('usage', `A cluster has these parts: ${Object.keys(parts).join(', ')}; not '${only}'.`)
  return (Object.keys(roles) as Role[]).filter(role => role !== 'coordinator' && !wanted.includes(role))
}

function withoutRoles(config: ClusterConfig, idle: readonly Role[]): ClusterConfig {
  const counts = Object.entries(config.roles).map(([role, settings]) => [
    role,
    idle.includes(role as Role) ? { ...settings, count: 0 } : settings,
  ])
  return { ...config, roles: Object.fromEntries(counts) as ClusterConfig['roles'] }
}
