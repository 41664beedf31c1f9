// A cluster of simulated servers with its clients and its operator, checked at every step.
import { type MonotonicMs, nodeId, type Random, SeededRandom, seededRandom } from '@atoll/base'
import type * as raft from '@atoll/raft'
import type { Answer, Envelope, LogIndex, Member, MembershipChange, Raft, RaftEvent, RaftSettings, StoreRequest } from '@atoll/raft'
import { EventQueue } from '../event-queue.ts'
import { Checker } from './checker.ts'
import { SimulatedDisk } from './disk.ts'
import { Network, type Packet } from './network.ts'
import { type FailurePoint, SimulatedServer, type World } from './server.ts'
import { command } from './state-machine.ts'

export type RaftModule = typeof raft

export interface ClusterOptions {
  readonly module: RaftModule
  readonly seed: number
  readonly voters: number
  /** Servers that are not members at first. */
  readonly spares?: number
  readonly settings?: Partial<RaftSettings>
  /** Instead of a seeded one. */
  readonly random?: Random
}

const NO_MEMBERS = { voters: [], learners: [] }

export class SimulatedCluster implements World {
  readonly servers = new Map<string, SimulatedServer>()
  readonly checker: Checker
  readonly network: Network
  readonly random: Random
  readonly settings: RaftSettings
  readonly coverage = new Map<string, number>()
  /** Writes acknowledged and reads served. */
  acknowledged = 0
  served = 0
  proposed = 0
  readsAsked = 0
  /** Crashes a server at one of the named points; returns whether it should. */
  failAt: (server: SimulatedServer, point: FailurePoint) => boolean = () => false
  onEvent: (server: SimulatedServer, event: RaftEvent) => void = () => undefined
  onAnswer: (server: SimulatedServer, answer: Answer) => void = () => undefined
  onStore: (server: SimulatedServer, request: StoreRequest) => void = () => undefined
  /** Packets that wait to be delivered by hand; undefined while the network carries them. */
  held: Packet[] | undefined
  readonly trace: string[] = []
  tracing = false
  readonly #module: RaftModule
  readonly #queue = new EventQueue()
  readonly #founders: readonly Member[]
  /** What had been seen by any client when a read was asked for. */
  readonly #reads = new Map<number, number>()
  #nextOperation = 1
  #disks = 0

  constructor({ module, seed, voters, spares = 0, settings = {}, random = seededRandom(seed) }: ClusterOptions) {
    this.#module = module
    this.random = random
    this.settings = { ...module.defaultSettings, ...settings }
    this.checker = new Checker(() => this.#queue.now)
    this.network = new Network(this.#queue, seededRandom(seed + 7_919), (to, packet) => this.servers.get(to)?.receive(packet))
    this.#founders = Array.from({ length: voters }, (_, index) => ({ node: nodeId(`n${index + 1}`), disk: this.#newDiskId() }))
    for (const { node, disk } of this.#founders) this.#add(node, disk, true)
    for (let index = voters; index < voters + spares; index++) this.#add(nodeId(`n${index + 1}`), this.#newDiskId(), false)
  }

  get now(): number {
    return this.#queue.now
  }

  get leader(): SimulatedServer | undefined {
    let newest: SimulatedServer | undefined
    for (const server of this.servers.values()) {
      if (server.raft?.isLeader && !server.isPaused && (newest?.raft?.term ?? -1) < server.raft.term) newest = server
    }
    return newest
  }

  get all(): SimulatedServer[] {
    return [...this.servers.values()]
  }

  get violations(): readonly string[] {
    return this.checker.violations
  }

  server(name: string): SimulatedServer {
    const server = this.servers.get(name)
    if (server === undefined) throw new Error(`no server ${name}`)
    return server
  }

  startAll(): this {
    for (const server of this.servers.values()) if (!server.isUp) server.start()
    return this
  }

  runFor(ms: number): void {
    this.runUntil(() => false, ms)
  }

  /** Runs until `holds` or a violation, at most for `ms`. Returns whether it held. */
  runUntil(holds: () => boolean, ms: number): boolean {
    this.#queue.runUntil(this.now + ms, () => this.violations.length > 0 || holds())
    return this.violations.length === 0 && holds()
  }

  later(delayMs: number, task: () => void): void {
    this.#queue.add(this.now + delayMs, task)
  }

  count(what: string, by = 1): void {
    this.coverage.set(what, (this.coverage.get(what) ?? 0) + by)
  }

  /** A server as the founders knew it. */
  configurationMember(name: string): Member {
    const founder = this.#founders.find(({ node }) => node === name)
    if (founder === undefined) throw new Error(`${name} is no founder`)
    return founder
  }

  // What clients do.

  write(to: SimulatedServer | undefined, commands = 1): void {
    if (!to?.isUp) return
    this.proposed++
    const proposalId = this.#nextOperation++
    const key = `k${this.random.below(8)}`
    to.input({
      kind: 'propose',
      proposalId,
      commands: Array.from({ length: commands }, (_, offset) => command(key, proposalId * 10 + offset)),
    })
  }

  read(from: SimulatedServer | undefined): void {
    if (!from?.isUp) return
    this.readsAsked++
    const readId = this.#nextOperation++
    this.#reads.set(readId, this.checker.seen)
    from.input({ kind: 'read', readId })
  }

  change(at: SimulatedServer | undefined, change: MembershipChange): void {
    at?.input({ kind: 'change_membership', proposalId: this.#nextOperation++, change })
  }

  // What happens to servers.

  crash(server: SimulatedServer, keeps = this.random.float()): void {
    if (!server.isUp) return
    server.crash(keeps)
    this.checker.storedHardState(server)
    this.#note(server, 'crashes')
    // The end of each connection is noticed, and the next one refused.
    for (const other of this.servers.values()) {
      if (other !== server) this.later(this.random.float() * 3, () => other.input({ kind: 'link_reset', peer: server.name }))
    }
  }

  /** Everybody who tries finds nobody listening at the crashed server's address. */
  refuse(server: SimulatedServer): void {
    for (const other of this.servers.values()) {
      if (other !== server)
        this.later(1 + this.random.float() * 5, () => !server.isUp && other.input({ kind: 'leader_gone', leader: server.name }))
    }
  }

  restart(server: SimulatedServer): void {
    if (server.isUp) return
    this.#note(server, 'starts')
    server.start()
  }

  /** Its directory is gone: the name comes back with nothing, as somebody else. */
  wipe(server: SimulatedServer): void {
    this.crash(server)
    server.disk = this.#emptyDisk()
    server.diskId = this.#newDiskId()
    this.#note(server, `is wiped, now ${server.diskId}`)
  }

  damage(server: SimulatedServer): void {
    this.crash(server, 1)
    const { lastIndex, snapshot } = server.disk
    server.disk.damage(snapshot.index + 1 + this.random.below(Math.max(1, lastIndex - snapshot.index)))
  }

  // The world as servers see it.

  start(server: SimulatedServer, nowMs: MonotonicMs): Raft {
    const { disk } = server
    return new this.#module.Raft({
      self: server.member,
      settings: this.settings,
      random: this.random instanceof SeededRandom ? this.random.fork() : this.random,
      hardState: disk.hardState,
      log: disk,
      recordedEnd: disk.recordedEnd,
      applied: disk.snapshot.index,
      nowMs,
    })
  }

  send(packet: Packet): void {
    this.count(packet.envelope.message.kind)
    if (this.tracing) this.#traceMessage(packet.envelope)
    if (this.held === undefined) this.network.send(packet)
    else this.held.push(packet)
  }

  leaving(server: SimulatedServer, envelope: Envelope): void {
    this.checker.sent(server, envelope)
  }

  stepped(server: SimulatedServer, raft: Raft): void {
    const { commit } = raft
    if (commit <= server.commitSeen) return
    server.commitSeen = commit
    const term = raft.termAt(commit)
    this.checker.committedAt(server.name, commit, term)
    if (!raft.isLeader || term === undefined) return
    const disks = new Map([...this.servers.values()].map(({ name, disk }) => [name as string, disk]))
    this.checker.committedByLeader(server.name, commit, term, raft.status.configuration, disks)
  }

  stored(server: SimulatedServer, { batches, hardState }: StoreRequest): void {
    if (hardState !== undefined) this.checker.storedHardState(server)
    if (batches.length > 0) this.checker.stored(server, batches)
  }

  applied(server: SimulatedServer): void {
    const { machine, name } = server
    this.checker.applied(name, machine)
    for (const { index, term } of server.takeAccepted()) {
      if (server.disk.termAt(index) !== term) continue
      this.acknowledged++
      this.checker.acknowledged(index, term)
    }
    const ready = server.waitingReads.filter(({ index }) => index <= machine.index)
    if (ready.length === 0) return
    server.waitingReads = server.waitingReads.filter(({ index }) => index > machine.index)
    for (const { readId } of ready) this.#serve(server, readId)
  }

  writing(server: SimulatedServer, request: StoreRequest): void {
    this.onStore(server, request)
  }

  answered(server: SimulatedServer, answer: Answer): void {
    this.onAnswer(server, answer)
    switch (answer.kind) {
      case 'accepted':
        server.accepted.push({ index: answer.lastIndex, term: answer.term })
        return
      case 'read_ready':
        if (answer.index <= server.machine.index) this.#serve(server, answer.readId)
        else server.waitingReads.push(answer)
        return
      case 'refused':
        return this.count(`refused: ${answer.reason}`)
      case 'read_failed':
        this.#reads.delete(answer.readId)
        return this.count(`read failed: ${answer.reason}`)
    }
  }

  happened(server: SimulatedServer, event: RaftEvent): void {
    this.count(event.kind === 'stepped_down' ? `stepped_down: ${event.reason}` : event.kind)
    if (this.tracing) this.#note(server, JSON.stringify(event))
    if (event.kind === 'became_leader') {
      const { raft } = server
      this.checker.elected(server, event.term, index => raft?.termAt(index as LogIndex))
    }
    // These disks always know what they lost: it is another disk that the leader speaks of.
    if (event.kind === 'loss_discovered') {
      const { confirmed, lastIndex } = event
      this.checker.violated(server.name, `takes it for its own that ${confirmed} was confirmed, and its log ends at ${lastIndex}`)
    }
    this.onEvent(server, event)
  }

  passing(server: SimulatedServer, point: FailurePoint): void {
    this.count(point)
    if (!this.failAt(server, point)) return
    this.count(`crash at ${point}`)
    this.crash(server)
    this.later(50 + this.random.float() * 500, () => this.restart(server))
  }

  broke(server: SimulatedServer, error: unknown): void {
    const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    this.checker.violated(server.name, `stops with ${what}`)
    if (this.tracing && error instanceof Error) this.trace.push(error.stack ?? '')
  }

  #serve(server: SimulatedServer, readId: number): void {
    const seen = this.#reads.get(readId)
    if (seen === undefined) return
    this.#reads.delete(readId)
    this.served++
    this.checker.served(server.name, seen, server.machine.index)
  }

  #add(node: Member['node'], disk: Member['disk'], isFounder: boolean): void {
    this.servers.set(node, new SimulatedServer(node, disk, isFounder ? this.#foundingDisk() : this.#emptyDisk(), this))
  }

  #foundingDisk(): SimulatedDisk {
    return this.#disk({ voters: this.#founders, learners: [] })
  }

  #emptyDisk(): SimulatedDisk {
    return this.#disk(NO_MEMBERS)
  }

  #disk(configuration: typeof NO_MEMBERS | { voters: readonly Member[]; learners: readonly Member[] }): SimulatedDisk {
    const { logIndex, term } = this.#module
    const founding = { index: logIndex(0), term: term(0), configuration, sizeBytes: 0 }
    return new SimulatedDisk(founding, { term: term(0), votedFor: undefined })
  }

  #newDiskId(): Member['disk'] {
    return `d${++this.#disks}` as Member['disk']
  }

  #note(server: SimulatedServer, what: string): void {
    if (this.tracing) this.trace.push(`${this.now.toFixed(1)} ${server.name} ${what}`)
  }

  #traceMessage({ from, to, message }: Envelope): void {
    const { kind, ...rest } = message
    const fields = Object.entries(rest).map(([name, value]) => {
      if (name !== 'batches') return `${name}=${typeof value === 'object' ? JSON.stringify(value) : value}`
      return `batches=${(value as { firstIndex: number; lastIndex: number; term: number }[]).map(batch => `${batch.firstIndex}-${batch.lastIndex}@${batch.term}`).join(',')}`
    })
    this.trace.push(`${this.now.toFixed(1)} ${from.node} -> ${to.node} ${kind} ${fields.join(' ')}`)
  }
}
