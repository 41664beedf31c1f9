// Three coordinators as processes, and everything that is done to them: killed, stopped, cut off, started again where they
// were. What is still amiss at the end of a test is undone with it, and nothing it started is left.
import { type Endpoint, nodeId } from '@atoll/base'
import { type Client, createClient } from '@atoll/client/core'
import { createClock, createCompute, createNet, systemRandom } from '@atoll/node-ports'
import { kvRange, nodeSetLinks, type ResponseOf, type Revision, raftStatus, type Session } from '@atoll/protocol'
import { type NodeProcess, SECRET, StateDirectory } from '../../hostile/coordinators.ts'

type Status = ResponseOf<typeof raftStatus>

export const NAMES = ['coordinator-1', 'coordinator-2', 'coordinator-3']
/** What coordinators owe each other is there within this, in milliseconds; on a machine that also runs other tests. */
const SUCCESSION_MS_MAX = 5_000
const ASK_TIMEOUT_MS = 2_000

/** A link rule that does nothing. */
const intact = {
  cut: false,
  reset: false,
  delayMs: 0,
  jitterMs: 0,
  bytesPerSecond: 0,
  corruptProbability: 0,
  lossProbability: 0,
  duplicateProbability: 0,
  reorderProbability: 0,
}

export class ChaosCluster implements AsyncDisposable {
  readonly directory: StateDirectory
  readonly #running = new Map<string, NodeProcess>()
  /** Where each listens, before and after a restart, as a supervisor remembers it. */
  readonly #ports = new Map<string, number>()
  readonly #clients: Client[] = []
  readonly #stopped = new Set<string>()
  #cut: readonly (readonly [from: string, to: string])[] = []

  private constructor(directory: StateDirectory, nodes: readonly NodeProcess[]) {
    this.directory = directory
    for (const node of nodes) {
      this.#running.set(node.name, node)
      this.#ports.set(node.name, node.port)
    }
  }

  static async start(prepare: (directory: StateDirectory) => void = () => {}): Promise<ChaosCluster> {
    const directory = new StateDirectory({ faults: true })
    try {
      prepare(directory)
      return new ChaosCluster(directory, await directory.cluster(NAMES.length))
    } catch (error) {
      await directory[Symbol.asyncDispose]()
      throw error
    }
  }

  get running(): readonly string[] {
    return [...this.#running.keys()]
  }

  node(name: string): NodeProcess {
    const node = this.#running.get(name)
    if (node === undefined) throw new Error(`${name} does not run`)
    return node
  }

  /** Where its nodes listen. */
  get seeds(): readonly Endpoint[] {
    return [...this.#ports.values()].map(port => ({ host: '127.0.0.1', port }))
  }

  /** A client of the cluster by its addresses; closed with it. */
  async client(name: string): Promise<Client> {
    const clock = createClock()
    const random = systemRandom()
    const { net } = createNet({ self: nodeId(name), faults: false, clock, random })
    const { seeds } = this
    const secret = Buffer.from(SECRET, 'hex')
    const identity = { name: nodeId(name), clusterId: this.directory.clusterId, secret, seeds }
    const client = createClient({ net, clock, random, compute: await createCompute() }, identity)
    this.#clients.push(client)
    return client
  }

  statusOf(name: string): Promise<Status> {
    return this.#ask(name, session => session.request(raftStatus, {}, { timeoutMs: ASK_TIMEOUT_MS }))
  }

  /** What a node itself holds of the keys with `prefix`, as `key=value@revision`. */
  heldBy(name: string, prefix: string): Promise<readonly string[]> {
    const selection = { kind: 'prefix', key: prefix, end: '' } as const
    const now = 0 as Revision
    const request = { selection, from: '', revision: now, limit: 0, keysOnly: false, countOnly: false, consistency: 'local' } as const
    return this.#ask(name, async session => {
      const { entries } = await session.request(kvRange, request, { timeoutMs: ASK_TIMEOUT_MS })
      return entries.map(({ key, value, modRevision }) => `${key}=${Buffer.from(value).toString()}@${modRevision}`)
    })
  }

  /** The leader that all of `names` follow, in a term after `afterTerm`; fails when there is none in time. */
  async leadership(names: readonly string[] = this.running, afterTerm = 0): Promise<Status> {
    return this.#until(names, 'no leader they agree on', all => {
      const leader = all.find(({ role, term }) => role === 'leader' && term > afterTerm)
      return leader !== undefined && all.every(one => one.leader === leader.node && one.term === leader.term) ? leader : undefined
    })
  }

  async leader(names: readonly string[] = this.running): Promise<string> {
    return (await this.leadership(names)).node
  }

  /** Waits until a leader has committed more than `index`: one just elected does not know what its predecessor had. */
  async commitPast(index: number): Promise<void> {
    await this.#until(this.running, `nothing past ${index} is committed`, all =>
      all.find(({ role, commitIndex }) => role === 'leader' && commitIndex > index),
    )
  }

  /** Waits until nobody leads. */
  async leaderless(): Promise<void> {
    await this.#until(this.running, 'somebody leads', all => all.every(({ role }) => role !== 'leader'))
  }

  /** Waits until all have applied the same, as far as anybody has. */
  async converged(): Promise<void> {
    await this.#until(
      this.running,
      'not all hold the same',
      all => new Set(all.flatMap(one => [one.appliedIndex, one.lastIndex])).size === 1,
    )
  }

  async kill(...names: readonly string[]): Promise<void> {
    await Promise.all(
      names.map(async name => {
        await this.node(name).kill()
        this.#running.delete(name)
        this.#stopped.delete(name)
      }),
    )
  }

  /** Starts those again that were killed, on their disks and at their addresses. */
  async restart(...names: readonly string[]): Promise<void> {
    for (const name of names) this.#running.set(name, this.directory.spawn(name, ['--native-port', String(this.#ports.get(name))]))
    const nodes = [...this.#running.values()]
    const seeds = await Promise.all(nodes.map(async node => ({ host: '127.0.0.1', port: await node.bound })))
    for (const name of names) this.node(name).child.send({ kind: 'seeds', seeds })
    await this.#breakLinks(names)
  }

  pause(name: string): void {
    this.node(name).child.kill('SIGSTOP')
    this.#stopped.add(name)
  }

  resume(name: string): void {
    this.node(name).child.kill('SIGCONT')
    this.#stopped.delete(name)
  }

  /** Cuts the directed links from the first to the second of each pair; none heals all. */
  async cut(...links: readonly (readonly [from: string, to: string])[]): Promise<void> {
    this.#cut = links
    await this.#breakLinks(this.running.filter(name => !this.#stopped.has(name)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map(client => client.close()))
    await this.directory[Symbol.asyncDispose]()
  }

  /** Asks all of `names` again and again until `holds` answers something; fails when that takes too long. */
  async #until<T>(names: readonly string[], what: string, holds: (all: readonly Status[]) => T): Promise<Exclude<T, undefined | false>> {
    const deadlineMs = performance.now() + SUCCESSION_MS_MAX
    for (;;) {
      const all = await Promise.all(names.map(name => this.statusOf(name)))
      const found = holds(all)
      if (found !== undefined && found !== false) return found as Exclude<T, undefined | false>
      if (performance.now() > deadlineMs) throw new Error(`${what}, within ${SUCCESSION_MS_MAX} ms: ${JSON.stringify(all)}`)
    }
  }

  async #breakLinks(names: readonly string[]): Promise<void> {
    const rules = this.#cut.map(([from, to]) => ({ ...intact, from: nodeId(from), to: nodeId(to), cut: true }))
    await Promise.all(
      names.map(name => this.#ask(name, session => session.request(nodeSetLinks, { rules }, { timeoutMs: ASK_TIMEOUT_MS }))),
    )
  }

  async #ask<T>(name: string, ask: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.node(name).call('observer')
    try {
      return await ask(session)
    } finally {
      session.end()
    }
  }
}
