// Producers and consumers of the log in the simulator, on machines of their own: they speak the native protocol over the
// network, and all that they ask and are told goes into one history. Producers are idempotent and do not give up: what may
// be in the log is sent again as it was until somebody says where it is.
import { type MonotonicMs, type NodeId, nodeId, present, type SeededRandom, sleep } from '@atoll/base'
import { type RecordedClient, Recorder } from '@atoll/history'
import { logFetch, logProduce, logProducerId, ProtocolError, topicCreate } from '@atoll/protocol'
import { decodeRecords, encodeBatch, splitBatches } from '@atoll/records'
import type { SimPorts } from '@atoll/sim-ports'
import type { SimCluster } from '../sim-cluster.ts'
import { ClientCalls } from './client-calls.ts'
import type { LogInvariants } from './log-invariants.ts'

const PRODUCERS = 3
const CONSUMERS = 2
const RECORDS_MAX = 4
/** What a broker is asked has to be answered within this, in virtual milliseconds. */
const ASK_MS = 1_500
const PAUSE_MS_MAX = 60
const RETRY_MS_MAX = 150
const FETCH_BYTES = 65_536
const FETCH_WAIT_MS = 300
const TOPIC = 't'
/** What no leader may ever say to a producer that sends one batch after the other. */
const IMPOSSIBLE = ['out_of_order_sequence', 'invalid_producer_epoch', 'invalid_batch']

const never = { session: 0, sequence: 0, answeredBelow: 0 } as never as { session: never; sequence: number; answeredBelow: number }

interface Partition {
  readonly topicId: string
  readonly number: number
  readonly key: string
}

export class LogClients {
  readonly recorder: Recorder
  readonly violations: string[] = []
  /** Answers by how they ended. */
  readonly outcomes = new Map<string, number>()
  acknowledged = 0
  consumed = 0
  readonly #cluster: SimCluster
  readonly #invariants: LogInvariants
  readonly #random: SeededRandom
  #partitions: readonly Partition[] = []
  #stopped = false
  #working = 0

  constructor(cluster: SimCluster, invariants: LogInvariants, random: SeededRandom) {
    this.#cluster = cluster
    this.#invariants = invariants
    this.#random = random
    this.recorder = new Recorder({ now: () => cluster.simulation.nowMs as MonotonicMs })
  }

  /** A topic of so many partitions, and then everybody at work. */
  start(partitions: number): void {
    this.#machine('operator', async (ports, calls) => {
      await this.#createTopic(ports, calls, partitions)
      for (let n = 1; n <= PRODUCERS; n++) this.#worker(`producer-${n}`, (own, to, random) => this.#produce(`p${n}`, own, to, random))
      for (let n = 1; n <= CONSUMERS; n++) this.#worker(`consumer-${n}`, (own, to, random) => this.#consume(own, to, random))
    })
  }

  get hasTopic(): boolean {
    return this.#partitions.length > 0
  }

  get partitions(): readonly Partition[] {
    return this.#partitions
  }

  /** Nobody begins anything any more; what was begun is brought to its end. */
  stop(): void {
    this.#stopped = true
  }

  get isIdle(): boolean {
    return this.#working === 0
  }

  /** Somebody who was never there before reads everything. */
  readAll(): void {
    this.#stopped = false
    this.#worker('reader', async (ports, calls, random) => {
      const client = this.recorder.client()
      for (const partition of this.#partitions) {
        const end = this.#invariants.log(partition.key).end
        for (let next = 0; next < end; ) next = await this.#poll(client, ports, calls, random, partition, next, next === 0)
      }
    })
  }

  #machine(name: string, act: (ports: SimPorts, calls: ClientCalls) => Promise<void>): void {
    this.#cluster.simulation.addNode(nodeId(name)).start(ports => act(ports, new ClientCalls(this.#cluster, nodeId(name), ports)))
  }

  #worker(name: string, work: (ports: SimPorts, calls: ClientCalls, random: SeededRandom) => Promise<void>): void {
    const random = this.#random.fork()
    this.#working++
    this.#machine(name, async (ports, calls) => {
      await work(ports, calls, random)
      this.#working--
    })
  }

  async #createTopic({ clock, compute }: SimPorts, calls: ClientCalls, partitions: number): Promise<void> {
    const id = compute.secureBytes(16)
    const wanted = { name: TOPIC, id, partitions, replicationFactor: 3, assignment: [], configs: [], internal: false, validateOnly: false }
    for (let turn = 0; ; turn++) {
      const coordinator = this.#cluster.coordinators[turn % this.#cluster.coordinators.length] as NodeId
      try {
        const made = await calls.ask(coordinator, topicCreate, { ...never, ...wanted }, ASK_MS)
        this.#partitions = Array.from({ length: partitions }, (_, number) => ({ topicId: made.id, number, key: `${made.id}/${number}` }))
        for (const { key } of this.#partitions) this.#invariants.watch(key)
        return
      } catch (error) {
        this.#count('topic_create', error)
        await sleep(clock, RETRY_MS_MAX)
      }
    }
  }

  async #produce(who: string, ports: SimPorts, calls: ClientCalls, random: SeededRandom): Promise<void> {
    const client = this.recorder.client()
    const id = await this.#producerId(ports, calls, random)
    const sequences = new Map<string, number>()
    for (let n = 0; !this.#stopped; ) {
      const partition = this.#draw(random)
      const values = Array.from({ length: 1 + random.below(RECORDS_MAX) }, () => `${who}-${n++}`)
      const baseSequence = sequences.get(partition.key) ?? 0
      client.invoke('send', partition.key, { values })
      const records = values.map(value => ({ timestampMs: 1_000, key: null, value: new TextEncoder().encode(value) }))
      const crc32c = (bytes: Uint8Array, before?: number): number => ports.compute.crc32c(bytes, before)
      const batch = encodeBatch(records, { crc32c, producer: { id, epoch: 0, baseSequence } })
      const offset = await this.#send(who, ports, calls, random, partition, batch)
      this.#invariants.acknowledged(who, partition.key, `${id}/${baseSequence}`, offset)
      client.ok({ offset })
      this.acknowledged++
      sequences.set(partition.key, baseSequence + values.length)
      await sleep(ports.clock, random.below(PAUSE_MS_MAX))
    }
  }

  async #producerId({ clock }: SimPorts, calls: ClientCalls, random: SeededRandom): Promise<number> {
    for (;;) {
      try {
        return (await calls.ask(this.#anyBroker(random), logProducerId, {}, ASK_MS)).producerId
      } catch (error) {
        this.#count('producer_id', error)
        await sleep(clock, 1 + random.below(RETRY_MS_MAX))
      }
    }
  }

  /** Until it is acknowledged: whoever gives up can never know. */
  async #send(
    who: string,
    { clock }: SimPorts,
    calls: ClientCalls,
    random: SeededRandom,
    partition: Partition,
    batch: Uint8Array,
  ): Promise<number> {
    const { topicId, number, key } = partition
    for (;;) {
      try {
        const request = { topicId, partition: number, acks: 'all' as const, attachment: batch.slice() }
        const { firstOffset, duplicate } = await calls.ask(this.#leader(random, partition), logProduce, request, ASK_MS)
        this.#tally(duplicate ? 'send duplicate' : 'send ok')
        return firstOffset
      } catch (error) {
        const code = this.#count('send', error)
        if (IMPOSSIBLE.includes(code)) this.violations.push(`${who} is refused as ${code} at ${key}: ${String(error)}`)
        await sleep(clock, 1 + random.below(RETRY_MS_MAX))
      }
    }
  }

  async #consume(ports: SimPorts, calls: ClientCalls, random: SeededRandom): Promise<void> {
    const client = this.recorder.client()
    const positions = new Map<string, number>()
    while (!this.#stopped) {
      const partition = this.#draw(random)
      const from = positions.get(partition.key)
      positions.set(partition.key, await this.#poll(client, ports, calls, random, partition, from ?? 0, from === undefined))
      if (from === undefined && positions.get(partition.key) === 0) positions.delete(partition.key)
      await sleep(ports.clock, random.below(PAUSE_MS_MAX))
    }
  }

  /** Reads once from `from` on; answers the next offset. */
  async #poll(
    client: RecordedClient,
    { clock }: SimPorts,
    calls: ClientCalls,
    random: SeededRandom,
    partition: Partition,
    from: number,
    isFresh: boolean,
  ): Promise<number> {
    const { topicId, number, key } = partition
    client.invoke('poll', key, isFresh ? { from } : null)
    const wanted = { topicId, partition: number, leaderEpoch: undefined, offset: from, bytesMax: FETCH_BYTES }
    const request = { partitions: [wanted], bytesMax: FETCH_BYTES, bytesMin: 1, maxWaitMs: FETCH_WAIT_MS }
    try {
      const { partitions, attachment } = await calls.ask(this.#leader(random, partition), logFetch, request, ASK_MS)
      const { error } = present(partitions[0], 'a row for the partition')
      if (error !== 0) {
        this.#tally(`poll refused ${error}`)
        client.fail(`error ${error}`)
        await sleep(clock, 1 + random.below(RETRY_MS_MAX))
        return from
      }
      const bytes = attachment.slice()
      const records = splitBatches(bytes)
        .flatMap(({ start }) => decodeRecords(bytes.subarray(start)))
        .filter(({ offset }) => offset >= from)
        .map(({ offset, value }) => [offset, new TextDecoder().decode(value ?? new Uint8Array(0))] as const)
      client.ok({ records })
      this.consumed += records.length
      this.#tally(records.length > 0 ? 'poll ok' : 'poll empty')
      return (records.at(-1)?.[0] ?? from - 1) + 1
    } catch (error) {
      client.fail(this.#count('poll', error))
      await sleep(clock, 1 + random.below(RETRY_MS_MAX))
      return from
    }
  }

  #draw(random: SeededRandom): Partition {
    return this.#partitions[random.below(this.#partitions.length)] as Partition
  }

  #anyBroker(random: SeededRandom): NodeId {
    const { brokers } = this.#cluster
    return brokers[random.below(brokers.length)] as NodeId
  }

  /** As some broker believes, which may be wrong; now and then anybody. */
  #leader(random: SeededRandom, { topicId, number }: Partition): NodeId {
    const some = this.#anyBroker(random)
    if (random.below(10) === 0) return some
    return this.#cluster.broker(some)?.service.metadata.partition(topicId, number)?.leader ?? some
  }

  #count(what: string, error: unknown): string {
    if (!(error instanceof ProtocolError)) throw error
    this.#tally(`${what} ${error.code}`)
    return error.code
  }

  #tally(what: string): void {
    this.outcomes.set(what, (this.outcomes.get(what) ?? 0) + 1)
  }
}
