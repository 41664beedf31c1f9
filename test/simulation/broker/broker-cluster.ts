// Three coordinators and three brokers, whole, under virtual time, and a client that speaks Kafka's protocol to them.
import { type ClusterId, type Connection, type NodeId, nodeId, present } from '@atoll/base'
import { createClient } from '@atoll/client/core'
import type { PartitionRecord } from '@atoll/protocol'
import { decodeRecords, encodeBatch, splitBatches } from '@atoll/records'
import { type Node, parseConfig, plannedNodes } from '@atoll/service'
import { createSimHashes, createSimulation, type SimNode, type SimPorts, type Simulation } from '@atoll/sim-ports'
import { type Broker, startBroker } from '../../../packages/broker/src/broker.ts'
import type { Api } from '../../../packages/broker/src/kafka/api.ts'
import { type ApiName, apis, type KafkaRequest, type KafkaResponse } from '../../../packages/broker/src/kafka/apis.ts'
import { beginRequest, readResponseStart } from '../../../packages/broker/src/kafka/headers.ts'
import { WireWriter } from '../../../packages/broker/src/kafka/wire-writer.ts'
import { startCoordinator } from '../../../packages/coordinator/src/coordinator.ts'

const hashes = await createSimHashes()
const SECRET = new Uint8Array(32).fill(7)
const CLUSTER = 'test' as ClusterId
const CLIENT = nodeId('client')
/** Nothing in a test takes longer, in virtual milliseconds. */
const PATIENCE_MS = 120_000

/** Partial requests: what has a fallback may be left out when it is written. */
type Request<Name extends ApiName> = Partial<KafkaRequest<Name>>

/** A client's connection to one broker. */
export class KafkaPeer {
  readonly #connection: Connection
  readonly #writer = new WireWriter()
  readonly #waiting: { readonly api: Api; readonly version: number; readonly id: number; readonly settle: (answer: unknown) => void }[] = []
  #received = new Uint8Array(0)
  #requests = 0
  over = false

  private constructor(connection: Connection) {
    this.#connection = connection
    connection.open({ onData: bytes => this.#onData(bytes), onDrain: () => {}, onClose: () => this.#onClose() })
  }

  static async connect({ net }: SimPorts, port: number): Promise<KafkaPeer> {
    return new KafkaPeer(await net.connect({ host: '127.0.0.1', port }, { timeoutMs: 1_000 }))
  }

  /** Resolves with the answer, or with undefined when the connection ends without one. */
  ask<Name extends ApiName>(name: Name, version: number, body: Request<Name>): Promise<KafkaResponse<Name> | undefined> {
    const api = apis[name] as unknown as Api
    const id = ++this.#requests
    beginRequest(this.#writer, api, version, id, 'sim')
    api.request.write(this.#writer, version, body as never)
    return new Promise(settle => {
      if (this.over) return settle(undefined)
      this.#waiting.push({ api, version, id, settle: settle as (answer: unknown) => void })
      this.#connection.write(new Uint8Array(Buffer.concat(this.#writer.finish())))
    })
  }

  close(): void {
    this.#connection.end()
  }

  #onData(bytes: Uint8Array): void {
    this.#received = new Uint8Array(Buffer.concat([this.#received, bytes]))
    while (this.#received.length >= 4) {
      const end = 4 + new DataView(this.#received.buffer).getInt32(0)
      if (this.#received.length < end) return
      const { api, version, id, settle } = present(this.#waiting.shift(), 'an answer to a request')
      settle(api.response.read(readResponseStart(this.#received.slice(4, end), api, version, id), version))
      this.#received = this.#received.slice(end)
    }
  }

  #onClose(): void {
    this.over = true
    for (const { settle } of this.#waiting.splice(0)) settle(undefined)
  }
}

export class BrokerCluster {
  readonly simulation: Simulation
  readonly #config = parseConfig('{}', 'the simulation')
  readonly #plan = plannedNodes(this.#config)
  readonly #running = new Map<NodeId, Node>()
  #ports: SimPorts | undefined

  constructor(seed: number) {
    this.simulation = createSimulation({ seed, hashes, logLinesMax: 10_000 })
    for (const { name } of this.#plan) this.simulation.addNode(name)
    this.simulation.addNode(CLIENT).start(async ports => {
      this.#ports = ports
    })
  }

  /** All nodes run, and every broker may be elected. */
  static async ready(seed = 1): Promise<BrokerCluster> {
    const cluster = new BrokerCluster(seed)
    for (const { name } of cluster.#plan) cluster.start(name)
    await cluster.until(
      () => cluster.brokers.every(name => cluster.broker(name)?.service.metadata.liveBrokers().length === 3),
      'ready brokers',
    )
    await cluster.until(() => cluster.broker('broker-1')?.service.metadata.topic('__consumer_offsets') !== undefined, 'a topic for groups')
    return cluster
  }

  get brokers(): readonly NodeId[] {
    return this.#plan.filter(({ role }) => role === 'broker').map(({ name }) => name)
  }

  get coordinators(): readonly NodeId[] {
    return this.#plan.filter(({ role }) => role === 'coordinator').map(({ name }) => name)
  }

  machine(name: string): SimNode {
    return present(this.simulation.nodes.get(nodeId(name)), `the machine of ${name}`)
  }

  broker(name: string): Broker | undefined {
    return this.#running.get(nodeId(name)) as Broker | undefined
  }

  start(name: NodeId): void {
    const plan = present(
      this.#plan.find(node => node.name === name),
      'a planned node',
    )
    const { role, host, nativePort, fronts } = plan
    this.machine(name).start(async ports => {
      const options = {
        name,
        role,
        clusterId: CLUSTER,
        secret: SECRET,
        config: this.#config,
        native: { host, port: nativePort, strict: true },
        fronts: fronts.map(({ protocol, port }) => ({ protocol, host, port, wanted: port, strict: true })),
      }
      const begin = role === 'broker' ? startBroker : startCoordinator
      const node = await begin({ ...ports, links: undefined }, options)
      this.#running.set(name, node)
      ports.process.onStopRequest(why => void node.stop(why).then(() => ports.process.exit(0)))
      node.join(this.#plan.filter(other => other.name !== name).map(other => ({ host: other.host, port: other.nativePort })))
    })
  }

  /** `kill -9`. */
  crash(name: NodeId): void {
    this.#running.delete(name)
    this.machine(name).crash()
  }

  /** Nothing passes between `name` and those; clients reach all. None: everything passes. */
  cutOff(name: NodeId, ...others: readonly NodeId[]): void {
    const fault = { cut: true }
    this.simulation.setLinks(
      others.flatMap(other => [
        { from: name, to: other, fault },
        { from: other, to: name, fault },
      ]),
    )
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    await this.simulation.run({ until: holds, untilMs: this.simulation.nowMs + PATIENCE_MS })
    if (!holds()) throw new Error(`not within two minutes: ${what}`)
  }

  async pass(ms: number): Promise<void> {
    const endMs = this.simulation.nowMs + ms
    await this.simulation.run({ untilMs: endMs })
  }

  /** Runs until what `act` began, on the client's machine, has settled. */
  async doing<T>(act: (ports: SimPorts) => Promise<T>): Promise<T> {
    const outcome: { settled: boolean; value?: T; error?: unknown } = { settled: false }
    this.simulation.at(this.simulation.nowMs, () => {
      act(present(this.#ports, 'the client’s ports')).then(
        value => Object.assign(outcome, { settled: true, value }),
        (error: unknown) => Object.assign(outcome, { settled: true, error }),
      )
    })
    await this.until(() => outcome.settled, 'an outcome')
    if (outcome.error !== undefined) throw outcome.error as Error
    return outcome.value as T
  }

  /** Asks a broker on a connection of its own. Undefined when it ends the connection without an answer. */
  ask<Name extends ApiName>(broker: NodeId, name: Name, version: number, body: Request<Name>): Promise<KafkaResponse<Name> | undefined> {
    return this.doing(ports => this.#asked(ports, broker, name, version, body))
  }

  /** Asks after a while; nobody waits for the answer. */
  askLater<Name extends ApiName>(delayMs: number, broker: NodeId, name: Name, version: number, body: Request<Name>): void {
    const ports = present(this.#ports, 'the client’s ports')
    this.simulation.at(this.simulation.nowMs + delayMs, async () => void (await this.#asked(ports, broker, name, version, body)))
  }

  async createTopic(
    name: string,
    settings: { readonly partitions?: number; readonly replicas?: number; readonly configs?: Readonly<Record<string, string>> } = {},
  ) {
    const { partitions = 1, replicas = 3, configs = {} } = settings
    const rows = Object.entries(configs).map(([config, value]) => ({ name: config, value }))
    const topic = { name, numPartitions: partitions, replicationFactor: replicas, assignments: [], configs: rows }
    const answer = await this.ask('broker-1' as NodeId, 'createTopics', 7, { topics: [topic], timeoutMs: 5_000 })
    return present(answer?.topics[0], 'a row for the topic')
  }

  /** Partition 0 of a topic, as those who run know it. */
  record(topic: string): PartitionRecord | undefined {
    for (const name of this.brokers) {
      const metadata = this.broker(name)?.service.metadata
      const record = metadata?.partition(metadata.topic(topic)?.id ?? '', 0)
      if (record !== undefined) return record
    }
    return undefined
  }

  leaderOf(topic: string): NodeId | undefined {
    return this.record(topic)?.leader
  }

  /** Who leads once it is not `former` any more. */
  async otherLeader(topic: string, former: NodeId): Promise<NodeId> {
    await this.until(() => ![undefined, former].includes(this.leaderOf(topic)), 'another leader')
    return present(this.leaderOf(topic), 'a leader')
  }

  /** The partitions that a broker has copies of. */
  copies(broker: NodeId): readonly string[] {
    return [...(this.broker(broker)?.service.host.keys ?? [])]
  }

  /** One batch of these values, as a producer makes it. */
  batch(
    values: readonly string[],
    producer?: { readonly id: number; readonly epoch: number; readonly baseSequence: number },
    timestampMs = 1_000,
  ): Uint8Array {
    const records = values.map(value => ({ timestampMs, key: null, value: Buffer.from(value) }))
    return encodeBatch(records, { crc32c: hashes.crc32c, ...(producer && { producer }) })
  }

  /** Sends a batch to a broker; answers the partition's row. */
  async produce(broker: NodeId, topic: string, records: Uint8Array, acks = -1) {
    const answer = await this.ask(broker, 'produce', 9, produceOf(topic, records, acks))
    return answer?.topics[0]?.partitions[0]
  }

  /** The same until it is acknowledged, as clients do. */
  async produced(broker: NodeId, topic: string, records: Uint8Array) {
    for (let tries = 0; ; tries++) {
      const row = await this.produce(broker, topic, records)
      if (row?.errorCode === 0) return row
      if (tries > 50) throw new Error(`not acknowledged: error ${row?.errorCode}`)
      await this.pass(100)
    }
  }

  async fetch(broker: NodeId, topic: string, fetchOffset = 0, more: Partial<KafkaRequest<'fetch'>> = {}, partitionMaxBytes = 1_000_000) {
    const partitions = [{ partition: 0, currentLeaderEpoch: -1, fetchOffset, lastFetchedEpoch: -1, logStartOffset: -1, partitionMaxBytes }]
    const request = { maxWaitMs: 100, minBytes: 1, maxBytes: 1_000_000, topics: [{ topic, topicId: '', partitions }], ...more }
    const answer = await this.ask(broker, 'fetch', 11, request as never)
    return present(answer?.topics[0]?.partitions[0], 'a row for the partition')
  }

  /** All values a broker gives from the beginning on. */
  async valuesOf(broker: NodeId, topic: string): Promise<readonly string[]> {
    const values: string[] = []
    for (let offset = 0; ; ) {
      const { records, highWatermark, errorCode } = await this.fetch(broker, topic, offset)
      if (errorCode !== 0) throw new Error(`error ${errorCode}`)
      for (const record of recordsIn(records)) {
        if (record.offset < offset) continue
        values.push(Buffer.from(record.value ?? []).toString())
        offset = record.offset + 1
      }
      if (offset >= highWatermark) return values
    }
  }

  async #asked<Name extends ApiName>(ports: SimPorts, broker: NodeId, name: Name, version: number, body: Request<Name>) {
    const port = present(this.#plan.find(node => node.name === broker)?.fronts[0]?.port, 'its Kafka port')
    const peer = await KafkaPeer.connect(ports, port)
    const answer = await peer.ask(name, version, body)
    peer.close()
    return answer
  }

  /** Does something with a client of the coordinators. */
  withClient<T>(act: (client: ReturnType<typeof createClient>) => Promise<T>): Promise<T> {
    const seeds = this.#plan.filter(({ role }) => role === 'coordinator').map(({ host, nativePort }) => ({ host, port: nativePort }))
    return this.doing(async ports => {
      await using client = createClient(ports, { name: CLIENT, clusterId: CLUSTER, secret: SECRET, seeds })
      return await act(client)
    })
  }
}

export const produceOf = (topic: string, records: Uint8Array, acks = -1) => ({
  acks,
  timeoutMs: 2_000,
  topics: [{ name: topic, partitions: [{ index: 0, records }] }],
})

export function recordsIn(records: Uint8Array | readonly Uint8Array[] | null) {
  const pieces = records === null ? [] : records instanceof Uint8Array ? [records] : records
  const bytes = new Uint8Array(Buffer.concat(pieces))
  return splitBatches(bytes).flatMap(({ start }) => decodeRecords(bytes.subarray(start)))
}
