// A configuration once it is valid. The schema that makes it so is apart (`config-schema.ts`): a node process gets its
// configuration from a supervisor that has checked it, and does without the memory a validator costs.
import { type NodeId, nodeId } from '@atoll/base'
import type { ClusterConfig } from './config-schema.ts'

/** A configuration that cannot be used; `problems` has every reason, a sentence each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]
  constructor(origin: string, problems: readonly string[]) {
    super(
      `${origin}: ${problems.length === 1 ? 'one problem' : `${problems.length} problems`}\n${problems.map(problem => `  ${problem}`).join('\n')}`,
    )
    this.problems = problems
  }
}

/** Every role this version runs. */
export type Role = keyof ClusterConfig['roles']

export interface PlannedNode {
  readonly name: NodeId
  readonly role: Role
  readonly host: string
  readonly nativePort: number
  /** Its front doors: the ports for clients that speak something else. */
  readonly fronts: readonly FrontPort[]
}

export interface FrontPort {
  readonly protocol: string
  readonly port: number
}

/** Every setting of a role that is the port of a front door, by the protocol spoken there. */
const frontSettings = { kafkaPort: 'kafka' } as const

/** The nodes a configuration asks for: `coordinator-1`, `coordinator-2`, …. */
export function plannedNodes(config: Pick<ClusterConfig, 'roles' | 'host'>): PlannedNode[] {
  return Object.entries(config.roles).flatMap(([name, { count, nativePort, ...rest }]) =>
    Array.from({ length: count }, (_, i) => ({
      name: nodeId(`${name}-${i + 1}`),
      role: name as Role,
      host: config.host,
      nativePort: nativePort + i,
      fronts: Object.entries(frontSettings).flatMap(([setting, protocol]) => {
        const first = (rest as Readonly<Record<string, number | undefined>>)[setting]
        return first === undefined ? [] : [{ protocol, port: first + i }]
      }),
    })),
  )
}

/** What a resolved configuration holds, by the kind of its leaves. The schema keeps the bounds; this keeps out what is no configuration. */
const shape = {
  host: 'string',
  faults: 'boolean',
  roles: {
    coordinator: { count: 'number', nativePort: 'number' },
    broker: { count: 'number', nativePort: 'number', kafkaPort: 'number' },
  },
  gossip: { probeIntervalMs: 'number', suspicionMsMin: 'number' },
  logs: { level: 'string', fileBytesMax: 'number', filesMax: 'number' },
  shutdownGraceMs: 'number',
  stallWarnMs: 'number',
} as const satisfies ShapeOf<ClusterConfig>

type ShapeOf<T> = {
  readonly [Key in keyof T]: T[Key] extends string
    ? 'string'
    : T[Key] extends number
      ? 'number'
      : T[Key] extends boolean
        ? 'boolean'
        : ShapeOf<T[Key]>
}
interface Shape {
  readonly [name: string]: 'string' | 'number' | 'boolean' | Shape
}

/** A configuration that was checked by the schema before and has every default filled in. Throws a ConfigError for anything else. */
export function resolvedConfig(text: string, origin: string): ClusterConfig {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new ConfigError(origin, [`not JSON: ${(error as Error).message}`])
  }
  const problems = departures(value, shape, '')
  if (problems.length > 0) throw new ConfigError(origin, problems)
  return value as ClusterConfig
}

function departures(value: unknown, wanted: Shape, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [`${path === '' ? 'the file' : path}: want an object`]
  return Object.entries(wanted).flatMap(([name, kind]) => {
    const here = path === '' ? name : `${path}.${name}`
    const inner = (value as Record<string, unknown>)[name]
    if (typeof kind !== 'string') return departures(inner, kind, here)
    return typeof inner === kind ? [] : [`${here}: want a ${kind}, found ${inner === undefined ? 'nothing' : JSON.stringify(inner)}`]
  })
}
