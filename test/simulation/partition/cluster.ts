// Brokers, a controller, producers and consumers, checked after every step.
import { type NodeId, nodeId, type Random, seededRandom } from '@atoll/base'
import type * as broker from '@atoll/broker'
import type { Assignment, ReplicaEvent, ReplicaSettings } from '@atoll/broker'
import { type Offset, readBatchHeader } from '@atoll/records'
import { EventQueue } from '../event-queue.ts'
import { type BrokerWorld, SimulatedBroker } from './broker.ts'
import { Checker } from './checker.ts'
import { Controller, type ControllerBugs, type ControllerWorld } from './controller.ts'
import type { Message, Packet } from './messages.ts'
import { Network } from './network.ts'
import { type ProducerWorld, SimulatedProducer } from './producer.ts'

export type PartitionModule = Pick<
  typeof broker,
  'MemoryLog' | 'ProducerStates' | 'Replica' | 'ReplicaManager' | 'defaultFetcherSettings' | 'defaultSettings'
>

export interface ClusterOptions {
  readonly module: PartitionModule
  readonly seed: number
  readonly brokers?: number
  readonly partitions?: number
  readonly producers?: number
  readonly minInSyncReplicas?: number
  readonly trustsPageCache?: boolean
  readonly settings?: Partial<ReplicaSettings>
  readonly bugs?: ControllerBugs
}

/** Simulated time runs on small numbers, so that a lagging follower is found within seconds. */
const fastSettings = { replicaLagMsMax: 700, proposalRetryMs: 120, fetchRetryMs: 30, diskStuckMs: 500, diskFullRetryMs: 100 }

export class SimulatedCluster implements BrokerWorld, ControllerWorld, ProducerWorld {
  readonly module: PartitionModule
  readonly settings: ReplicaSettings
  readonly minInSyncReplicas: number
  readonly trustsPageCache: boolean
  readonly random: Random
  readonly brokers: readonly SimulatedBroker[]
  readonly controller: Controller
  readonly producers: readonly SimulatedProducer[]
  readonly checker: Checker
  readonly network: Network
  readonly coverage = new Map<string, number>()
  readonly trace: string[] = []
  tracing = false
  readonly #queue = new EventQueue()
  readonly #byName = new Map<string, SimulatedBroker | SimulatedProducer>()
  #lives = 0
  #requests = 0

  constructor({ module, seed, brokers = 3, partitions = 2, producers = 2, bugs = {}, ...options }: ClusterOptions) {
    this.module = module
    this.settings = { ...module.defaultSettings, ...fastSettings, ...options.settings }
    this.minInSyncReplicas = options.minInSyncReplicas ?? Math.floor(brokers / 2) + 1
    this.trustsPageCache = options.trustsPageCache ?? false
    this.random = seededRandom(seed)
    const keys = Array.from({ length: partitions }, (_, index) => `p${index}`)
    const nodes = Array.from({ length: brokers }, (_, index) => nodeId(`broker-${index + 1}`))
    this.checker = new Checker(this, keys)
    this.network = new Network(this.#queue, seededRandom(seed + 7_919), packet => this.#deliver(packet))
    this.brokers = nodes.map(node => new SimulatedBroker(node, keys, this))
    this.producers = keys.flatMap((key, place) =>
      Array.from({ length: producers }, (_, index) => {
        const producerId = place * producers + index + 1
        return new SimulatedProducer(`producer-${producerId}`, producerId, key, this)
      }),
    )
    for (const known of this.brokers) this.#byName.set(known.node, known)
    for (const known of this.producers) this.#byName.set(known.name, known)
    this.controller = new Controller(this, keys, nodes, bugs)
    for (const started of this.brokers) started.start()
    this.#work()
    this.#consume()
  }

  get now(): number {
    return this.#queue.now
  }

  get violations(): readonly string[] {
    return this.checker.violations
  }

  broker(node: string): SimulatedBroker {
    return this.#byName.get(node) as SimulatedBroker
  }

  leader(key: string): SimulatedBroker | undefined {
    const { leader } = this.controller.partition(key)
    return leader === undefined ? undefined : this.broker(leader)
  }

  runFor(ms: number): void {
    this.runUntil(() => false, ms)
  }

  /** Runs until `holds` or a violation, at most for `ms`. Returns whether it held. */
  runUntil(holds: () => boolean, ms: number): boolean {
    this.#queue.runUntil(this.now + ms, () => this.violations.length > 0 || holds())
    return this.violations.length === 0 && holds()
  }

  count(what: string): void {
    this.coverage.set(what, (this.coverage.get(what) ?? 0) + 1)
  }

  crash(broker: SimulatedBroker, keeps = this.trustsPageCache ? 1 : this.random.float()): void {
    if (!broker.isUp) return
    broker.crash(keeps)
    this.#note(`${broker.node} crashes`)
  }

  restart(broker: SimulatedBroker): void {
    if (broker.isUp) return
    broker.start()
    this.#note(`${broker.node} starts as ${broker.life}`)
  }

  /** Everybody in sync, everything acknowledged, all copies equal. */
  isSettled(): boolean {
    if (this.producers.some(({ isDone }) => !isDone)) return false
    return this.controller.keys.every(key => {
      const { isr, leader } = this.controller.partition(key)
      const end = leader && this.broker(leader).logs.get(key)?.logEnd
      if (leader === undefined || isr.length < this.brokers.length || this.broker(leader).replica(key)?.highWatermark !== end) return false
      return this.brokers.every(({ logs }) => logs.get(key)?.logEnd === end)
    })
  }

  // The world as brokers, the controller and producers see it.

  newLife(): number {
    return ++this.#lives
  }

  newRequest(): number {
    return ++this.#requests
  }

  later(delayMs: number, task: () => void): void {
    this.#queue.add(this.now + delayMs, task)
  }

  send(...args: [to: string, message: Message] | [from: string, to: string, message: Message]): void {
    if (args.length === 2) this.sendFrom('controller', args[0], args[1])
    else this.sendFrom(...args)
  }

  sendFrom(from: string, to: string, message: Message): void {
    this.network.send({ from, to, message })
  }

  event(broker: SimulatedBroker, key: string, event: ReplicaEvent): void {
    this.count(event.kind)
    this.#note(`${broker.node}@${broker.life} ${key} ${JSON.stringify(event)}`)
    if (event.kind === 'became_leader') this.checker.led(broker, key, event.epoch)
    if (event.kind === 'cutting') this.checker.cut(broker, key)
    if (event.kind === 'committed_missing') this.checker.violated(broker.node, `${key}: the leader lacks what is committed`)
  }

  stepped(broker: SimulatedBroker, key: string): void {
    this.checker.stepped(broker, key)
  }

  broke(broker: SimulatedBroker, error: unknown): void {
    this.checker.violated(broker.node, `broke: ${error instanceof Error ? error.stack : String(error)}`)
  }

  elected(key: string, assignment: Assignment): void {
    this.#note(`${key} is to be led by ${assignment.leader} in ${assignment.leaderEpoch}, isr ${assignment.isr.join(' ')}`)
    const log = this.broker(assignment.leader ?? '').logs.get(key)
    if (log !== undefined) this.checker.elected(key, assignment, log)
  }

  leaderOf(key: string): string {
    const { leader } = this.controller.partition(key)
    const any = this.brokers[this.random.below(this.brokers.length)] as SimulatedBroker
    return leader === undefined || this.random.float() < 0.1 ? any.node : leader
  }

  acked(client: string, key: string, identity: string, firstOffset: number): void {
    this.checker.acked(client, key, identity, firstOffset)
  }

  refused(reason: string): void {
    this.count(`refused: ${reason}`)
  }

  #note(what: string): void {
    if (this.tracing) this.trace.push(`${this.now.toFixed(1)} ${what}`)
  }

  #deliver({ from, to, message }: Packet): void {
    if (to === 'controller') return this.controller.receive(from as NodeId, message)
    if (message.kind === 'consumed') return this.#consumed(message)
    const receiver = this.#byName.get(to)
    if (receiver instanceof SimulatedBroker) receiver.receive(from, message)
    else if (message.kind === 'produced') receiver?.produced(message)
  }

  #work(): void {
    this.later(4 + this.random.float() * 8, () => this.#work())
    for (const producer of this.producers) producer.work()
  }

  #consume(): void {
    this.later(20 + this.random.float() * 20, () => this.#consume())
    for (const key of this.controller.keys) {
      const from = this.checker.position(key) as Offset
      this.sendFrom('consumer', this.leaderOf(key), { kind: 'consume', requestId: this.newRequest(), key, from })
    }
  }

  #consumed({ key, from, outcome, batches }: Extract<Message, { kind: 'consumed' }>): void {
    const position = this.checker.position(key)
    if (outcome === 'out_of_range') {
      const start = this.leader(key)?.logs.get(key)?.logStart ?? 0
      if (from >= start && from <= this.checker.committedEnd(key)) return this.count('out of range, from one that was behind')
      this.checker.setPosition(key, Math.max(position, start))
      return
    }
    const next = this.checker.read(
      key,
      from,
      batches.map(bytes => ({ bytes, header: readBatchHeader(bytes) })),
    )
    if (from === position) this.checker.setPosition(key, next)
  }
}
