// connect(): the client on Node's ports. Synchronous and lazy: nothing is read or opened before the first call.
import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { clusterId, nodeId, secretIn } from '@atoll/base'
import { createClock, createNet, systemRandom } from '@atoll/node-ports'
import { lazyCompute } from './compute.ts'
import { AtollError, Client, type Whereabouts } from './core/index.ts'
import { endpointsIn, type Located, located, nearestTarget } from './whereabouts.ts'

export interface ConnectOptions {
  /** The state directory of the cluster, e.g. `.atoll/demo`. Default: ATOLL_TARGET, else the nearest cluster above the working directory. */
  readonly target?: string | undefined
  /** Coordinators to begin with, as `host:port` with literal IP addresses. With `clusterId` and `secret` no state directory is needed. */
  readonly coordinators?: string | readonly string[] | undefined
  readonly clusterId?: string | undefined
  /** The cluster’s secret: its bytes, or the text of its file. */
  readonly secret?: string | Uint8Array | undefined
  /** What this client calls itself: a lower-case DNS label, for the logs of the cluster. */
  readonly name?: string | undefined
  /** `none`: changes are not repeated once their fate is unknown. Default `exactly_once`. */
  readonly session?: 'exactly_once' | 'none' | undefined
}

/**
 * A client of a cluster. It connects with its first call, and keeps the process alive until it is closed. `await` is welcome
 * and not needed. Throws an AtollError `invalid_argument` for a name that is none.
 */
export function connect(target?: string | ConnectOptions, options: ConnectOptions = {}): Client {
  const given: ConnectOptions = typeof target === 'string' ? { ...options, target } : { ...target, ...options }
  const clock = createClock()
  const random = systemRandom()
  const self = argument('name', () => nodeId(given.name ?? `client-${process.pid}-${randomBytes(3).toString('hex')}`))
  const { compute, load } = lazyCompute()
  const { net } = createNet({ self, faults: false, clock, random })
  // Where it was when the client was made: a program may change its directory later.
  const from = process.cwd()
  const where = async (): Promise<Whereabouts> => {
    await load()
    return whereIs(given, from)
  }
  return new Client({ net, clock, random, compute }, { name: self, session: given.session }, where)
}

function whereIs({ target, coordinators, clusterId: id, secret }: ConnectOptions, from: string): Located {
  const { env } = process
  const named = endpointsIn(coordinators ?? (target === undefined ? (env['COORDINATORS'] ?? '') : ''))
  if (id === undefined && secret === undefined)
    return located(target === undefined ? nearestTarget(env, from) : resolve(from, target), named)
  if (id === undefined || secret === undefined || named.length === 0)
    throw new AtollError('invalid_argument', 'without a state directory, clusterId, secret and coordinators are all needed', {
      operation: 'connect',
    })
  return { clusterId: argument('clusterId', () => clusterId(id)), secret: argument('secret', () => secretBytes(secret)), seeds: named }
}

/** What `parse` makes of an option. Throws an AtollError `invalid_argument` that names it. */
function argument<T>(option: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new AtollError('invalid_argument', `connect: ${option}: ${(error as Error).message}`, { operation: 'connect', cause: error })
  }
}

function secretBytes(secret: string | Uint8Array): Uint8Array {
  return typeof secret === 'string' ? secretIn(secret) : secret
}
