// Locks on real processes: one holder at a time through the deaths of leaders, and a holder that stood still too long is
// kept out by its token.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { MonotonicMs } from '@atoll/base'
import { AtollError, type Client } from '@atoll/client/core'
import { checkFencing, pairRecords, type RecordedClient, Recorder } from '@atoll/history'
import { describe, expect, it } from 'vitest'
import { SECRET } from '../../hostile/coordinators.ts'
import { ChaosCluster } from './cluster.ts'
import type { HolderReport, HolderTask } from './holder.ts'

const TTL_MS = 1_000
const LOCK = 'the-lock'
const KEY = 'guarded'

/** A holder as a process. */
class Holder implements Disposable {
  readonly child: ChildProcess
  readonly #reports: HolderReport[] = []

  constructor(task: HolderTask) {
    this.child = fork(join(import.meta.dirname, 'holder.ts'), [JSON.stringify(task)], { execArgv: ['--conditions=source'] })
    this.child.on('message', report => this.#reports.push(report as HolderReport))
  }

  async report(): Promise<HolderReport> {
    while (this.#reports.length === 0) await once(this.child, 'message')
    return this.#reports.shift() as HolderReport
  }

  write(value: string): Promise<HolderReport> {
    this.child.send(value)
    return this.report()
  }

  [Symbol.dispose](): void {
    this.child.kill('SIGKILL')
  }
}

/** Writes under a token, as whoever guards the key has it checked. */
async function use(client: Client, token: number, value: string): Promise<boolean> {
  const condition = { key: `$atoll/lock/${LOCK}`, revision: token }
  // oxlint-disable-next-line unicorn/no-thenable -- a list, which nothing takes for a promise
  return (await client.kv.transaction({ if: [condition], then: [{ put: KEY, value }] })).succeeded
}

describe('locks', () => {
  it('[LO5] B19: a holder that stood still past its lease is refused by its token, and knows that it lost the lock', async () => {
    await using cluster = await ChaosCluster.start()
    const task = { name: 'holder', lock: LOCK, ttlMs: TTL_MS, key: KEY, secret: SECRET, clusterId: cluster.directory.clusterId }
    using first = new Holder({ ...task, seeds: cluster.seeds })
    const { token } = await first.report()
    expect(await first.write('of the first')).toMatchObject({ token, accepted: true, lost: false })
    first.child.kill('SIGSTOP')
    const client = await cluster.client('second')
    await using second = await client.lock(LOCK).acquire({ ttlMs: TTL_MS })
    expect(second.token).toBeGreaterThan(token)
    expect(await use(client, second.token, 'of the second')).toBe(true)
    // What it was about to do when it was stopped.
    first.child.send('of the first, too late')
    first.child.kill('SIGCONT')
    expect(await first.report()).toEqual({ token, accepted: false, lost: true })
    expect((await client.kv.get(KEY))?.value).toBe('of the second')
    expect(second.lost.aborted).toBe(false)
  })

  it('[LO4] [LO5] are held by one at a time while leaders are killed and stopped, with tokens that only grow', async () => {
    await using cluster = await ChaosCluster.start()
    const recorder = new Recorder({ now: () => performance.now() as MonotonicMs })
    const ended = new AbortController()
    let grants = 0
    const contend = async (name: string): Promise<void> => {
      const client = await cluster.client(name)
      const recorded = recorder.client()
      while (!ended.signal.aborted) if (await holdOnce(client, recorded)) grants++
    }
    const contenders = ['a', 'b', 'c', 'd'].map(contend)
    const granted = async (more: number): Promise<void> => {
      const goal = grants + more
      await expect.poll(() => grants, { timeout: 15_000, interval: 10 }).toBeGreaterThanOrEqual(goal)
    }
    await granted(10)
    const killed = await cluster.leader()
    await cluster.kill(killed)
    await granted(5)
    await cluster.restart(killed)
    const stopped = await cluster.leader()
    cluster.pause(stopped)
    await granted(5)
    cluster.resume(stopped)
    await granted(5)
    ended.abort()
    await Promise.all(contenders)
    const { violations } = checkFencing(pairRecords(recorder.records), { leaseMs: TTL_MS })
    expect(violations.map(({ rule, message }) => `${rule}: ${message}`)).toEqual([])
  })
})

const outcomeOf = (error: unknown): 'definite' | 'indefinite' => (error instanceof AtollError ? error.outcome : 'indefinite')

/** Takes the lock, writes under it and lets go. True when it was granted. */
async function holdOnce(client: Client, recorded: RecordedClient): Promise<boolean> {
  try {
    const acquire = async () => client.lock(LOCK).acquire({ ttlMs: TTL_MS, timeoutMs: 10_000 })
    let held: Awaited<ReturnType<typeof acquire>> | undefined
    await recorded.run('acquire', LOCK, null, async () => ({ token: (held = await acquire()).token }), outcomeOf)
    if (held === undefined) return false
    const { token } = held
    const mine = held
    await recorded.run('use', LOCK, { token }, () => use(client, token, 'mine'), outcomeOf)
    await recorded.run('release', LOCK, { token }, () => mine.release().then(() => true), outcomeOf)
    return true
  } catch (error) {
    if (!(error instanceof AtollError)) throw error
    return false
  }
}
