// Real coordinator and broker processes for benchmarks, without a supervisor between the benchmark and what it measures. What a node
// believes is read from its own log, whose times are all of one machine's clock.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type ClusterId, clusterId, type Endpoint, type Incarnation, nodeId, silentLogger } from '@atoll/base'
import { createClock, createCompute, createNet, systemRandom } from '@atoll/node-ports'
import { FRAME_BYTES_MAX, HandlerTable, NativeEndpoint, type RequestOf, type ResponseOf, type Rpc } from '@atoll/protocol'
import { parseConfig, type ToParent } from '../packages/service/src/index.ts'

/** V8 flags to try, as the supervisor would give them. */
const FLAGS = (process.env['NODE_FLAGS'] ?? '').split(' ').filter(flag => flag !== '')
const BUNDLES = resolve(import.meta.dirname, '../dist')

const namesOf = (role: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${role}-${i + 1}`)

export interface LogEvent {
  readonly time: number
  readonly node: string
  readonly event: string
  readonly member?: string
}

export class NodeGroup {
  readonly names: readonly string[]
  readonly clusterId = clusterId('bench')
  readonly secret = randomBytes(32)
  readonly #state: string
  readonly #children = new Map<string, ChildProcess>()
  readonly #ports = new Map<string, number>()
  /** How much of each log was read, and what it said. */
  readonly #read = new Map<string, { bytes: number; events: LogEvent[] }>()

  constructor(count: number, brokers = 0) {
    this.#state = mkdtempSync(join(tmpdir(), 'atoll-bench-'))
    mkdirSync(join(this.#state, 'logs'))
    writeFileSync(join(this.#state, 'cluster.json'), JSON.stringify({ format: 1, clusterId: this.clusterId }))
    writeFileSync(join(this.#state, 'secret'), this.secret.toString('hex'), { mode: 0o600 })
    writeFileSync(
      join(this.#state, 'config.json'),
      JSON.stringify(parseConfig(JSON.stringify({ roles: { coordinator: { count }, broker: { count: brokers } } }), 'the benchmark')),
    )
    this.names = [...namesOf('coordinator', count), ...namesOf('broker', brokers)]
    process.once('exit', this.#end)
  }

  pidOf(name: string): number {
    const pid = this.#children.get(name)?.pid
    if (pid === undefined) throw new Error(`${name} does not run`)
    return pid
  }

  /** What a client has to know. */
  get whereabouts(): { readonly clusterId: ClusterId; readonly secret: Uint8Array; readonly seeds: readonly Endpoint[] } {
    const coordinators = [...this.#ports].filter(([name]) => name.startsWith('coordinator-'))
    return { clusterId: this.clusterId, secret: this.secret, seeds: coordinators.map(([, port]) => this.#at(port)) }
  }

  addressOf(name: string): Endpoint {
    return this.#at(this.#ports.get(name) ?? 0)
  }

  /** Tells all that run of all, for those that were started at once. */
  introduce(): void {
    for (const child of this.#children.values()) child.send({ kind: 'seeds', seeds: [...this.#ports.values()].map(port => this.#at(port)) })
  }

  /** One question to one node. */
  async ask<M extends Rpc>(name: string, message: M, request: RequestOf<M>): Promise<ResponseOf<M>> {
    const clock = createClock()
    const self = nodeId('asker')
    const identity = { cluster: this.clusterId, node: self, role: 'client', incarnation: () => 0 as Incarnation }
    const { net } = createNet({ self, faults: false, clock, random: systemRandom() })
    const endpoint = new NativeEndpoint({ ...identity, secret: this.secret, frameBytesMax: FRAME_BYTES_MAX }, new HandlerTable(), {
      net,
      clock,
      compute: await createCompute(),
      log: silentLogger,
    })
    const session = await endpoint.call({ host: '127.0.0.1', port: this.#ports.get(name) ?? 0 }, nodeId(name), { timeoutMs: 2_000 })
    try {
      return await session.request(message, request, { timeoutMs: 2_000 })
    } finally {
      session.end()
    }
  }

  /** Starts a node and waits until it is bound; it joins all others that are. */
  async start(name: string): Promise<void> {
    const role = name.slice(0, name.lastIndexOf('-'))
    const args = [
      join(BUNDLES, `${role}.mjs`),
      '--node',
      name,
      '--state',
      this.#state,
      '--config',
      join(this.#state, 'config.json'),
      '--native-port',
      String(this.#ports.get(name) ?? 0),
      ...(role === 'broker' ? ['--front', 'kafka=0'] : []),
    ]
    const child = spawn(process.execPath, [...FLAGS, ...args], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#children.set(name, child)
    const [bound] = (await once(child, 'message')) as [ToParent]
    if (bound.kind !== 'bound') throw new Error(`${name} did not bind`)
    this.#ports.set(name, bound.endpoints[0]?.port ?? 0)
    const seeds = this.names
      .filter(other => other !== name && this.#children.has(other) && this.#ports.has(other))
      .map(other => ({ host: '127.0.0.1', port: this.#ports.get(other) }))
    child.send({ kind: 'seeds', seeds })
  }

  /** Starts all and waits until every one knows every other. */
  async startAll(): Promise<void> {
    for (const name of this.names) await this.start(name)
    for (const subject of this.names) await this.untilAll('member_alive', subject, 0)
  }

  async kill(name: string): Promise<void> {
    const child = this.#children.get(name) as ChildProcess
    this.#children.delete(name)
    process.kill(child.pid as number, 'SIGKILL')
    await once(child, 'exit')
  }

  /** Waits until every other running node has logged `event` about `subject` at or after `sinceMs`; answers the last time. */
  async untilAll(event: string, subject: string, sinceMs: number, timeoutMs = 15_000): Promise<number> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const times = this.names
        .filter(name => name !== subject && this.#children.has(name))
        .map(name => this.events(name).find(one => one.event === event && one.member === subject && one.time >= sinceMs)?.time)
      if (times.every(time => time !== undefined)) return Math.max(...times)
      if (Date.now() > deadline) throw new Error(`not all nodes saw ${event} of ${subject} in ${timeoutMs} ms`)
      await wait(10)
    }
  }

  /** All that `name` has logged so far. */
  events(name: string): readonly LogEvent[] {
    const read = this.#read.get(name) ?? { bytes: 0, events: [] }
    this.#read.set(name, read)
    let text: Buffer
    try {
      text = readFileSync(join(this.#state, 'logs', `${name}.ndjson`))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
    const end = text.lastIndexOf(10) + 1
    if (end > read.bytes) {
      for (const line of text.subarray(read.bytes, end).toString().trimEnd().split('\n')) read.events.push(JSON.parse(line) as LogEvent)
      read.bytes = end
    }
    return read.events
  }

  /** Every death of a member that any node has logged since `sinceMs`. */
  deaths(sinceMs: number): LogEvent[] {
    return this.names.flatMap(name => this.events(name).filter(({ event, time }) => event === 'member_dead' && time >= sinceMs))
  }

  close(): void {
    this.#end()
  }

  #at(port: number): { readonly host: string; readonly port: number } {
    return { host: '127.0.0.1', port }
  }

  readonly #end = (): void => {
    process.off('exit', this.#end)
    for (const child of this.#children.values()) child.kill('SIGKILL')
    this.#children.clear()
    rmSync(this.#state, { recursive: true, force: true })
  }
}
