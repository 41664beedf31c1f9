// Finding a cluster on this machine: its state directory says which one it is, what proves that one may speak to it, and which
// ports its coordinators got. It is read anew whenever nobody is found, because a cluster may be started again elsewhere.
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { type ClusterId, clusterIdIn, type Endpoint, StateFormatError, secretIn } from '@atoll/base'
import { AtollError, endpointIn } from './core/index.ts'

export interface Located {
  readonly clusterId: ClusterId
  readonly secret: Uint8Array
  readonly seeds: readonly Endpoint[]
}

/** The folder beside a configuration that holds the clusters started from there. */
const STATE_ROOT = '.atoll'

const notFound = (message: string, cause?: unknown): AtollError =>
  new AtollError('cluster_not_found', message, { operation: 'connect', cause })

/** The state directory a client is for when its user names none. Throws an AtollError `cluster_not_found`. */
export function nearestTarget(env: NodeJS.ProcessEnv, from: string): string {
  // A variable that is set to nothing counts as not set.
  const target = env['ATOLL_TARGET'] || undefined
  if (target !== undefined) return resolve(from, target)
  for (let at = from; ; at = dirname(at)) {
    const names = clusterNames(join(at, STATE_ROOT))
    if (names.length > 0) return join(at, STATE_ROOT, chosen(names, env['ATOLL_NAME'] || undefined, at))
    if (dirname(at) === at)
      throw notFound(`no cluster in or above ${from}: start one with \`npx cluster up\`, or set ATOLL_TARGET to its state directory`)
  }
}

/** What the state directory of a cluster says of it. Throws an AtollError `cluster_not_found` that says what is wrong there. */
export function located(directory: string, coordinators: readonly Endpoint[] = []): Located {
  const clusterId = valueIn(join(directory, 'cluster.json'), clusterIdIn)
  const secret = valueIn(join(directory, 'secret'), secretIn)
  const host = objectIn(textOf(join(directory, 'config.json')))['host']
  const ports = objectIn(textOf(join(directory, 'ports.json')))
  const remembered = Object.entries(ports).flatMap(([node, row]) => {
    const port = (row as { readonly port?: unknown } | null)?.port
    return node.startsWith('coordinator-') && typeof port === 'number'
      ? [{ host: typeof host === 'string' ? host : '127.0.0.1', port }]
      : []
  })
  const seeds = [...coordinators, ...remembered]
  if (seeds.length === 0) throw notFound(`${directory} names no coordinator: is the cluster started?`)
  return { clusterId, secret, seeds }
}

/** Addresses as `host:port`, separated by commas. Throws an AtollError `invalid_argument` for anything else. */
export function endpointsIn(list: string | readonly string[]): Endpoint[] {
  const addresses = typeof list === 'string' ? list.split(',') : list
  return addresses
    .filter(address => address.trim() !== '')
    .map(address => {
      const endpoint = endpointIn(address)
      if (endpoint === undefined)
        throw new AtollError('invalid_argument', `coordinators: want host:port with a literal IP address, got '${address}'`, {
          operation: 'connect',
        })
      return endpoint
    })
}

function clusterNames(root: string): string[] {
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter(entry => entry.isDirectory() && textOf(join(root, entry.name, 'cluster.json')) !== undefined)
      .map(({ name }) => name)
      .sort()
  } catch {
    return [] // not there, not a directory, or somebody else's
  }
}

/** The only one, the one that is named, or the one that bears its directory's name, as the command line has it. */
function chosen(names: readonly string[], named: string | undefined, home: string): string {
  const [only] = names
  const wanted = named ?? (names.length === 1 ? only : names.find(name => name === basename(home).toLowerCase()))
  if (wanted === undefined || !names.includes(wanted))
    throw notFound(`${join(home, STATE_ROOT)} holds ${names.join(', ')}: say which with ATOLL_NAME, or connect to its directory`)
  return wanted
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined
    throw notFound(`${path} cannot be read: ${(error as Error).message}`, error)
  }
}

function valueIn<T>(path: string, parse: (text: string) => T): T {
  const text = textOf(path)
  if (text === undefined) throw notFound(`${path} is missing: this is not the state directory of a cluster that was started`)
  try {
    return parse(text)
  } catch (error) {
    if (error instanceof StateFormatError) throw notFound(`${path} ${error.message}`, error)
    throw error
  }
}

/** A JSON object; an empty one when the file is missing or damaged, because it can be made again. */
function objectIn(text: string | undefined): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? '{}')
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {} // the writer replaces it in one step, so it is somebody else's mistake; the error names what is missing
  }
}
