// The broker's parts, put together: a composition root. What its disk holds, what the coordinators say of it, and the two
// ways in which it is asked.
import { type Endpoint, type Timer } from '@atoll/base'
import { AtollError, Client } from '@atoll/client/core'
import { type LogStore, openLogStore } from '@atoll/commit-log'
import type { Revision } from '@atoll/protocol'
import { listenNative, type Node, type NodeOptions, type NodePorts } from '@atoll/service'
import { ControllerCalls } from './adapters/controller-calls.ts'
import type { PartitionKey } from './adapters/fetch-wire.ts'
import { OffsetsLog } from './adapters/group-log.ts'
import { PeerLinks } from './adapters/peer-links.ts'
import { ProducerIds } from './adapters/producer-ids.ts'
import { refusal } from './groups/group-messages.ts'
import { type AskGroups, defaultCoordinatorSettings, GroupService } from './groups/index.ts'
import type { BrokerParts } from './handlers/broker-parts.ts'
import { OFFSETS_TOPIC } from './handlers/coordinators.ts'
import { kafkaHandlers } from './handlers/kafka.ts'
import type { LogParts } from './handlers/log.ts'
import { Hosting } from './hosting.ts'
import { KafkaListener } from './kafka/listener.ts'
import { HANDOVER_LOOK_MS, HANDOVER_MS, KAFKA_GRACE_MS, RETENTION_LOOK_MS } from './limits.ts'
import { LogAccess } from './log-access.ts'
import { ClusterMetadata } from './metadata/cluster-metadata.ts'
import { MetadataFollower } from './metadata/metadata-follower.ts'
import { rulesOf } from './metadata/topic-settings.ts'
import { defaultFetcherSettings, defaultSettings } from './partition/index.ts'
import { PartitionHost } from './partition-host.ts'

/** What lies where on a broker's disk. */
const LOG_DIRECTORY = 'log'
const SNAPSHOT_DIRECTORY = 'producers'

export class BrokerService implements LogParts {
  readonly metadata = new ClusterMetadata()
  readonly host: PartitionHost
  readonly access: LogAccess
  readonly #ports: NodePorts
  readonly #options: NodeOptions
  readonly #node: Node
  readonly #store: LogStore
  readonly #client: Client
  readonly #controller: ControllerCalls
  readonly #links: PeerLinks
  readonly #follower: MetadataFollower
  readonly #hosting: Hosting
  readonly #groups: GroupService
  readonly #producerIds: ProducerIds
  /** Partitions whose replica took another role in this turn. */
  readonly #roles = new Set<PartitionKey>()
  #listener: KafkaListener | undefined
  #retention: Timer | undefined
  #stopped = false

  /** Opens what is on the disk. Rejects with a CommitLogError when it cannot be used. */
  static async open(ports: NodePorts, options: NodeOptions, node: Node): Promise<BrokerService> {
    const { disk, clock, compute } = ports
    return new BrokerService(ports, options, node, await openLogStore({ disk, clock, compute, directory: LOG_DIRECTORY }))
  }

  private constructor(ports: NodePorts, options: NodeOptions, node: Node, store: LogStore) {
    const { clock, disk, compute } = ports
    const { log, identity } = node.context
    const { metadata } = this
    const { name: self } = options
    const epoch = (): Revision | undefined => node.registration.epoch
    this.#ports = ports
    this.#options = options
    this.#node = node
    this.#store = store
    this.#client = new Client({ ...ports, log }, { name: self, session: 'none' }, async () => ({
      clusterId: identity.cluster,
      secret: identity.secret,
      seeds: node.registration.coordinators(),
      compute,
    }))
    const client = this.#client
    const controller = new ControllerCalls({ self, clock, log, client, epoch })
    const links = new PeerLinks({ endpoint: node.endpoint, addressOf: peer => metadata.endpointOf(peer, 'native') })
    const host = new PartitionHost({
      self,
      disk,
      clock,
      compute,
      log,
      store,
      snapshotDirectory: SNAPSHOT_DIRECTORY,
      registrations: metadata,
      links,
      controller,
      settings: defaultSettings,
      fetcher: defaultFetcherSettings,
      roleChanged: key => this.#roleChanged(key),
      logFailed: key => this.#hosting.logFailed(key),
    })
    this.#controller = controller
    this.#links = links
    this.host = host
    this.access = new LogAccess({
      host,
      clock,
      compute,
      mayServe: () => node.registration.epoch !== undefined,
      leadsSoon: key => this.#hosting.leadsSoon(key),
    })
    this.#follower = new MetadataFollower({ clock, log, client, metadata })
    this.#hosting = new Hosting({
      self,
      clock,
      disk,
      log,
      metadata,
      host,
      store,
      snapshotDirectory: SNAPSHOT_DIRECTORY,
      controller,
      epoch,
      storeFailed: error => this.#storeFailed(error),
    })
    this.#producerIds = new ProducerIds(controller, epoch)
    this.#groups = new GroupService({
      clock,
      logger: log,
      log: new OffsetsLog({ clock, compute, metadata, host }),
      settings: defaultCoordinatorSettings,
      drawId: () => hex(compute.secureBytes(16)),
      partitions: () => metadata.topic(OFFSETS_TOPIC)?.partitions,
    })
    metadata.listen(this.#hosting)
    metadata.listen({ topicDeleted: ({ name }) => this.#groups.topicsDeleted([name]) })
    node.registration.onRegistered(() => this.#hosting.registered())
  }

  /** Listens for Kafka's clients, and begins to follow what the coordinators say. Rejects when it cannot bind. */
  async begin(): Promise<readonly { readonly protocol: string; readonly host: string; readonly port: number; readonly wanted: number }[]> {
    const { net, clock, random } = this.#ports
    const { log } = this.#node.context
    const handlers = kafkaHandlers(this.#parts(), this.askGroups)
    const front = this.#options.fronts?.find(({ protocol }) => protocol === 'kafka')
    if (front === undefined) return this.#follow([])
    const listen = (at: Endpoint) => KafkaListener.listen(at, { net, clock, logger: log, handlers })
    this.#listener = await listenNative(listen, front, random)
    const { endpoint } = this.#listener
    const port = 'port' in endpoint ? endpoint.port : front.port
    log.info({ event: 'kafka_listening', port, wantedPort: front.wanted }, 'listening for Kafka’s clients')
    return this.#follow([{ protocol: 'kafka', host: front.host, port, wanted: front.wanted }])
  }

  /** Asks the groups that are coordinated here. */
  readonly askGroups: AskGroups = (request, signal) =>
    this.#node.registration.epoch === undefined ? Promise.resolve(refusal(request, 'not_coordinator')) : this.#groups.ask(request, signal)

  /** The next producer id that nobody else was given. Rejects with an AtollError. */
  drawProducerId(): Promise<number> {
    return this.#producerIds.draw()
  }

  /** Hands over what it leads, answers what was asked, and lets go of everything. */
  async stop(): Promise<void> {
    await this.#handOver()
    this.#stopped = true
    this.#retention?.cancel()
    await this.#listener?.close(KAFKA_GRACE_MS)
    this.#groups.stop()
    this.#hosting.stop()
    this.#controller.stop()
    this.#follower.stop()
    this.#links.close()
    await this.host.closeAll()
    await this.#store.close()
    await this.#client.close()
  }

  #parts(): BrokerParts {
    return {
      self: this.#options.name,
      clusterId: this.#options.clusterId,
      compute: this.#ports.compute,
      metadata: this.metadata,
      access: this.access,
      client: this.#client,
      known: (revision, timeoutMs) => this.#follower.reached(revision, timeoutMs),
      drawProducerId: () => this.drawProducerId(),
    }
  }

  #follow<T>(endpoints: T): T {
    void this.#follower.run()
    this.#retainLater()
    const { metrics } = this.#node.context
    metrics.gauge('atoll_partitions_count', 'Copies of partitions on this broker.', () => [...this.host.keys].length)
    metrics.gauge('atoll_partitions_led_count', 'Partitions that this broker leads.', () => this.#ledCount())
    metrics.gauge('atoll_kafka_connections_count', 'Connections of Kafka’s clients.', () => this.#listener?.connectionCount ?? 0)
    return endpoints
  }

  #ledCount(): number {
    let count = 0
    for (const key of this.host.keys) if (this.host.replica(key)?.isLeader === true) count++
    return count
  }

  /** What this broker leads moves to others, as long as there are any and they are quick. */
  async #handOver(): Promise<void> {
    const { clock } = this.#ports
    const { log } = this.#node.context
    const epoch = this.#node.registration.epoch
    if (epoch === undefined) return
    const deadlineMs = clock.monotonicMs() + HANDOVER_MS
    try {
      await this.#controller.leave(epoch)
    } catch (error) {
      if (!(error instanceof AtollError)) throw error
      log.warn({ event: 'leave_not_heard', code: error.code }, 'the controller did not hear that this broker stops')
      return
    }
    while (this.#canHandOver() && clock.monotonicMs() < deadlineMs) await new Promise<void>(done => clock.after(HANDOVER_LOOK_MS, done))
  }

  /** True while it leads a partition that somebody else could. */
  #canHandOver(): boolean {
    for (const key of this.host.keys) {
      const status = this.host.replica(key)?.status
      if (status?.role === 'leader' && status.isr.some(node => node !== this.#options.name && this.metadata.mayJoin(node))) return true
    }
    return false
  }

  /** As with any other disk that fails: whoever is in charge decides whether it is tried again. */
  #storeFailed(error: Error): void {
    this.#node.context.log.error({ event: 'disk_failed', err: error }, 'the disk failed: this process ends')
    this.#ports.process.exit(1)
  }

  #roleChanged(key: PartitionKey): void {
    if (this.#roles.size === 0)
      this.#ports.clock.endOfTurn(() => {
        const keys = [...this.#roles]
        this.#roles.clear()
        if (!this.#stopped) for (const changed of keys) this.#coordinate(changed)
      })
    this.#roles.add(key)
  }

  /** Whoever leads a partition of the groups' topic coordinates those groups. */
  #coordinate(key: PartitionKey): void {
    const slash = key.lastIndexOf('/')
    if (this.metadata.topic(OFFSETS_TOPIC)?.id !== key.slice(0, slash)) return
    const partition = Number(key.slice(slash + 1))
    if (this.host.replica(key)?.isLeader === true) this.#groups.lead(partition)
    else this.#groups.resign(partition)
  }

  #retainLater(): void {
    this.#retention = this.#ports.clock.after(
      RETENTION_LOOK_MS,
      () => void this.#retain().finally(() => !this.#stopped && this.#retainLater()),
    )
  }

  /** Drops what is too old or too much, of what this broker leads; followers follow. */
  async #retain(): Promise<void> {
    for (const key of this.host.keys) {
      const replica = this.host.replica(key)
      const topic = this.metadata.topicById(key.slice(0, key.lastIndexOf('/')))
      if (this.#stopped || topic === undefined || replica?.isLeader !== true) continue
      const { retentionMs, retentionBytes } = rulesOf(topic)
      if (retentionMs === undefined && retentionBytes === undefined) continue
      const limits = {
        ...(retentionBytes !== undefined && { bytesMax: retentionBytes }),
        ...(retentionMs !== undefined && { oldestMs: this.#ports.clock.wallMs() - retentionMs }),
      }
      try {
        const from = await this.host.log(key)?.retainedFrom(limits, replica.highWatermark)
        if (from !== undefined) this.host.retain(key, from)
      } catch (error) {
        if (!(error instanceof Error) || error.name !== 'CommitLogError') throw error
        this.#node.context.log.warn({ event: 'not_retained', partition: key, err: error }, 'old records could not be looked for')
      }
    }
  }
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
