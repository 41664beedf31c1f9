// Real coordinator processes in a temporary directory, started as a supervisor would: free ports, addresses by message,
// ended by signals. And what the tests must know of them: their answers, memory, descriptors and logs.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type ClusterId, type Connection, clusterId, type Incarnation, type Net, nodeId, silentLogger } from '@atoll/base'
import { createClock, createCompute, createNet, systemRandom } from '@atoll/node-ports'
import { FRAME_BYTES_MAX, HandlerTable, NativeEndpoint, nodeStatus, type ResponseOf, raftStatus, type Session } from '@atoll/protocol'
import { parseConfig } from '@atoll/service'

const root = resolve(import.meta.dirname, '../..')
const program = join(root, 'dist/coordinator.mjs')
/** As a supervisor starts them. */
const NODE_FLAGS = ['--max-semi-space-size=4']
export const SECRET = 'c0ffee00'.repeat(8)

export interface LogLine {
  readonly event: string
  readonly [field: string]: unknown
}

/** `npm test` builds before it starts; a single run of these tests may come first. */
export function buildIfMissing(): void {
  if (existsSync(program)) return
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/build.ts')], { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new Error(`the build failed: ${stderr}`)
}

/** A state directory with its configuration; gone at the end of its scope, with every process started in it. */
export class StateDirectory implements AsyncDisposable {
  readonly path = realpathSync(mkdtempSync(join(tmpdir(), 'atoll hostile ')))
  readonly clusterId: ClusterId = clusterId('hostile-1')
  readonly #processes: NodeProcess[] = []

  constructor(config: object = {}) {
    buildIfMissing()
    writeFileSync(join(this.path, 'cluster.json'), JSON.stringify({ format: 1, clusterId: this.clusterId }))
    writeFileSync(join(this.path, 'secret'), `${SECRET}\n`, { mode: 0o600 })
    writeFileSync(join(this.path, 'config.json'), JSON.stringify(parseConfig(JSON.stringify(config), 'the test')))
  }

  /** Starts a node; `args` come after those every start has. */
  spawn(name: string, args: readonly string[] = ['--native-port', '0']): NodeProcess {
    const flags = ['--node', name, '--state', this.path, '--config', join(this.path, 'config.json'), ...args]
    const started = new NodeProcess(this, name, flags)
    this.#processes.push(started)
    return started
  }

  /** Starts `count` coordinators that know each other, and waits until every one sees all of them. */
  async cluster(count: number): Promise<readonly NodeProcess[]> {
    const nodes = Array.from({ length: count }, (_, i) => this.spawn(`coordinator-${i + 1}`))
    const seeds = await Promise.all(nodes.map(async node => ({ host: '127.0.0.1', port: await node.bound })))
    for (const node of nodes) node.child.send({ kind: 'seeds', seeds })
    for (const node of nodes) {
      await node.openAdmin()
      await node.until('it sees all members', status => status.members.filter(({ state }) => state === 'alive').length === count)
    }
    // With connections and files open that it will have from now on.
    for (const node of nodes) await node.untilAgreed()
    return nodes
  }

  logDirectory(): string {
    mkdirSync(join(this.path, 'logs'), { recursive: true })
    return join(this.path, 'logs')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map(started => started.kill()))
    rmSync(this.path, { recursive: true, force: true })
  }
}

export class NodeProcess {
  readonly name: string
  readonly child: ChildProcess
  /** Its native port. Rejects when it ends before it has one. */
  readonly bound: Promise<number>
  /** Messages to its parent. */
  readonly told: { readonly kind: string; readonly [field: string]: unknown }[] = []
  readonly #directory: StateDirectory
  readonly #ended: Promise<{ readonly code: number | null; readonly signal: string | null }>
  #stderr = ''
  #port = 0
  #admin: Session | undefined

  constructor(directory: StateDirectory, name: string, flags: readonly string[]) {
    this.#directory = directory
    this.name = name
    this.child = spawn(process.execPath, [...NODE_FLAGS, program, ...flags], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    this.child.stderr?.on('data', chunk => {
      this.#stderr += String(chunk)
    })
    // Not the event `close`: after a disconnect it does not come.
    const exit = new Promise<{ readonly code: number | null; readonly signal: string | null }>(settle =>
      this.child.once('exit', (code, signal) => settle({ code, signal })),
    )
    const silent = new Promise<void>(settle => this.child.stderr?.once('close', () => settle()))
    this.#ended = Promise.all([exit, silent]).then(([end]) => end)
    this.bound = new Promise((settle, reject) => {
      this.child.on('message', message => {
        const told = message as (typeof this.told)[number]
        this.told.push(told)
        if (told.kind !== 'bound') return
        this.#port = (told['endpoints'] as [{ port: number }])[0].port
        settle(this.#port)
      })
      void this.#ended.then(({ code }) => reject(new Error(`${name} ended with ${code}: ${this.#stderr}`)))
    })
    // Some tests only want to see it end.
    this.bound.catch(() => 'not awaited')
  }

  get port(): number {
    return this.#port
  }

  get pid(): number {
    return this.child.pid as number
  }

  get stderr(): string {
    return this.#stderr
  }

  /** Exit code and signal, once the process and its output have ended. */
  get ended(): Promise<{ readonly code: number | null; readonly signal: string | null }> {
    return this.#ended
  }

  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** Every line of its log so far. */
  log(): readonly LogLine[] {
    const path = join(this.#directory.logDirectory(), `${this.name}.ndjson`)
    if (!existsSync(path)) return []
    const text = readFileSync(path, 'utf8')
    return text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as LogLine)
  }

  /** Open descriptors; undefined where the system does not show them. */
  descriptors(): number | undefined {
    return process.platform === 'linux' ? readdirSync(`/proc/${this.pid}/fd`).length : undefined
  }

  async openAdmin(): Promise<void> {
    this.#admin = await this.call('admin')
  }

  /** A new connection with a hello. */
  async call(as: string, net?: Net): Promise<Session> {
    return (await client(this.#directory.clusterId, as, net)).call({ host: '127.0.0.1', port: this.#port }, nodeId(this.name), {
      timeoutMs: 2_000,
    })
  }

  async status(): Promise<ResponseOf<typeof nodeStatus>> {
    if (this.#admin === undefined) throw new Error(`${this.name}: no admin connection`)
    return this.#admin.request(nodeStatus, {}, { timeoutMs: 2_000 })
  }

  /** Asks for its status until `holds`; each answer also proves that it still answers. Fails when that takes too long. */
  async until(what: string, holds: (status: ResponseOf<typeof nodeStatus>) => boolean, timeoutMs = 15_000): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs
    while (!holds(await this.status()))
      if (performance.now() > deadlineMs) throw new Error(`${this.name}: not within ${timeoutMs} ms: ${what}`)
  }

  /** Asks until it has applied what its leader began with. Fails when that takes too long. */
  async untilAgreed(timeoutMs = 15_000): Promise<void> {
    if (this.#admin === undefined) throw new Error(`${this.name}: no admin connection`)
    const deadlineMs = performance.now() + timeoutMs
    while ((await this.#admin.request(raftStatus, {}, { timeoutMs: 2_000 })).appliedIndex === 0)
      if (performance.now() > deadlineMs) throw new Error(`${this.name}: applied nothing within ${timeoutMs} ms`)
  }

  async kill(): Promise<void> {
    if (this.alive) this.child.kill('SIGKILL')
    await this.#ended
  }
}

/** An endpoint that knows the secret. */
async function client(cluster: ClusterId, as: string, net?: Net): Promise<NativeEndpoint> {
  const clock = createClock()
  const node = nodeId(as)
  const identity = {
    cluster,
    node,
    role: 'client',
    incarnation: () => 0 as Incarnation,
    secret: Buffer.from(SECRET, 'hex'),
    frameBytesMax: FRAME_BYTES_MAX,
  }
  return new NativeEndpoint(identity, new HandlerTable(), {
    net: net ?? plainNet(as),
    clock,
    compute: await createCompute(),
    log: silentLogger,
  })
}

function plainNet(as: string): Net {
  return createNet({ self: nodeId(as), faults: false, clock: createClock(), random: systemRandom() }).net
}

/** A session whose bytes can be tampered with: `connection` is what lies under it. */
export async function tappedSession(
  node: NodeProcess,
  as: string,
): Promise<{ readonly session: Session; readonly connection: Connection }> {
  const plain = plainNet(as)
  const tapped: Connection[] = []
  const net: Net = {
    listen: (at, options) => plain.listen(at, options),
    async connect(to, options) {
      const connection = await plain.connect(to, options)
      tapped.push(connection)
      return connection
    },
  }
  const session = await node.call(as, net)
  return { session, connection: tapped[0] as Connection }
}

/** Resolves when the process has said `pattern` in its log. */
export async function logged(node: NodeProcess, since: number, holds: (line: LogLine) => boolean): Promise<LogLine> {
  let found: LogLine | undefined
  await node.until('the log line', () => {
    found = node.log().slice(since).find(holds)
    return found !== undefined
  })
  return found as LogLine
}

/** Whether this machine kept processes waiting so long that a suspicion says nothing about ours: measured on this one. */
export class Starvation {
  readonly #delay = monitorEventLoopDelay({ resolution: 5 })

  constructor() {
    this.#delay.enable()
  }

  /** Longest time this process did not run, in milliseconds. */
  get worstMs(): number {
    return this.#delay.max / 1e6
  }
}

/** Silence of this length makes a probe fail, in milliseconds; a machine that gives a process no time for so long may cause it. */
const STARVED_MS = 100

/** All live, all know that, and nobody was suspected, unless the machine itself gave processes no time. Never was one called dead. */
export async function expectUndisturbed(nodes: readonly NodeProcess[], starvation: Starvation): Promise<void> {
  const bad = starvation.worstMs < STARVED_MS ? /member_suspect|member_dead|refuted_self|crashed/ : /member_dead|crashed/
  for (const node of nodes) {
    const { members } = await node.status()
    const wrong = [
      ...(node.alive ? [] : ['it ended']),
      ...members.filter(({ state }) => state !== 'alive').map(member => `it believes ${member.node} ${member.state}`),
      ...node
        .log()
        .filter(({ event }) => bad.test(event))
        .map(line => JSON.stringify(line)),
      ...(node.stderr === '' ? [] : [node.stderr]),
    ]
    if (wrong.length > 0)
      throw new Error(`${node.name} (this process once waited ${starvation.worstMs.toFixed(0)} ms):\n${wrong.join('\n')}`)
  }
}
