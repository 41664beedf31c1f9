// Clients that write, read and compare on a few keys of one cluster, each doing one thing at a time; everything they ask and
// are told goes into one history. A call that hangs, or fails with anything but a coded error, is a finding by itself.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type MonotonicMs, type SeededRandom, seededRandom } from '@atoll/base'
import { AtollError, type Client } from '@atoll/client/core'
import {
  checkLinearizable,
  checkRevisions,
  type Operation,
  type PartitionResult,
  pairRecords,
  type RecordedClient,
  Recorder,
  type RevisionSeen,
  timelinePage,
  versionedRegister,
} from '@atoll/history'
import { kvKeepHistory, type LeaseId } from '@atoll/protocol'
import type { ChaosCluster } from './cluster.ts'
import { Watchers } from './watchers.ts'

const PREFIX = 'chaos/'
/** Written last: a watcher that has come to it has seen everything. */
const MARKER = `${PREFIX}marker`
/** Each client writes one key that nobody else does: its version counts the writes that took effect. */
const COUNTERS = 'counters/'
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'].map(name => `${PREFIX}${name}`)
/** Every call is asked to be over within this, in milliseconds. */
export const CALL_TIMEOUT_MS = 2_000
/** Beyond its deadline a call may be late by what a busy machine keeps this process waiting. */
const LATE_MS_MAX = 1_500
/** Between two calls of a client, in milliseconds: a checker has to order all of them. */
const PAUSE_MS_MAX = 8
const PICTURES = resolve(import.meta.dirname, '../../../.cache/chaos')

interface Observed {
  readonly revision?: number
  readonly succeeded?: boolean
  readonly deleted?: boolean
  readonly entry?: { readonly value: string; readonly modRevision: number } | null
}

export class Workload {
  readonly recorder = new Recorder({ now: () => performance.now() as MonotonicMs })
  /** Errors by their code. */
  readonly errors = new Map<string, number>()
  readonly #cluster: ChaosCluster
  readonly #random: SeededRandom
  readonly #wrong: string[] = []
  readonly #loops: Promise<void>[] = []
  /** Of changes that were acknowledged. */
  readonly #revisions = new Set<number>()
  #watchers: Watchers | undefined
  #values = 0
  #stopped = false
  #acknowledged = 0

  constructor(cluster: ChaosCluster, seed = 1) {
    this.#cluster = cluster
    this.#random = seededRandom(seed)
  }

  async start(clients = 6): Promise<this> {
    const onlooker = await this.#cluster.client('onlooker')
    // The checker of watches compares with everything that ever happened.
    const none = { session: 0 as LeaseId, sequence: 0, answeredBelow: 0 }
    await onlooker.request(kvKeepHistory, { ...none, revisions: 50_000, bytes: 64 * 1024 ** 2 })
    this.#watchers = new Watchers(onlooker, [PREFIX, `${PREFIX}a`])
    for (let place = 0; place < clients; place++) {
      const client = await this.#cluster.client(`client-${place + 1}`)
      this.#loops.push(this.#loop(client, this.recorder.client()), this.#count(client, `${COUNTERS}${place}`))
    }
    await this.progress()
    return this
  }

  /** Changes that were acknowledged so far. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  /** Waits until some changes are acknowledged that began after this. */
  async progress(withinMs = 10_000): Promise<void> {
    const goal = this.#acknowledged + this.#loops.length + 20
    const deadlineMs = performance.now() + withinMs
    while (this.#acknowledged < goal) {
      if (performance.now() > deadlineMs) throw new Error(`nothing is acknowledged within ${withinMs} ms: ${this.#told()}`)
      await pause(5)
    }
  }

  async runFor(ms: number): Promise<void> {
    await pause(ms)
  }

  /** Ends the load, reads every key once more, and says what was wrong with all that was answered. */
  async verdict(): Promise<readonly string[]> {
    this.#stopped = true
    await Promise.all(this.#loops)
    const reader = this.recorder.client()
    const client = await this.#cluster.client('last-reader')
    for (const key of KEYS) await this.#perform(reader, 'get', key, null, () => read(client, key))
    await this.#cluster.converged()
    const held = await Promise.all(this.#cluster.running.map(name => this.#cluster.heldBy(name, PREFIX)))
    for (const other of held) if (other.join() !== held[0]?.join()) this.#wrong.push(`nodes differ: ${other.join()} and ${held[0]?.join()}`)
    const watched = (await this.#watchers?.verdict(client, PREFIX, MARKER, this.#revisions)) ?? []
    return [...this.#wrong, ...watched, ...judge(this.#resolved())]
  }

  /** Writes of which nobody was told: values are used once, so one that nobody ever saw written never was (etcd's trick). */
  #resolved(): readonly Operation[] {
    const written = this.#watchers?.written
    return pairRecords(this.recorder.records).filter(({ f, input, outcome }) => {
      if (outcome !== 'info' || written === undefined) return true
      if (f === 'put') return written.has(input as string)
      return f !== 'cas' || written.has((input as { readonly value: string }).value)
    })
  }

  async #loop(client: Client, recorded: RecordedClient): Promise<void> {
    while (!this.#stopped && !this.recorder.full) {
      const key = KEYS[this.#random.below(KEYS.length)] as string
      const kind = this.#random.below(10)
      const value = `v${this.#values++}`
      if (kind < 4) await this.#perform(recorded, 'get', key, null, () => read(client, key))
      else if (kind < 7) await this.#perform(recorded, 'put', key, value, () => put(client, key, value))
      else if (kind < 8) await this.#perform(recorded, 'delete', key, null, () => remove(client, key))
      else await this.#compareAndSet(client, recorded, key, value)
      await pause(this.#random.below(PAUSE_MS_MAX))
    }
  }

  /** Writes one key again and again: each write takes effect once, however often it was sent. */
  async #count(client: Client, key: string): Promise<void> {
    let least = 0
    let open = 0
    while (!this.#stopped) {
      try {
        await client.kv.put(key, String(least), options)
        least++
      } catch (error) {
        if (!(error instanceof AtollError)) this.#wrong.push(`${key}: no coded error: ${String(error)}`)
        else if (error.outcome === 'indefinite') open++
      }
      await pause(PAUSE_MS_MAX)
    }
    const { version = 0 } = (await client.kv.get(key)) ?? {}
    if (version < least || version > least + open)
      this.#wrong.push(`${key} was written ${version} times; ${least} writes were acknowledged, of ${open} nobody knows`)
  }

  /** Reads first, so that it has a chance to succeed. */
  async #compareAndSet(client: Client, recorded: RecordedClient, key: string, value: string): Promise<void> {
    const found = await this.#perform(recorded, 'get', key, null, () => read(client, key))
    if (found === undefined) return
    const modRevision = found.entry?.modRevision ?? 0
    await this.#perform(recorded, 'cas', key, { modRevision, value }, () => compareAndSet(client, key, modRevision, value))
  }

  async #perform(
    recorded: RecordedClient,
    f: string,
    key: string,
    value: unknown,
    act: () => Promise<Observed>,
  ): Promise<Observed | undefined> {
    const startMs = performance.now()
    const late = setTimeout(() => this.#wrong.push(`${f} ${key} hangs`), CALL_TIMEOUT_MS + LATE_MS_MAX)
    try {
      const answer = await recorded.run(f, key, value, act, error => (error instanceof AtollError ? error.outcome : 'indefinite'))
      if (f !== 'get') this.#acknowledged++
      if (answer.revision !== undefined) this.#revisions.add(answer.revision)
      return answer
    } catch (error) {
      const code = error instanceof AtollError ? error.code : undefined
      if (code === undefined)
        this.#wrong.push(`${f} ${key} after ${Math.round(performance.now() - startMs)} ms: no coded error: ${String(error)}`)
      this.errors.set(code ?? 'none', (this.errors.get(code ?? 'none') ?? 0) + 1)
      return undefined
    } finally {
      clearTimeout(late)
    }
  }

  #told(): string {
    return `${this.#acknowledged} acknowledged, ${[...this.errors].map(([code, times]) => `${times} ${code}`).join(', ')}; ${this.#wrong.join('; ')}`
  }
}

const options = { timeoutMs: CALL_TIMEOUT_MS }

async function read(client: Client, key: string): Promise<Observed> {
  const entry = await client.kv.get(key, options)
  return { entry: entry === undefined ? null : { value: entry.value, modRevision: entry.revision } }
}

async function put(client: Client, key: string, value: string): Promise<Observed> {
  const { revision } = await client.kv.put(key, value, options)
  return { revision }
}

async function remove(client: Client, key: string): Promise<Observed> {
  const { revision, deleted } = await client.kv.delete(key, options)
  return deleted === 0 ? { deleted: false } : { revision, deleted: true }
}

async function compareAndSet(client: Client, key: string, modRevision: number, value: string): Promise<Observed> {
  const condition = { key, revision: modRevision }
  // oxlint-disable-next-line unicorn/no-thenable -- a list, which nothing takes for a promise
  const { succeeded, revision } = await client.kv.transaction({ if: [condition], then: [{ put: key, value }] }, options)
  return succeeded ? { succeeded, revision } : { succeeded }
}

/** Linearizable key by key, and revisions that never go back. */
function judge(operations: readonly Operation[]): readonly string[] {
  const { verdict, partitions } = checkLinearizable(versionedRegister, operations)
  const [worst] = partitions
  const wrong = verdict === 'linearizable' ? [] : [`${verdict}: ${worst?.partition}: ${worst?.stuck?.text}, drawn in ${drawn(worst)}`]
  const { violations } = checkRevisions(operations, ({ output }): RevisionSeen | undefined => {
    const { revision } = output as Observed
    return revision === undefined ? undefined : { revision, wrote: true, keyRevision: revision }
  })
  return [...wrong, ...violations.map(({ rule, message }) => `${rule}: ${message}`)]
}

/** Keeps the picture of a history that failed, below the checkout. */
function drawn(result: PartitionResult | undefined): string {
  if (result === undefined) return 'nothing'
  mkdirSync(PICTURES, { recursive: true })
  const path = join(PICTURES, `${Date.now()}.html`)
  writeFileSync(path, timelinePage('A history of coordinators under faults', result))
  return path
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
