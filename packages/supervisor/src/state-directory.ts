// What a cluster keeps on disk: `.atoll/<name>/` beside its configuration. Everything but `data/` can be made again.
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, openSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { type ClusterId, clusterId, clusterIdIn, SECRET_BYTES, STATE_FORMAT, StateFormatError, secretIn } from '@atoll/base'
import { readIfThere, replaceFile } from './replace-file.ts'

/** The folder beside the configuration that holds all its clusters. */
export const STATE_ROOT = '.atoll'

export interface StatePaths {
  readonly directory: string
  /** Format and cluster id. */
  readonly identity: string
  /** What proves to every process of the cluster that the other is one, too: 32 random bytes in hex, for the owner only. */
  readonly secret: string
  /** The configuration in force, every default filled in. */
  readonly config: string
  /** Ports that were chosen, for the next start. */
  readonly ports: string
  /** Every process of ours, for the clean-up after a crash. */
  readonly processes: string
  /** Where the supervisor is reached. */
  readonly supervisor: string
  readonly lock: string
  readonly logs: string
  readonly data: string
}

export function statePaths(directory: string): StatePaths {
  return {
    directory,
    identity: join(directory, 'cluster.json'),
    secret: join(directory, 'secret'),
    config: join(directory, 'config.json'),
    ports: join(directory, 'ports.json'),
    processes: join(directory, 'pids.json'),
    supervisor: join(directory, 'supervisor.json'),
    lock: join(directory, 'lock'),
    logs: join(directory, 'logs'),
    data: join(directory, 'data'),
  }
}

/** Where a node's own output goes: what it says before its log works, and what ends it. */
export const stderrFile = (paths: StatePaths, node: string): string => join(paths.logs, `${node}.stderr`)

/** A fresh file for what a process says by itself; that of the one before stays beside it. */
export function openStderr(path: string): number {
  try {
    renameSync(path, `${path}.1`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  return openSync(path, 'a', 0o600)
}

/** `conflict`: what is there is not for us. `environment`: the machine does not let us. */
export type StateTrouble = 'conflict' | 'environment'

/** The directory cannot be used as it is, and nothing in it was touched. */
export class StateError extends Error {
  override readonly name = 'StateError'
  readonly reason: StateTrouble
  constructor(message: string, options: ErrorOptions & { readonly reason?: StateTrouble } = {}) {
    super(message, options)
    this.reason = options.reason ?? 'conflict'
  }
}

export interface ClusterIdentity {
  readonly id: ClusterId
  /** Its data goes when it stops. */
  readonly ephemeral: boolean
}

/** The identity of the cluster kept in a directory; undefined when there is none. Throws a StateError for a newer format. */
export function readIdentity(paths: StatePaths): ClusterIdentity | undefined {
  const text = readIfThere(paths.identity)
  if (text === undefined) return undefined
  const id = inFile(paths.identity, text, clusterIdIn)
  const { ephemeral } = parseObject(text, paths.identity)
  return { id, ephemeral: ephemeral === true }
}

/** What `parse` finds in the file at `path`. */
function inFile<T>(path: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text)
  } catch (error) {
    if (error instanceof StateFormatError) throw new StateError(`${path} ${error.message}`, { cause: error })
    throw error
  }
}

/** Makes the directory, readable by its owner only. */
export function makeDirectory(paths: StatePaths): void {
  for (const directory of [paths.directory, paths.logs, paths.data]) makeOwnDirectory(directory)
}

/**
 * Makes `path` and whatever is missing above it, readable by its owner only. Throws a StateError that says where it may not.
 * Not Node's own recursive mkdir: where a file system answers "no such file" although the parent is there (/proc does), that
 * one tries for ever.
 */
export function makeOwnDirectory(path: string): void {
  if (existsSync(path)) return
  const above = dirname(path)
  if (above !== path) makeOwnDirectory(above)
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return
    throw new StateError(
      `${path} cannot be made (${(error as NodeJS.ErrnoException).code}): work in a directory you may write to, or say --config`,
      { cause: error, reason: 'environment' },
    )
  }
}

/** Deletes the directory, and with the last cluster the folder they all were in. */
export function removeDirectory({ directory }: StatePaths): void {
  rmSync(directory, { recursive: true, force: true })
  if (basename(dirname(directory)) !== STATE_ROOT) return
  try {
    rmdirSync(dirname(directory))
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    // Another cluster is in it, or somebody else was faster.
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(code)) throw error
  }
}

/** Deletes what an ephemeral cluster left behind when it was killed. The caller holds the lock. */
export function discardEphemeral(paths: StatePaths): void {
  if (readIdentity(paths)?.ephemeral !== true) return
  for (const path of [paths.identity, paths.secret, paths.ports, paths.data]) rmSync(path, { recursive: true, force: true })
  for (const name of readdirSync(paths.logs)) if (name !== 'supervisor.stderr') rmSync(join(paths.logs, name), { force: true })
  makeDirectory(paths)
}

/** The cluster's identity and secret, made on first use. The caller holds the lock. */
export function establish(paths: StatePaths, name: string, ephemeral: boolean): ClusterIdentity {
  if (readIfThere(paths.secret) === undefined) replaceFile(paths.secret, randomBytes(SECRET_BYTES).toString('hex'), { durable: true })
  const found = readIdentity(paths)
  if (found !== undefined) return found
  // Never reused: a process of a deleted cluster of the same name must not pass for one of this.
  const id = clusterId(`${name.slice(0, 50)}-${randomBytes(4).toString('hex')}`)
  replaceFile(paths.identity, `${JSON.stringify({ format: STATE_FORMAT, clusterId: id, ephemeral })}\n`, { durable: true })
  return { id, ephemeral }
}

/** The secret's bytes. Throws a StateError when it is missing or damaged. */
export function readSecret(paths: StatePaths): Uint8Array {
  const text = readIfThere(paths.secret)
  if (text === undefined) throw new StateError(`${paths.secret} is missing`)
  return inFile(paths.secret, text, secretIn)
}

/** sockaddr_un.sun_path is 104 bytes on macOS and 108 on Linux, its final zero included. */
const SOCKET_PATH_BYTES_MAX = 103

/** The supervisor's socket: in the directory, or in a short place of the user's own when that path is too long for a socket. */
export function socketPath(paths: StatePaths, env: NodeJS.ProcessEnv = process.env): string {
  const name = `atoll-${createHash('sha256').update(paths.directory).digest('hex').slice(0, 16)}.sock`
  const runtime = env['XDG_RUNTIME_DIR'] ?? ''
  // The XDG base directory specification: a path that is not absolute counts for nothing.
  const places = [...(isAbsolute(runtime) ? [runtime] : []), ...sharedPlaces()].map(place => join(place, name))
  const path = [join(paths.directory, 'control.sock'), ...places].find(one => Buffer.byteLength(one) <= SOCKET_PATH_BYTES_MAX)
  if (path === undefined) throw new StateError(`no path for the supervisor's socket is short enough: the last tried was ${places.at(-1)}`)
  return path
}

/** Directories of ours where everybody may make some. */
const sharedPlaces = (): string[] => [tmpdir(), '/tmp'].map(place => join(place, `atoll-${process.getuid?.() ?? 'user'}`))

/** Makes the directory of a socket. Throws a StateError when somebody else could have a hand in it. */
export function makeSocketDirectory(socket: string): void {
  const directory = dirname(socket)
  makeOwnDirectory(directory)
  if (!sharedPlaces().includes(directory)) return
  const found = lstatSync(directory)
  if (!found.isDirectory() || (found.mode & 0o077) !== 0 || (process.getuid !== undefined && found.uid !== process.getuid()))
    throw new StateError(`${directory} must be a directory that only you can use: delete it, or set XDG_RUNTIME_DIR`)
}

/** Names of the clusters that have state under `root`. */
export function clusterNames(root: string): readonly string[] {
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter(entry => entry.isDirectory() && readIfThere(join(root, entry.name, 'cluster.json')) !== undefined)
      .map(entry => entry.name)
      .sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** A JSON object from one of our own files. Throws a StateError naming the file. */
export function parseObject(text: string, path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch (error) {
    throw new StateError(`${path} is damaged: ${(error as Error).message}`, { cause: error })
  }
  throw new StateError(`${path} is damaged: want a JSON object`)
}
