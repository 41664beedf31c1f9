// Three coordinators and three brokers of this checkout, as a supervisor would start them, and a native client that knows
// who leads what.
import { readFileSync } from 'node:fs'
import { type Incarnation, type NodeId, nodeId, silentLogger } from '@atoll/base'
import { type Client, createClient } from '@atoll/client/core'
import { createClock, createCompute, createNet, systemRandom } from '@atoll/node-ports'
import {
  FRAME_BYTES_MAX,
  HandlerTable,
  type LeaseId,
  logFetch,
  logListOffsets,
  logProduce,
  NativeEndpoint,
  nodeExited,
  PARTITION_PREFIX,
  type PartitionRecord,
  ProtocolError,
  partitionRecord,
  type Session,
  topicCreate,
} from '@atoll/protocol'
import { NodeGroup } from '../node-group.ts'

const REPLICAS = 3
const READY_TIMEOUT_MS = 20_000
const CALL_TIMEOUT_MS = 20_000
/** In how much of a consumer's answer many small batches come. */
const FETCH_BYTES = 4 * 1_048_576
const unnumbered = { session: 0 as LeaseId, sequence: 0, answeredBelow: 0 }

export type Flush = 'disk' | 'os'

export interface Topic {
  readonly id: string
  readonly leaders: NodeId[]
}

export class Brokers {
  readonly group = new NodeGroup(3, REPLICAS)
  readonly #codec = partitionRecord()
  readonly #sessions = new Map<string, Promise<Session>>()
  #client: Client | undefined
  #endpoint: NativeEndpoint | undefined
  #topics = 0

  async start(): Promise<void> {
    await Promise.all(this.group.names.map(name => this.group.start(name)))
    this.group.introduce()
    const clock = createClock()
    const random = systemRandom()
    const compute = await createCompute()
    const name = nodeId('bench')
    const { net } = createNet({ self: name, faults: false, clock, random })
    const { whereabouts } = this.group
    this.#client = createClient({ net, clock, random, compute }, { name, ...whereabouts })
    const identity = { cluster: whereabouts.clusterId, node: name, role: 'client', incarnation: () => 0 as Incarnation }
    this.#endpoint = new NativeEndpoint({ ...identity, secret: whereabouts.secret, frameBytesMax: FRAME_BYTES_MAX }, new HandlerTable(), {
      net,
      clock,
      compute,
      log: silentLogger,
    })
    await this.#untilReady()
  }

  /** Resolves when every partition has a leader that takes what is sent to it. */
  async createTopic(partitions: number, flush: Flush): Promise<Topic> {
    const { id } = await this.#theClient.request(topicCreate, {
      ...unnumbered,
      name: `bench-${++this.#topics}`,
      id: (await createCompute()).secureBytes(16),
      partitions,
      replicationFactor: REPLICAS,
      assignment: [],
      configs: [{ name: 'flush', value: flush }],
      internal: false,
      validateOnly: false,
    })
    const deadlineMs = performance.now() + READY_TIMEOUT_MS
    for (;;) {
      const records = await this.partitionsOf(id)
      const leaders = records.flatMap(({ leader, isr }) => (leader !== undefined && isr.length === REPLICAS ? [leader] : []))
      if (leaders.length === partitions && (await this.#allLead({ id, leaders }))) return { id, leaders }
      if (performance.now() > deadlineMs) throw new Error(`${partitions} partitions have ${leaders.length} leaders`)
    }
  }

  /** What the controller last committed of each partition, in their order. */
  async partitionsOf(topicId: string): Promise<readonly PartitionRecord[]> {
    const { entries } = await this.#theClient.kv.range({ prefix: `${PARTITION_PREFIX}${topicId}/` })
    return entries.map(({ bytes }) => this.#codec.read(bytes))
  }

  /** Resolves when the batch is acknowledged by every in-sync replica. */
  async produce({ id: topicId, leaders }: Topic, partition: number, attachment: Uint8Array): Promise<void> {
    const session = await this.#session(leaders[partition] as NodeId)
    await session.request(logProduce, { topicId, partition, acks: 'all', attachment }, { timeoutMs: CALL_TIMEOUT_MS })
  }

  /** Whole batches from an offset on, waiting for one. */
  async fetch({ id: topicId, leaders }: Topic, partition: number, offset: number): Promise<Uint8Array> {
    const session = await this.#session(leaders[partition] as NodeId)
    const wanted = { topicId, partition, leaderEpoch: undefined, offset, bytesMax: FETCH_BYTES }
    const request = { partitions: [wanted], bytesMin: 1, bytesMax: FETCH_BYTES, maxWaitMs: 5_000 }
    const { attachment } = await session.request(logFetch, request, { timeoutMs: CALL_TIMEOUT_MS })
    return attachment
  }

  /** Kills who leads a partition, and answers how long nothing was acknowledged, from the kill on. */
  async killLeader(topic: Topic, partition: number, batch: () => Uint8Array, told: boolean): Promise<{ ms: number; killed: NodeId }> {
    const killed = topic.leaders[partition] as NodeId
    const [registration] = (await this.#theClient.members()).filter(({ name }) => name === killed)
    const killedMs = performance.now()
    const gone = this.group.kill(killed)
    this.#sessions.delete(killed)
    // What a supervisor does whose child it was.
    if (told && registration !== undefined)
      void this.#theClient.request(nodeExited, { node: killed, epoch: registration.epoch }).catch(() => {
        // Then its lease has to end, as if nobody had said so; that shows in the figure.
      })
    for (;;) {
      const [record] = (await this.partitionsOf(topic.id)).slice(partition)
      if (record?.leader !== undefined && record.leader !== killed) {
        topic.leaders[partition] = record.leader
        try {
          await this.produce(topic, partition, batch())
          break
        } catch {
          // Not yet: it is tried until it works.
        }
      }
    }
    const ms = performance.now() - killedMs
    await gone
    return { ms, killed }
  }

  /** Starts who was killed, and waits until every partition has all its copies in sync again. */
  async mend(killed: NodeId, topic: Topic): Promise<void> {
    await this.group.start(killed)
    const deadlineMs = performance.now() + READY_TIMEOUT_MS
    for (;;) {
      const records = await this.partitionsOf(topic.id)
      if (records.every(({ isr }) => isr.length === REPLICAS)) return
      if (performance.now() > deadlineMs) throw new Error(`${killed} did not catch up`)
    }
  }

  /** Of each broker, in milliseconds so far and in MiB. */
  costs(): readonly { readonly cpuMs: number; readonly residentMiB: number }[] {
    return this.group.names
      .filter(name => name.startsWith('broker-'))
      .map(name => {
        const pid = this.group.pidOf(name)
        const [user = 0, system = 0] = readFileSync(`/proc/${pid}/stat`, 'utf8')
          .replace(/^.*\) /, '')
          .split(' ')
          .slice(11, 13)
          .map(Number)
        const resident = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
        return { cpuMs: (user + system) * 10, residentMiB: resident / 1_024 }
      })
  }

  async close(): Promise<void> {
    await this.#theClient.close()
    for (const session of this.#sessions.values()) (await session).end()
    this.group.close()
  }

  /** Who was elected has heard of it, and knows what is committed. */
  async #allLead({ id: topicId, leaders }: Topic): Promise<boolean> {
    const what = { topicId, leaderEpoch: undefined, which: 'latest', timestampMs: 0 } as const
    const ends = leaders.map(async (leader, partition) =>
      (await this.#session(leader)).request(logListOffsets, { ...what, partition }, { timeoutMs: CALL_TIMEOUT_MS }),
    )
    const outcomes = await Promise.allSettled(ends)
    for (const outcome of outcomes) if (outcome.status === 'rejected' && !(outcome.reason instanceof ProtocolError)) throw outcome.reason
    return outcomes.every(({ status }) => status === 'fulfilled')
  }

  #session(node: NodeId): Promise<Session> {
    const known = this.#sessions.get(node)
    if (known !== undefined) return known
    const calling = this.#theEndpoint.call(this.group.addressOf(node), node, { timeoutMs: CALL_TIMEOUT_MS })
    this.#sessions.set(node, calling)
    calling.then(
      session => session.closed.then(() => this.#sessions.delete(node)),
      () => this.#sessions.delete(node),
    )
    return calling
  }

  async #untilReady(): Promise<void> {
    const deadlineMs = performance.now() + READY_TIMEOUT_MS
    for (const name of this.group.names.filter(one => one.startsWith('broker-')))
      while (!this.group.events(name).some(({ event }) => event === 'ready')) {
        if (performance.now() > deadlineMs) throw new Error(`${name} is not ready`)
        await new Promise(resolve => setTimeout(resolve, 20))
      }
  }

  get #theClient(): Client {
    if (this.#client === undefined) throw new Error('not started')
    return this.#client
  }

  get #theEndpoint(): NativeEndpoint {
    if (this.#endpoint === undefined) throw new Error('not started')
    return this.#endpoint
  }
}
