// Kafka's listener under virtual time: the same code, reproducible from a seed, with clients that die, stall and come back.
import { type Clock, type Connection, type NodeId, silentLogger } from '@atoll/base'
import { createSimHashes, createSimulation, type SimPorts } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import type { Api } from '../../../packages/broker/src/kafka/api.ts'
import { apis } from '../../../packages/broker/src/kafka/apis.ts'
import { beginRequest } from '../../../packages/broker/src/kafka/headers.ts'
import { KafkaListener } from '../../../packages/broker/src/kafka/listener.ts'
import { WireWriter } from '../../../packages/broker/src/kafka/wire-writer.ts'

const hashes = await createSimHashes()
const AT = { host: '127.0.0.1', port: 9_092 }
const STALLED_MS = 30_000
const REQUESTS = 40

/** Virtual time passes. */
const later = (clock: Clock, ms: number): Promise<void> => new Promise(resolve => void clock.after(ms, resolve))

/** Correlation ids of the answers, as they come. */
class Client {
  readonly answered: number[] = []
  over = false
  readonly #writer = new WireWriter()
  readonly #connection: Connection
  #received: number[] = []

  private constructor(connection: Connection) {
    this.#connection = connection
    connection.open({
      onData: bytes => this.#onData(bytes),
      onDrain: () => {},
      onClose: () => {
        this.over = true
      },
    })
  }

  static async connect({ net }: SimPorts): Promise<Client> {
    return new Client(await net.connect(AT, { timeoutMs: 1_000 }))
  }

  /** A produce request of `sizeBytes`, or its beginning. */
  produce(correlationId: number, sizeBytes: number, part = 1): void {
    beginRequest(this.#writer, apis.produce as unknown as Api, 11, correlationId, 'sim')
    const partition = { index: 0, records: new Uint8Array(sizeBytes) }
    apis.produce.request.write(this.#writer, 11, { acks: 1, timeoutMs: 1_000, topics: [{ name: 't', partitions: [partition] }] })
    const whole = new Uint8Array(Buffer.concat(this.#writer.finish()))
    this.#connection.write(whole.subarray(0, Math.ceil(whole.length * part)))
  }

  #onData(bytes: Uint8Array): void {
    this.#received.push(...bytes)
    for (;;) {
      const view = new DataView(Uint8Array.from(this.#received.slice(0, 8)).buffer)
      const end = view.byteLength < 8 ? Number.POSITIVE_INFINITY : 4 + view.getInt32(0)
      if (this.#received.length < end) return
      this.answered.push(view.getInt32(4))
      this.#received = this.#received.slice(end)
    }
  }
}

async function run(
  seed: number,
): Promise<{ readonly trace: string; readonly answered: readonly number[]; readonly handed: readonly number[] }> {
  const simulation = createSimulation({ seed, hashes })
  const until = async (condition: () => boolean): Promise<void> => {
    expect((await simulation.run({ until: condition, eventsMax: 100_000 })).reason).toBe('until')
  }
  const broker = simulation.addNode('broker-1' as NodeId)
  const [steady, doomed] = [simulation.addNode('steady' as NodeId), simulation.addNode('doomed' as NodeId)]
  let listener: KafkaListener | undefined
  const handed: number[] = []
  broker.start(async ({ net, clock, random }) => {
    listener = await KafkaListener.listen(AT, {
      net,
      clock,
      logger: silentLogger,
      stalledMs: STALLED_MS,
      handlers: {
        produce: async ({ topics }) => {
          handed.push(topics[0]?.partitions[0]?.records?.length ?? -1)
          // Answers are ready in any order.
          await later(clock, random.below(50))
          return { topics: [] }
        },
      },
    })
  })
  await until(() => listener !== undefined)
  let client: Client | undefined
  steady.start(async ports => {
    client = await Client.connect(ports)
    for (let id = 0; id < REQUESTS; id++) {
      client.produce(id, 1_000 + id * 1_000)
      if (id % 7 === 0) await later(ports.clock, ports.random.below(100))
    }
  })
  const other: Client[] = []
  doomed.start(async ports => {
    for (let turn = 0; turn < 5; turn++) {
      const one = await Client.connect(ports)
      one.produce(turn, 300_000, 0.5)
      other.push(one)
    }
  })
  await until(() => client?.answered.length === REQUESTS && other.length === 5)
  // Some of them are cut for standing still, as the process behind them is paused; the rest dies with it.
  doomed.pause()
  await until(() => listener?.connectionCount === 1)
  doomed.crash()
  steady.crash()
  await until(() => listener?.connectionCount === 0)
  expect(listener?.freeBytes).toBe(256 * 1024 ** 2)
  return { trace: simulation.traceHash, answered: client?.answered ?? [], handed }
}

describe('Kafka’s listener in a simulation', () => {
  it.each([1, 2, 3])('[KL4] [KL12] answers in order, loses nobody and keeps nothing, the same each time (seed %i)', async seed => {
    const first = await run(seed)
    expect(first.answered).toEqual(Array.from({ length: REQUESTS }, (_, id) => id))
    expect(first.handed).toEqual(Array.from({ length: REQUESTS }, (_, id) => 1_000 + id * 1_000))
    expect(await run(seed)).toEqual(first)
  })
})
