// A process of its own that holds a lock and writes under it, so that a test can stop it in the middle.
//   argument: {name, lock, ttlMs, key, clusterId, secret, seeds}; every message to it asks for one write, answered with
//   what became of it and whether it knows that it lost the lock
import { type ClusterId, type Endpoint, nodeId } from '@atoll/base'
import { AtollError, createClient } from '@atoll/client/core'
import { createClock, createCompute, createNet, systemRandom } from '@atoll/node-ports'

export interface HolderTask {
  readonly name: string
  readonly lock: string
  readonly ttlMs: number
  readonly key: string
  readonly clusterId: string
  readonly secret: string
  readonly seeds: readonly Endpoint[]
}
export interface HolderReport {
  readonly token: number
  /** What became of a write under the token; undefined in the first report, which says that it holds the lock. */
  readonly accepted?: boolean | string
  readonly lost: boolean
}

const { name, lock, ttlMs, key, clusterId, secret, seeds } = JSON.parse(process.argv[2] ?? '') as HolderTask
const clock = createClock()
const random = systemRandom()
const { net } = createNet({ self: nodeId(name), faults: false, clock, random })
const identity = { name: nodeId(name), clusterId: clusterId as ClusterId, secret: Buffer.from(secret, 'hex'), seeds }
const client = createClient({ net, clock, random, compute: await createCompute() }, identity)
const held = await client.lock(lock).acquire({ ttlMs })
const report = (accepted?: boolean | string): void =>
  void process.send?.({
    token: held.token,
    lost: held.lost.aborted,
    ...(accepted === undefined ? {} : { accepted }),
  } satisfies HolderReport)

/** A write that only the holder of this very token makes, as the store sees it. */
async function write(value: string): Promise<boolean | string> {
  const condition = { key: `$atoll/lock/${lock}`, revision: held.token }
  try {
    // oxlint-disable-next-line unicorn/no-thenable -- a list, which nothing takes for a promise
    return (await client.kv.transaction({ if: [condition], then: [{ put: key, value }] })).succeeded
  } catch (error) {
    if (error instanceof AtollError) return error.code
    throw error
  }
}

process.on('message', message => void write(String(message)).then(report))
process.once('disconnect', () => process.exit(0))
report()
