// One simulated broker: its disk outlives its lives, everything else ends with each. It does for its ReplicaManager what a
// real broker does, and takes its time: syncs, cuts, cold reads and messages are all events of their own.
import type { NodeId, Random } from '@atoll/base'
import type {
  Answer,
  Assignment,
  ColdRead,
  Cut,
  DurableReport,
  FetchRequest,
  FetchResponse,
  IsrProposal,
  MemoryLog,
  Registrations,
  Replica,
  ReplicaDriver,
  ReplicaEvent,
  ReplicaManager,
  ReplicaSettings,
} from '@atoll/broker'
import { type LeaderEpoch, type Offset, readBatchHeader } from '@atoll/records'
import type { PartitionModule } from './cluster.ts'
import type { Image, Message } from './messages.ts'

export interface BrokerWorld {
  readonly now: number
  readonly random: Random
  readonly module: PartitionModule
  readonly settings: ReplicaSettings
  readonly minInSyncReplicas: number
  readonly trustsPageCache: boolean
  /** Of the next life of any broker. */
  newLife(): number
  send(from: string, to: string, message: Message): void
  later(delayMs: number, task: () => void): void
  event(broker: SimulatedBroker, key: string, event: ReplicaEvent): void
  /** After every step of a replica. */
  stepped(broker: SimulatedBroker, key: string): void
  broke(broker: SimulatedBroker, error: unknown): void
}

export class SimulatedBroker {
  readonly node: NodeId
  logs = new Map<string, MemoryLog>()
  manager: ReplicaManager<string> | undefined
  isPaused = false
  /** Its disk takes this long for a sync. */
  syncMsMax = 3
  /** Its disk finishes nothing. */
  isStuck = false
  /** It lost its disk since it registered last. */
  isWiped = false
  wipedAtMs = Number.NEGATIVE_INFINITY
  life = 0
  brokerEpoch = -1
  readonly #world: BrokerWorld
  readonly #keys: readonly string[]
  #image: Image | undefined
  #inbox: (() => void)[] = []
  #unsynced = new Set<string>()
  #syncing = false
  #clients = new Map<number, string>()
  #wakeAt = Number.POSITIVE_INFINITY
  /** Which life of a follower its session belongs to: an answer reaches no later one, as its connection would not. */
  readonly #followerLives = new Map<string, number>()

  constructor(node: NodeId, keys: readonly string[], world: BrokerWorld) {
    this.node = node
    this.#keys = keys
    this.#world = world
    this.#newDisk()
  }

  get isUp(): boolean {
    return this.manager !== undefined
  }

  replica(key: string): Replica | undefined {
    return this.manager?.replica(key)
  }

  start(): void {
    const { module, settings, minInSyncReplicas } = this.#world
    this.life = this.#world.newLife()
    this.brokerEpoch = -1
    this.#image = undefined
    this.#unsynced = new Set()
    this.#syncing = false
    this.#wakeAt = Number.POSITIVE_INFINITY
    this.#inbox = []
    const fetcher = { ...module.defaultFetcherSettings, fetchWaitMs: 100, fetchBackoffMs: 20, fetchBytesMax: 2_000 }
    const manager = new module.ReplicaManager<string>(this.#driver(), fetcher)
    const registrations: Registrations = {
      brokerEpoch: node => this.#image?.brokers.get(node)?.brokerEpoch,
      mayJoin: node => this.#image?.brokers.get(node)?.fenced === false,
    }
    for (const [key, log] of this.logs) {
      const producers = this.#producersOf(log)
      manager.add(key, new module.Replica({ self: this.node, log, registrations, settings, producers, minInSyncReplicas }))
    }
    this.manager = manager
    this.#register(this.life)
    this.#beat(this.life)
  }

  /** The process is gone, and with `keeps` below 1 the power as well: that share of what was not synced is left. */
  crash(keeps: number): void {
    this.manager = undefined
    this.isPaused = false
    this.#inbox = []
    this.life = this.#world.newLife()
    for (const log of this.logs.values()) log.crash(keeps)
  }

  wipe(): void {
    this.crash(0)
    this.#newDisk()
    this.isWiped = true
    this.wipedAtMs = this.#world.now
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    const missed = this.#inbox
    this.#inbox = []
    for (const task of missed) this.#running(task)
  }

  stick(): void {
    this.isStuck = true
  }

  unstick(): void {
    this.isStuck = false
    this.#sync()
  }

  receive(from: string, message: Message): void {
    this.#running(() => this.#hear(from, message))
  }

  step(key: string, input: Parameters<Replica['step']>[0]): void {
    this.#running(() => this.#step(key, input))
  }

  /** Runs `task` in this life only: now, or once the broker is no longer paused. */
  #running(task: () => void): void {
    if (this.manager === undefined) return
    if (this.isPaused) {
      this.#inbox.push(task)
      return
    }
    try {
      task()
      this.#flush()
      for (const key of this.#keys) this.#world.stepped(this, key)
    } catch (error) {
      this.#world.broke(this, error)
    }
  }

  #later(delayMs: number, task: () => void): void {
    const { life } = this
    this.#world.later(delayMs, () => {
      if (this.life === life) this.#running(task)
    })
  }

  #hear(from: string, message: Message): void {
    const { now } = this.#world
    const manager = this.manager as ReplicaManager<string>
    switch (message.kind) {
      case 'registered':
        if (message.life === this.life) {
          this.brokerEpoch = message.brokerEpoch
          this.isWiped = false
        }
        return
      case 'image':
        return this.#learn(message.image)
      case 'proposal_answer':
        if (message.life === this.life) this.#step(message.key, { kind: 'proposal_answered', answer: message.answer })
        return
      case 'fetch':
        this.#followerLives.set(from, message.life)
        return manager.receiveFetch(from as NodeId, message.brokerEpoch, message.request, now)
      case 'fetched':
        if (message.life === this.life) manager.fetchAnswered(from as NodeId, message.response, now)
        return
      case 'durable':
        return manager.receiveReports(from as NodeId, message.brokerEpoch, message.reports, now)
      case 'produce': {
        const batch = message.batch.slice()
        const { requestId, acks, timeoutMs } = message
        this.#clients.set(requestId, from)
        return this.#step(message.key, {
          kind: 'produce',
          requestId,
          batch,
          header: readBatchHeader(batch),
          acks,
          deadlineMs: now + timeoutMs,
        })
      }
      case 'consume': {
        const { requestId, key, from: offset } = message
        const read = this.replica(key)?.readForConsumer(undefined, offset, 4_000)
        const outcome =
          read?.kind === 'batches' ? 'batches' : read?.kind === 'refused' && read.reason === 'out_of_range' ? read.reason : 'refused'
        const batches = read?.kind === 'batches' ? read.batches : []
        this.#world.send(this.node, from, { kind: 'consumed', requestId, key, from: offset, outcome, batches })
        return
      }
      default:
        return
    }
  }

  #learn(image: Image): void {
    if (image.version <= (this.#image?.version ?? -1) || this.brokerEpoch === -1) return
    // An image from before its own registration may say that it leads what it only led before.
    if ((image.brokers.get(this.node)?.brokerEpoch ?? -1) < this.brokerEpoch) return
    this.#image = image
    for (const [key, assignment] of image.partitions) this.#assign(key, assignment)
    for (const key of this.#keys) this.#step(key, { kind: 'brokers_changed' })
  }

  #assign(key: string, assignment: Assignment): void {
    this.#step(key, { kind: 'assign', assignment })
  }

  #step(key: string, input: Parameters<Replica['step']>[0]): void {
    this.manager?.step(key, input, this.#world.now)
    this.#world.stepped(this, key)
  }

  #driver(): ReplicaDriver<string> {
    const world = this.#world
    const send = (to: string, message: Message): void => world.send(this.node, to, message)
    return {
      fetch: (leader: NodeId, request: FetchRequest<string>) => {
        send(leader, { kind: 'fetch', life: this.life, brokerEpoch: this.brokerEpoch, request })
        this.#later(400, () => this.manager?.fetchFailed(leader, request, world.now))
      },
      respond: (follower: NodeId, response: FetchResponse<string>) => {
        const life = this.#followerLives.get(follower) ?? -1
        send(follower, { kind: 'fetched', life, response: { ...response, partitions: response.partitions.map(carried) } })
      },
      report: (leader: NodeId, reports: readonly DurableReport<string>[]) =>
        send(leader, { kind: 'durable', brokerEpoch: this.brokerEpoch, reports }),
      propose: (key: string, proposal: IsrProposal) =>
        send('controller', { kind: 'propose', key, brokerEpoch: this.brokerEpoch, proposal }),
      resign: (key: string, leaderEpoch: LeaderEpoch) => send('controller', { kind: 'resign', key, leaderEpoch }),
      cut: (key: string, cut: Cut) => this.#cut(key, cut),
      trim: (key: string, to: Offset) => this.#later(world.random.float() * 5, () => this.#trim(key, to)),
      read: (follower: NodeId, session: number, cold: ColdRead<string>) =>
        this.#later(world.random.float() * 5, () => {
          const batches = this.#log(cold.key).readCold(cold.from, cold.end, cold.bytesMax)
          this.manager?.loaded(follower, session, cold, batches)
        }),
      answer: (key: string, answer: Answer) => this.#answer(key, answer),
      fetchesReady: () => undefined,
      unsynced: (key: string) => {
        this.#unsynced.add(key)
        this.#sync()
      },
      event: (key: string, event: ReplicaEvent) => world.event(this, key, event),
    }
  }

  #answer(key: string, answer: Answer): void {
    if (answer.kind === 'deleted' || answer.kind === 'delete_refused') return
    const { requestId } = answer
    const client = this.#clients.get(requestId)
    this.#clients.delete(requestId)
    if (client === undefined) return
    const outcome = answer.kind === 'produced' ? 'ok' : answer.reason
    const firstOffset = answer.kind === 'produced' ? answer.firstOffset : -1
    this.#world.send(this.node, client, { kind: 'produced', requestId, key, outcome, firstOffset })
  }

  #cut(key: string, cut: Cut): void {
    const log = this.#log(key)
    this.#later(this.#world.random.float() * 20, () => {
      if (cut.kind === 'truncate') log.truncate(cut.to)
      else log.restartAt(cut.at)
      this.#later(this.#world.random.float() * 5, () => this.#step(key, { kind: 'cut_done', producers: this.#producersOf(log) }))
    })
  }

  #trim(key: string, to: Offset): void {
    this.#log(key).deleteBefore(to)
  }

  /** Derived from the log alone, as after a start. */
  #producersOf(log: MemoryLog) {
    const producers = new this.#world.module.ProducerStates()
    for (const { header } of log.batches) producers.appended(header, header.baseOffset, this.#world.now)
    return producers
  }

  /** One sync at a time covers all logs that have something. */
  #sync(): void {
    if (this.#syncing || this.isStuck || this.#unsynced.size === 0 || this.manager === undefined) return
    this.#syncing = true
    const keys = [...this.#unsynced]
    this.#unsynced.clear()
    const ends = keys.map(key => this.#log(key).sync())
    const { life } = this
    const finish = (): void => {
      if (this.life !== life) return
      if (this.isStuck) return this.#world.later(10, finish)
      for (const end of ends) end()
      this.#running(() => {
        this.#syncing = false
        this.manager?.synced(keys, this.#world.now)
        this.#sync()
      })
    }
    this.#world.later(0.3 + this.#world.random.float() * this.syncMsMax, finish)
  }

  #register(life: number): void {
    if (this.life !== life || !this.isUp || this.brokerEpoch !== -1) return
    this.#world.send(this.node, 'controller', { kind: 'register', life, clean: !this.isWiped })
    this.#world.later(40, () => this.#register(life))
  }

  #beat(life: number): void {
    if (this.life !== life || !this.isUp) return
    const version = this.#image?.version ?? -1
    if (!this.isPaused && this.brokerEpoch !== -1)
      this.#world.send(this.node, 'controller', { kind: 'heartbeat', brokerEpoch: this.brokerEpoch, version })
    this.#world.later(50, () => this.#beat(life))
  }

  #flush(): void {
    const { manager } = this
    if (manager === undefined || this.isPaused) return
    manager.flush(this.#world.now)
    const { nextAt } = manager
    if (nextAt >= this.#wakeAt || nextAt === Number.POSITIVE_INFINITY) return
    this.#wakeAt = nextAt
    const { life } = this
    this.#world.later(Math.max(0.05, nextAt - this.#world.now), () => {
      if (this.life !== life || this.#wakeAt !== nextAt) return
      this.#wakeAt = Number.POSITIVE_INFINITY
      this.#running(() => undefined)
    })
  }

  #log(key: string): MemoryLog {
    return this.logs.get(key) as MemoryLog
  }

  #newDisk(): void {
    const { module, trustsPageCache } = this.#world
    this.logs = new Map(this.#keys.map(key => [key, new module.MemoryLog({ trustsPageCache, tailBatchesMax: 30 })]))
  }
}

/** Records of one partition travel in one piece. */
function carried({ key, answer }: FetchResponse<string>['partitions'][number]) {
  if (answer.kind !== 'records') return { key, result: answer }
  const { batches, highWatermark, logStart } = answer
  return { key, result: { kind: 'records' as const, records: joined(batches), highWatermark, logStart } }
}

function joined(batches: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(batches.reduce((sum, { length }) => sum + length, 0))
  let place = 0
  for (const batch of batches) {
    bytes.set(batch, place)
    place += batch.length
  }
  return bytes
}
