// A cluster of swim state machines on simulated machines and links: seeded, one event at a time, no promises. Its
// processes behave like Node.js on one machine: killed ones refuse connections, paused ones accept them in silence, and
// after a pause timers fire before sockets are read.
import { type MonotonicMs, type NodeId, nodeId, type Random, type SeededRandom, seededRandom } from '@atoll/base'
import type { Address, Destination, Effects, Input, MemberMeta, Send, Swim, SwimEvent, SwimMessage, SwimSettings } from '@atoll/swim'
import { EventQueue } from '../event-queue.ts'

/** The module under test: the real one, or a mutated copy. */
export interface SwimModule {
  readonly Swim: new (options: { node: NodeId; meta: MemberMeta; settings: SwimSettings; random: Random; nowMs: MonotonicMs }) => Swim
  readonly defaultSettings: SwimSettings
}

export interface ClusterOptions {
  readonly module: SwimModule
  /** Another module for some processes, by their index. */
  readonly others?: ReadonlyMap<number, SwimModule>
  readonly size: number
  readonly seed: number
  readonly settings?: Partial<SwimSettings>
  /** Chance that an unreliable message is lost; half as many are doubled. */
  readonly lossRate?: number
}

/** One process; a restart makes a new one of the same name. */
export interface SimulatedProcess {
  readonly name: NodeId
  readonly address: Address
  readonly swim: Swim
  /** Those it has a connection with, by name. */
  readonly peers: Map<NodeId, SimulatedProcess>
  running: boolean
  /** It said farewell; what happens to it afterwards is no death. */
  departed: boolean
  /** Paused until then; infinity until resumed. */
  frozenUntil: number
  /** When the last pause began. */
  frozenSince: number
  readonly inbox: ((nowMs: MonotonicMs) => Input)[]
  timerAt: number | undefined
}

export interface ClusterObserver {
  stepped?(process: SimulatedProcess, input: Input, effects: Effects): void
  happened?(process: SimulatedProcess, event: SwimEvent): void
  sent?(process: SimulatedProcess, send: Send): void
  killed?(process: SimulatedProcess): void
  /** `whole`: nothing is cut any more. */
  linksChanged?(whole: boolean): void
}

/** Beyond this size connections are not kept to everybody, so a death breaks only some. */
const CONNECTIONS_MAX = 32
const LATENCY_MS_MIN = 0.1
const LATENCY_MS_SPREAD = 1.4

export class SimulatedCluster {
  readonly queue = new EventQueue()
  readonly random: SeededRandom
  readonly observers: ClusterObserver[] = []
  /** The process of each name that was started last, running or not. */
  readonly processes = new Map<NodeId, SimulatedProcess>()
  readonly #listening = new Map<number, SimulatedProcess>()
  readonly #options: ClusterOptions
  #lossRate: number
  #isCut: (from: NodeId, to: NodeId) => boolean = () => false
  #nextPort = 7_201

  constructor(options: ClusterOptions) {
    this.#options = options
    this.#lossRate = options.lossRate ?? 0
    this.random = seededRandom(options.seed)
  }

  get now(): number {
    return this.queue.now
  }

  get running(): SimulatedProcess[] {
    return [...this.processes.values()].filter(process => process.running)
  }

  process(index: number): SimulatedProcess {
    const process = [...this.processes.values()][index]
    if (process === undefined) throw new RangeError(`no process ${index}`)
    return process
  }

  /** Starts all processes within 50 ms, joining through the first three, and runs until all know all. */
  start(): this {
    const names = Array.from({ length: this.#options.size }, (_, index) => nodeId(`node-${index + 1}`))
    const seeds = names.slice(0, 3).map((_, index) => ({ host: '127.0.0.1', port: this.#nextPort + index }))
    const started = names.map(name => this.#launch(name))
    for (const process of started) {
      this.queue.add(this.random.float() * 50, () => this.#step(process, nowMs => ({ kind: 'join', seeds, nowMs })))
    }
    if (!this.runUntil(() => this.agrees(), 30_000)) throw new Error('the cluster did not form within 30 s')
    return this
  }

  /** Starts all processes as if they had long known each other: forming a thousand is another story. */
  startFormed(): this {
    const names = Array.from({ length: this.#options.size }, (_, index) => nodeId(`node-${index + 1}`))
    const started = names.map(name => this.#launch(name))
    const members = started.map(({ name, swim }) => {
      return {
        node: name,
        state: 'alive',
        incarnation: swim.self.incarnation,
        by: undefined,
        refused: false,
        meta: swim.self.meta,
      } as const
    })
    const seeds = [{ host: '127.0.0.1', port: 1 }]
    const nowMs = this.now as MonotonicMs
    for (const process of started) {
      const question = process.swim.step({ kind: 'join', seeds, nowMs }).sends[0]?.message
      if (question?.kind !== 'sync') throw new Error('joining asks for a sync')
      const reply: SwimMessage = { ...question, reply: true, joining: false, members }
      process.swim.step({ kind: 'message', from: nodeId('seed'), message: reply, nowMs })
      for (const peer of started.length <= CONNECTIONS_MAX ? started : []) if (peer !== process) process.peers.set(peer.name, peer)
      this.#step(process, now => ({ kind: 'tick', nowMs: now }))
    }
    return this
  }

  runFor(ms: number): void {
    this.queue.runUntil(this.now + ms)
  }

  /** Runs until `done` holds after an event, for at most `withinMs`; returns whether it does. */
  runUntil(done: () => boolean, withinMs: number): boolean {
    return done() || this.queue.runUntil(this.now + withinMs, done)
  }

  /** True when every running process believes exactly the running ones alive. */
  agrees(): boolean {
    const running = this.running
    return running.every(observer =>
      [...this.processes.values()].every(subject => {
        if (subject === observer) return true
        const believed = observer.swim.member(subject.name)?.state
        return subject.running ? believed === 'alive' : believed !== 'alive' && believed !== 'suspect'
      }),
    )
  }

  kill(process: SimulatedProcess): void {
    process.running = false
    this.#listening.delete(process.address.port)
    for (const observer of this.observers) observer.killed?.(process)
    const connected = process.peers.size > 0 ? [...process.peers.values()] : this.#somePeers(process)
    for (const peer of connected) {
      peer.peers.delete(process.name)
      if (this.#isCut(process.name, peer.name)) continue
      this.queue.add(this.now + this.random.float() * 3, () =>
        this.#step(peer, nowMs => ({ kind: 'connection_closed', node: process.name, nowMs })),
      )
    }
    process.peers.clear()
  }

  /** A new process of the same name, at another address unless `sameAddress`, that joins through `seed`. */
  restart(process: SimulatedProcess, seed: SimulatedProcess, sameAddress = false): SimulatedProcess {
    const next = this.#launch(process.name, sameAddress ? process.address.port : undefined)
    this.#step(next, nowMs => ({ kind: 'join', seeds: [seed.address], nowMs }))
    return next
  }

  /** Stops a process as SIGSTOP does: its connections stay open, and it is silent. */
  pause(process: SimulatedProcess, ms = Number.POSITIVE_INFINITY): void {
    if (process.frozenUntil <= this.now) process.frozenSince = this.now
    process.frozenUntil = Math.max(process.frozenUntil, this.now + ms)
    if (Number.isFinite(ms)) this.queue.add(process.frozenUntil, () => this.#thaw(process))
  }

  resume(process: SimulatedProcess): void {
    process.frozenUntil = this.now
    this.#thaw(process)
  }

  /** Every process stalls for 50 to 150 ms, again and again, for as long as the simulation lasts: a busy machine. */
  makeBusy(gapMs = 400): void {
    const stall = (process: SimulatedProcess): void => {
      if (!process.running) return
      this.pause(process, 50 + this.random.float() * 100)
      this.queue.add(process.frozenUntil + this.random.float() * gapMs, () => stall(process))
    }
    for (const process of this.running) this.queue.add(this.now + this.random.float() * gapMs, () => stall(process))
  }

  cut(isCut: (from: NodeId, to: NodeId) => boolean): void {
    this.#isCut = isCut
    for (const observer of this.observers) observer.linksChanged?.(false)
  }

  heal(): void {
    this.#isCut = () => false
    for (const observer of this.observers) observer.linksChanged?.(true)
  }

  lose(rate: number): void {
    this.#lossRate = rate
  }

  /** Hands an input to a process as its driver would. */
  input(process: SimulatedProcess, make: (nowMs: MonotonicMs) => Input): void {
    this.#step(process, make)
  }

  /** Says farewell and exits when that is said. */
  leave(process: SimulatedProcess): void {
    process.departed = true
    this.#step(process, nowMs => ({ kind: 'leave', nowMs }))
  }

  #launch(name: NodeId, port = this.#nextPort++): SimulatedProcess {
    const { settings } = this.#options
    const module = this.#options.others?.get(this.processes.size) ?? this.#options.module
    const address = { host: '127.0.0.1', port }
    const meta: MemberMeta = { role: 'broker', endpoints: [{ protocol: 'native', ...address }], loadPercent: 0 }
    const random = this.random.fork()
    const options = { node: name, meta, settings: { ...module.defaultSettings, ...settings }, random, nowMs: this.now as MonotonicMs }
    const swim = new module.Swim(options)
    const unpaused = { frozenUntil: 0, frozenSince: 0, inbox: [], timerAt: undefined }
    const process: SimulatedProcess = { name, address, swim, peers: new Map(), running: true, departed: false, ...unpaused }
    this.processes.set(name, process)
    this.#listening.set(port, process)
    return process
  }

  #somePeers(process: SimulatedProcess): SimulatedProcess[] {
    const running = this.running.filter(peer => peer !== process)
    return Array.from(
      { length: Math.min(CONNECTIONS_MAX, running.length) },
      () => running[this.random.below(running.length)] as SimulatedProcess,
    )
  }

  #step(process: SimulatedProcess, make: (nowMs: MonotonicMs) => Input): void {
    if (!process.running) return
    if (process.frozenUntil > this.now) {
      process.inbox.push(make)
      return
    }
    const input = make(this.now as MonotonicMs)
    const effects = process.swim.step(input)
    for (const observer of this.observers) {
      observer.stepped?.(process, input, effects)
      for (const event of effects.events) observer.happened?.(process, event)
    }
    for (const send of effects.sends) this.#send(process, send)
    this.#setTimer(process, effects.wakeAtMs)
    if (effects.events.some(event => event.kind === 'farewell_said')) this.queue.add(this.now + 1, () => this.kill(process))
  }

  #setTimer(process: SimulatedProcess, at: number | undefined): void {
    if (at === process.timerAt) return
    process.timerAt = at
    if (at !== undefined) this.queue.add(at + this.random.float(), () => this.#fire(process, at))
  }

  #fire(process: SimulatedProcess, at: number): void {
    // Replaced since, or paused: then it fires first thing after the pause.
    if (process.timerAt !== at || process.frozenUntil > this.now) return
    process.timerAt = undefined
    this.#step(process, nowMs => ({ kind: 'tick', nowMs }))
  }

  #thaw(process: SimulatedProcess): void {
    if (process.frozenUntil > this.now) return
    if (process.timerAt !== undefined && process.timerAt <= this.now) this.#fire(process, process.timerAt)
    for (const make of process.inbox.splice(0)) this.#step(process, make)
  }

  #send(from: SimulatedProcess, send: Send): void {
    for (const observer of this.observers) observer.sent?.(from, send)
    const to = this.#resolve(from, send.to)
    if (to === undefined) {
      if (send.to.node === undefined || !this.#isCut(from.name, send.to.node)) {
        const refused = { kind: 'unreachable', to: send.to, how: 'refused' } as const
        this.queue.add(this.now + 0.3, () => this.#step(from, nowMs => ({ ...refused, nowMs })))
      }
      return
    }
    // Somebody else listens there now: the greeting fails, and nothing is said.
    if ((send.to.node !== undefined && send.to.node !== to.name) || this.#isCut(from.name, to.name)) return
    if (!send.reliable && this.random.float() < this.#lossRate) return
    this.#connect(from, to)
    this.#deliver(from, to, send.message)
    if (!send.reliable && this.random.float() < this.#lossRate / 2) this.#deliver(from, to, send.message)
  }

  #deliver(from: SimulatedProcess, to: SimulatedProcess, message: SwimMessage): void {
    const at = this.now + LATENCY_MS_MIN + this.random.float() * LATENCY_MS_SPREAD
    this.queue.add(at, () => this.#step(to, nowMs => ({ kind: 'message', from: from.name, message, nowMs })))
  }

  #resolve(from: SimulatedProcess, to: Destination): SimulatedProcess | undefined {
    const open = to.node === undefined ? undefined : from.peers.get(to.node)
    if (open !== undefined) return open
    if (to.address !== undefined) return this.#listening.get(to.address.port)
    // An answer over the connection its question came by.
    return to.node === undefined ? undefined : this.processes.get(to.node)
  }

  #connect(a: SimulatedProcess, b: SimulatedProcess): void {
    if (this.processes.size > CONNECTIONS_MAX || a.peers.get(b.name) === b) return
    a.peers.set(b.name, b)
    b.peers.set(a.name, a)
  }
}
