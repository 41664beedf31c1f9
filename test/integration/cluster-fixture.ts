// A cluster of real processes in a directory of its own, driven through the command line as a user would.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { identify, isRunning, type ProcessIdentity, statePaths } from '@atoll/supervisor'
import { expect } from 'vitest'

export const root = resolve(import.meta.dirname, '../..')
/** What the product promises after a `kill -9`, in milliseconds. */
export const GONE_TIMEOUT_MS = 5_000

export interface NodeStatus {
  readonly name: string
  readonly role: string
  readonly pid: number | null
  readonly state: string
  readonly exit: string | null
  readonly answers: boolean
  readonly endpoints: readonly { readonly protocol: string; readonly host: string; readonly port: number; readonly wanted: number }[]
  readonly members: readonly { readonly node: string; readonly state: string }[]
}
export interface Status {
  readonly schema: number
  readonly cluster: string
  readonly ready: boolean
  readonly running: boolean
  readonly unready: readonly string[]
  readonly supervisor: { readonly pid: number } | null
  readonly nodes: readonly NodeStatus[]
  readonly endpoints: Readonly<Record<string, readonly string[]>>
  readonly links: readonly object[]
}

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A process whose output can be waited for. */
export class Running {
  readonly child: ChildProcess
  readonly #ended: Promise<number | null>
  #stdout = ''
  #stderr = ''
  #onOutput: (() => void)[] = []

  constructor(child: ChildProcess) {
    this.child = child
    this.#ended = once(child, 'close').then(([code]) => code as number | null)
    child.stdout?.on('data', chunk => this.#hear(() => (this.#stdout += String(chunk))))
    child.stderr?.on('data', chunk => this.#hear(() => (this.#stderr += String(chunk))))
    void this.#ended.then(() => this.#hear(() => {}))
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  hasSaid(pattern: RegExp): boolean {
    return pattern.test(this.#stdout) || pattern.test(this.#stderr)
  }

  /** Resolves when its output, standard output or error, matches. Rejects when it ends without. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr)
      if (match !== null) return match
      if (this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(
          `ended with ${this.child.exitCode ?? this.child.signalCode} and never said ${pattern}:\n${this.#stdout}${this.#stderr}`,
        )
      await new Promise<void>(done => this.#onOutput.push(done))
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  async finished(): Promise<Finished> {
    return { code: await this.#ended, stdout: this.#stdout, stderr: this.#stderr }
  }

  #hear(note: () => void): void {
    note()
    for (const done of this.#onOutput.splice(0)) done()
  }
}

/** The environment of a user who set nothing of ours. */
function cleanEnvironment(more: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const ours = /^(ATOLL_|NO_COLOR$|FORCE_COLOR$|CI$|NODE_OPTIONS$|VITEST)/
  return { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name))), ...more }
}

export interface FixtureOptions {
  /** Merged into a configuration with fast gossip and free ports. */
  readonly config?: object
  readonly count?: number
  /** The programs to run, when not those of this checkout. */
  readonly programs?: string
}

export class TestCluster {
  readonly directory: string
  readonly name: string
  readonly ports: readonly number[]
  readonly #programs: string
  readonly #started: ChildProcess[] = []

  private constructor(directory: string, ports: readonly number[], programs: string) {
    this.directory = directory
    this.name = 'main'
    this.ports = ports
    this.#programs = programs
  }

  /** A directory with a configuration; nothing runs yet. */
  static async create({ config = {}, count = 3, programs = join(root, 'dist') }: FixtureOptions = {}): Promise<TestCluster> {
    if (!existsSync(join(root, 'dist/cli.mjs'))) throw new Error('There is nothing to test in dist/: npm test builds it.')
    const directory = realpathSync(mkdtempSync(join(tmpdir(), 'atoll-test-')))
    const ports = await freePorts(count)
    const cluster = new TestCluster(directory, ports, programs)
    cluster.configure({ count, ...config })
    return cluster
  }

  /** Writes the configuration. */
  configure({ count = this.ports.length, ...more }: { readonly count?: number } & Readonly<Record<string, unknown>>): void {
    const config = {
      roles: { coordinator: { count, nativePort: this.ports[0] }, broker: { count: 0 } },
      gossip: { probeIntervalMs: 50, suspicionMsMin: 200 },
      ...more,
    }
    writeFileSync(join(this.directory, 'cluster.config.json'), JSON.stringify(config))
  }

  get paths() {
    return statePaths(join(this.directory, '.atoll', this.name))
  }

  /** Starts the command without waiting for it. */
  start(args: readonly string[], env: NodeJS.ProcessEnv = {}, stdin: 'ignore' | 'pipe' = 'ignore'): Running {
    const child = spawn(process.execPath, [join(this.#programs, 'cli.mjs'), ...args], {
      cwd: this.directory,
      env: cleanEnvironment({ ATOLL_NAME: this.name, ...env }),
      stdio: [stdin, 'pipe', 'pipe'],
    })
    this.#started.push(child)
    return new Running(child)
  }

  /** Runs the command to its end. */
  run(...args: readonly string[]): Promise<Finished> {
    return this.start(args).finished()
  }

  /** Runs the command, which must succeed; answers its standard output. */
  async ok(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args)
    if (code !== 0) throw new Error(`cluster ${args.join(' ')}: exit code ${code}\n${stderr}`)
    return stdout
  }

  async json<T = Record<string, unknown>>(...args: readonly string[]): Promise<T> {
    return JSON.parse((await this.run(...args, '--json')).stdout) as T
  }

  status(): Promise<Status> {
    return this.json<Status>('status')
  }

  async node(name: string): Promise<NodeStatus> {
    const found = (await this.status()).nodes.find(node => node.name === name)
    if (found === undefined) throw new Error(`no node ${name}`)
    return found
  }

  /** Resolves once `look` answers what is wanted of the status. */
  async until<T>(look: (status: Status) => T, wanted: T): Promise<void> {
    await eventually(async () => look(await this.status()), wanted)
  }

  /** How long the coordinators did not know that the process of a node was gone, as its supervisor saw it, in milliseconds. */
  async msUntilFenced(node: string): Promise<number> {
    const seen = async () => {
      const lines = (await this.ok('logs', 'supervisor', '--json')).split('\n').filter(line => line !== '')
      const all = lines.map(line => JSON.parse(line) as { readonly event: string; readonly subject?: string; readonly ms?: number })
      return all.findLast(({ event, subject }) => event === 'exit_known' && subject === node)?.ms
    }
    await eventually(async () => (await seen()) !== undefined, true)
    return (await seen()) ?? Number.NaN
  }

  /** Every process of the running cluster: nodes, supervisor, reaper. */
  async processes(): Promise<readonly ProcessIdentity[]> {
    const { nodes, supervisor } = await this.status()
    const pids = [supervisor?.pid, this.listed('reaper')?.pid, ...nodes.map(({ pid }) => pid)]
    return pids.flatMap(pid => (pid == null ? [] : (identify(pid) ?? [])))
  }

  /** A process as pids.json has it. */
  listed(name: string): { readonly pid: number } | undefined {
    const all = JSON.parse(readFileSync(this.paths.processes, 'utf8')) as { readonly name: string; readonly pid?: number }[]
    const pid = all.find(row => row.name === name)?.pid
    return pid === undefined ? undefined : { pid }
  }

  /** Stops and deletes everything, whatever a failed test left running. */
  async remove(): Promise<void> {
    for (const child of this.#started) child.kill('SIGKILL')
    await this.run('down', '--volumes')
    rmSync(this.directory, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove()
  }
}

/** Resolves once `read` answers what is wanted. */
async function eventually<T>(read: () => Promise<T>, wanted: T): Promise<void> {
  await expect.poll(read, { timeout: 10_000, interval: 50 }).toEqual(wanted)
}

/** Resolves once none of the processes runs; fails when that takes longer than promised. */
export async function allGone(processes: readonly ProcessIdentity[], timeoutMs = GONE_TIMEOUT_MS): Promise<void> {
  await expect.poll(() => processes.filter(isRunning).map(({ pid }) => pid), { timeout: timeoutMs, interval: 25 }).toEqual([])
}

/** Consecutive ports that nobody listens on, below the ephemeral range. */
export async function freePorts(count: number): Promise<readonly number[]> {
  for (;;) {
    const first = 11_000 + Math.floor(Math.random() * 20_000)
    const ports = Array.from({ length: count }, (_, i) => first + i)
    const outcomes = await Promise.allSettled(ports.map(occupy))
    const servers = outcomes.flatMap(outcome => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    await Promise.all(servers.map(release))
    if (servers.length === count) return ports
  }
}

/** Listens on a port until released. */
export async function occupy(port: number): Promise<Server> {
  // Reads and drops what comes: a connection that is never read never ends, and neither would the server.
  const server = createServer(socket => socket.on('error', () => socket.destroy()).resume()).listen({
    host: '127.0.0.1',
    port,
    exclusive: true,
  })
  await once(server, 'listening')
  return server
}

export async function release(server: Server): Promise<void> {
  server.close()
  await once(server, 'close')
}
