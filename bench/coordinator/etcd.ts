// Three members of etcd, as they come: default settings, fsync on, plain text on the loopback. The client keeps one
// connection to the leader, which saves etcd the forwarding.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { decode, encode, GrpcClient, type Message } from './grpc.ts'
import type { Subject } from './subject.ts'

const PUT = '/etcdserverpb.KV/Put'
const RANGE = '/etcdserverpb.KV/Range'
const STATUS = '/etcdserverpb.Maintenance/Status'
const START_TIMEOUT_MS = 30_000
/** While nobody leads a put is tried again so often, at every member: the first to be acknowledged counts. */
const RETRY_MS = 10
const text = new TextEncoder()

interface Member {
  readonly name: string
  readonly client: number
  readonly peer: number
  process: ChildProcess | undefined
  connection: GrpcClient | undefined
}

/** The version of the program; undefined when there is none. */
export function etcdVersion(program: string): string | undefined {
  const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' })
  return status === 0 ? /etcd Version: (\S+)/.exec(stdout)?.[1] : undefined
}

export class Etcd implements Subject {
  readonly name: string
  readonly #program: string
  readonly #state = mkdtempSync(join(tmpdir(), 'atoll-bench-etcd-'))
  #members: readonly Member[] = []
  #leader: GrpcClient | undefined

  constructor(program: string, version: string) {
    this.#program = program
    this.name = `etcd ${version}`
    process.once('exit', this.#end)
  }

  async start(): Promise<void> {
    const ports = await freePorts(6)
    this.#members = [0, 1, 2].map(place => ({
      name: `etcd-${place + 1}`,
      client: ports[place] as number,
      peer: ports[place + 3] as number,
      process: undefined,
      connection: undefined,
    }))
    for (const member of this.#members) this.#spawn(member)
    await this.#firstPut(performance.now() + START_TIMEOUT_MS)
    await this.#findLeader()
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.#theLeader.unary(PUT, putRequest(key, value))
  }

  async get(key: string): Promise<void> {
    const answer = decode(await this.#theLeader.unary(RANGE, encode([[1, text.encode(key)]])))
    if (!answer.has(2)) throw new Error(`${key} is not there`)
  }

  async killLeader(): Promise<number> {
    const member = this.#members.find(({ connection }) => connection === this.#theLeader) as Member
    for (const other of this.#members) if (other !== member) other.connection ??= new GrpcClient('127.0.0.1', other.client)
    const child = member.process as ChildProcess
    member.process = undefined
    member.connection = undefined
    const killedAtMs = performance.now()
    child.kill('SIGKILL')
    await this.#firstPut(killedAtMs + START_TIMEOUT_MS)
    return performance.now() - killedAtMs
  }

  async mend(): Promise<void> {
    for (const member of this.#members) if (member.process === undefined) this.#spawn(member)
    const deadlineMs = performance.now() + START_TIMEOUT_MS
    // A put on the one that is back goes through the leader: it has caught up.
    for (const member of this.#members) while (!(await this.#tryPut(member, 1_000))) giveUpAfter(deadlineMs)
    await this.#findLeader()
  }

  async close(): Promise<void> {
    for (const { connection } of this.#members) connection?.close()
    this.#end()
  }

  get #theLeader(): GrpcClient {
    if (this.#leader === undefined) throw new Error('nobody leads')
    return this.#leader
  }

  #spawn(member: Member): void {
    const cluster = this.#members.map(({ name, peer }) => `${name}=http://127.0.0.1:${peer}`).join(',')
    const clients = `http://127.0.0.1:${member.client}`
    const peers = `http://127.0.0.1:${member.peer}`
    const options = { name: member.name, 'data-dir': join(this.#state, member.name), 'initial-cluster': cluster, 'log-level': 'fatal' }
    const urls = {
      'listen-client-urls': clients,
      'advertise-client-urls': clients,
      'listen-peer-urls': peers,
      'initial-advertise-peer-urls': peers,
    }
    const args = Object.entries({ ...options, ...urls }).map(([option, value]) => `--${option}=${value}`)
    member.process = spawn(this.#program, args, { stdio: 'ignore' })
  }

  /** Every few milliseconds another put at every member, until one is acknowledged. */
  async #firstPut(deadlineMs: number): Promise<void> {
    const acknowledged = new AbortController()
    while (!acknowledged.signal.aborted) {
      giveUpAfter(deadlineMs)
      for (const member of this.#members) {
        if (member.process === undefined) continue
        void this.#tryPut(member, 2_000).then(done => {
          if (done) acknowledged.abort()
        })
      }
      await wait(RETRY_MS)
    }
  }

  async #tryPut(member: Member, timeoutMs: number): Promise<boolean> {
    if (member.connection?.usable !== true) member.connection = new GrpcClient('127.0.0.1', member.client)
    return member.connection.unary(PUT, putRequest('first', text.encode('put')), timeoutMs).then(
      () => true,
      () => false,
    )
  }

  async #findLeader(): Promise<void> {
    const deadlineMs = performance.now() + START_TIMEOUT_MS
    for (;;) {
      for (const member of this.#members) {
        if (member.process === undefined) continue
        if (member.connection?.usable !== true) member.connection = new GrpcClient('127.0.0.1', member.client)
        const status = await statusOf(member.connection)
        if (status === undefined) continue
        const self = decode(status.get(1) as Uint8Array).get(2)
        if (status.get(4) !== self || self === undefined) continue
        this.#leader = member.connection
        return
      }
      giveUpAfter(deadlineMs)
      await wait(RETRY_MS)
    }
  }

  /** Also when the benchmark ends in the middle. */
  readonly #end = (): void => {
    process.off('exit', this.#end)
    for (const { process: child } of this.#members) child?.kill('SIGKILL')
    rmSync(this.#state, { recursive: true, force: true })
  }
}

function putRequest(key: string, value: Uint8Array): Uint8Array {
  return encode([
    [1, text.encode(key)],
    [2, value],
  ])
}

/** Undefined from one that does not answer: it may just be starting. */
function statusOf(connection: GrpcClient): Promise<Message | undefined> {
  return connection.unary(STATUS, new Uint8Array(), 2_000).then(decode, () => undefined)
}

function giveUpAfter(deadlineMs: number): void {
  if (performance.now() > deadlineMs) throw new Error(`etcd did not do it within ${START_TIMEOUT_MS} ms`)
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map(server => once(server, 'listening')))
  const ports = servers.map(server => (server.address() as { readonly port: number }).port)
  await Promise.all(servers.map(server => (server.close(), once(server, 'close'))))
  return ports
}
