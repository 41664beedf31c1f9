// Coordinators and brokers as processes under a supervisor, driven through the command line, and what the tests of the log
// have to know of them.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { freePorts, TestCluster } from '../../integration/cluster-fixture.ts'

export const COORDINATORS = ['coordinator-1', 'coordinator-2', 'coordinator-3']
export const BROKERS = ['broker-1', 'broker-2', 'broker-3']
const NODES = [...COORDINATORS, ...BROKERS]
/** A cluster is ready again within this after all was well, in milliseconds; on a machine that also runs other tests. */
const READY_MS_MAX = 30_000

/** Between two looks whether anything runs, in milliseconds. */
const LOOK_MS = 50
const LOGS = resolve(import.meta.dirname, '../../../.cache/chaos')

interface MemberRow {
  readonly name: string
  readonly leader: boolean
}

export class LogCluster implements AsyncDisposable {
  readonly #cluster: TestCluster

  private constructor(cluster: TestCluster) {
    this.#cluster = cluster
  }

  /** Three coordinators and three brokers, ready. */
  static async start(): Promise<LogCluster> {
    const cluster = await TestCluster.create()
    const ports = await freePorts(NODES.length + BROKERS.length)
    const [coordinator, broker, kafka] = [ports[0], ports[COORDINATORS.length], ports[NODES.length]]
    cluster.configure({
      roles: {
        coordinator: { count: COORDINATORS.length, nativePort: coordinator },
        broker: { count: BROKERS.length, nativePort: broker, kafkaPort: kafka },
      },
    })
    await cluster.ok('up', '-d')
    return new LogCluster(cluster)
  }

  /** Where Kafka's clients find the brokers, those that are down included. */
  async bootstrap(): Promise<string[]> {
    const { KAFKA_BROKERS } = await this.#cluster.json<{ KAFKA_BROKERS: string }>('env')
    return KAFKA_BROKERS.split(',')
  }

  /** The coordinator that leads, which is the controller. */
  async controller(): Promise<string> {
    const { members } = await this.#cluster.json<{ members: readonly MemberRow[] }>('member', 'ls')
    const leader = members.find(member => member.leader)
    if (leader === undefined) throw new Error('no coordinator leads')
    return leader.name
  }

  async kill(...names: readonly string[]): Promise<void> {
    await this.#cluster.ok('kill', ...names)
  }

  async restart(...names: readonly string[]): Promise<void> {
    await this.#cluster.ok('restart', ...names)
  }

  async pause(name: string): Promise<void> {
    await this.#cluster.ok('pause', name)
  }

  async resume(name: string): Promise<void> {
    await this.#cluster.ok('resume', name)
  }

  /** Cuts a node off from all others, but not from its clients. */
  async isolate(name: string): Promise<void> {
    await this.#cluster.ok('partition', name)
  }

  /** Cuts the links between two groups of nodes. */
  async part(one: readonly string[], other: readonly string[]): Promise<void> {
    await this.#cluster.ok('partition', one.join(), other.join())
  }

  async heal(): Promise<void> {
    await this.#cluster.ok('heal')
  }

  /** SIGKILL to the supervisor, and with it to everything. */
  async killAll(): Promise<void> {
    const { supervisor, nodes } = await this.#cluster.status()
    for (const { pid } of nodes) if (pid !== null) process.kill(pid, 'SIGKILL')
    if (supervisor !== null) process.kill(supervisor.pid, 'SIGKILL')
    const deadlineMs = performance.now() + READY_MS_MAX
    while ((await this.#cluster.status()).running) {
      if (performance.now() > deadlineMs) throw new Error(`the cluster still runs ${READY_MS_MAX} ms after all of it was killed`)
      await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    }
  }

  async up(): Promise<void> {
    await this.#cluster.ok('up', '-d')
  }

  /** Resolves once the cluster says that it is ready. */
  async ready(): Promise<void> {
    const deadlineMs = performance.now() + READY_MS_MAX
    for (;;) {
      const { ready, unready } = await this.#cluster.status()
      if (ready) return
      if (performance.now() > deadlineMs) throw new Error(`not ready within ${READY_MS_MAX} ms: ${unready.join('; ')}`)
    }
  }

  /** Keeps what all nodes wrote, below the checkout; answers where. */
  async keepLogs(name: string): Promise<string> {
    mkdirSync(LOGS, { recursive: true })
    const path = join(LOGS, `${name}.txt`)
    writeFileSync(path, await this.#cluster.ok('logs', '--level', 'debug'))
    return path
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster.remove()
  }
}
