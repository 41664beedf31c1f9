// What a node process is told at its start: its command line and the files that names. Nothing is taken on trust, and
// nothing is written before all of it was understood.
import { clusterIdIn, nodeId, StateFormatError, secretIn } from '@atoll/base'
import { ConfigError, plannedNodes, resolvedConfig } from './config.ts'
import type { NodeOptions } from './node.ts'

const PORT = /^\d{1,5}$/

/** The process cannot start with what it was given; the message says what is wrong and where. */
export class LaunchError extends Error {
  override readonly name = 'LaunchError'
}

export interface LaunchFlags {
  readonly node?: string | undefined
  readonly state?: string | undefined
  readonly config?: string | undefined
  readonly 'native-port'?: string | undefined
  /** `PROTOCOL=PORT` for each front door that is not to be where the configuration says. */
  readonly front?: readonly string[] | undefined
  readonly 'strict-ports'?: boolean | undefined
}

export interface Launch {
  readonly options: NodeOptions
  readonly logPath: string
  /** The directory that is this node's disk. */
  readonly dataPath: string
  /** Where the other nodes are, when nobody says better. */
  readonly seeds: readonly { readonly host: string; readonly port: number }[]
}

/** Checks `flags` and the files they name. Throws a LaunchError. `readText` throws for a file that cannot be read. */
export function readLaunch(role: string, flags: LaunchFlags, readText: (path: string) => string): Launch {
  const { node, state, config: configPath } = flags
  if (node === undefined || state === undefined || configPath === undefined)
    throw new LaunchError('usage: --node NAME --state DIR --config FILE [--native-port N] [--front PROTOCOL=N] [--strict-ports]')
  const read = (path: string): string => readOrRefuse(path, readText)
  const cluster = valueIn(`${state}/cluster.json`, read, clusterIdIn)
  const config = configOf(configPath, read)
  const planned = plannedNodes(config)
  const own = planned.find(({ name }) => name === node)
  if (own === undefined || own.role !== role)
    throw new LaunchError(`${node} is no ${role} of ${configPath}; it has ${planned.map(({ name }) => name).join(', ')}`)
  const strict = flags['strict-ports'] ?? false
  const asked = new Map((flags.front ?? []).map(frontOf))
  return {
    options: {
      name: nodeId(node),
      role,
      clusterId: cluster,
      secret: valueIn(`${state}/secret`, read, secretIn),
      config,
      native: { host: own.host, port: portOf('--native-port', flags['native-port']) ?? own.nativePort, strict },
      fronts: own.fronts.map(({ protocol, port }) => ({
        protocol,
        host: own.host,
        port: asked.get(protocol) ?? port,
        wanted: port,
        strict,
      })),
    },
    logPath: `${state}/logs/${node}.ndjson`,
    dataPath: `${state}/data/${node}`,
    seeds: planned.filter(({ name }) => name !== node).map(({ host, nativePort }) => ({ host, port: nativePort })),
  }
}

function readOrRefuse(path: string, readText: (path: string) => string): string {
  try {
    return readText(path)
  } catch (error) {
    throw new LaunchError(`cannot read ${path}: ${(error as Error).message}`, { cause: error })
  }
}

function portOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!PORT.test(text) || Number(text) > 65_535) throw new LaunchError(`${flag}: want 0 to 65535, got ${JSON.stringify(text)}`)
  return Number(text)
}

function frontOf(text: string): [string, number] {
  const [protocol = '', port = ''] = text.split('=', 2)
  const number = portOf(`--front ${protocol}`, port)
  if (number === undefined) throw new LaunchError(`--front: want PROTOCOL=PORT, got ${JSON.stringify(text)}`)
  return [protocol, number]
}

function configOf(path: string, read: (path: string) => string): NodeOptions['config'] {
  const text = read(path)
  try {
    return resolvedConfig(text, path)
  } catch (error) {
    if (error instanceof ConfigError) throw new LaunchError(error.message, { cause: error })
    throw error
  }
}

/** What `parse` finds in the file at `path`. */
function valueIn<T>(path: string, read: (path: string) => string, parse: (text: string) => T): T {
  const text = read(path)
  try {
    return parse(text)
  } catch (error) {
    if (error instanceof StateFormatError) throw new LaunchError(`${path} ${error.message}`, { cause: error })
    throw error
  }
}
