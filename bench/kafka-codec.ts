// Kafka's codec and the connections around it: requests and responses per second of the messages that matter for speed,
// and of a whole listener over loopback whose handlers do nothing.
//   npm run bench -- kafka-codec [--seconds 0.3] [--runs 5]
import { connect } from 'node:net'
import { parseArgs } from 'node:util'
import { type NodeId, silentLogger } from '@atoll/base'
import { createClock, createNet, systemRandom } from '@atoll/node-ports'
import { type ApiName, apis, type KafkaHandlers, KafkaListener } from '../packages/broker/src/index.ts'
import type { Api } from '../packages/broker/src/kafka/api.ts'
import { beginRequest } from '../packages/broker/src/kafka/headers.ts'
import { WireReader } from '../packages/broker/src/kafka/wire-reader.ts'
import { WireWriter } from '../packages/broker/src/kafka/wire-writer.ts'
import { spread, table } from './figures.ts'
import { machineLine } from './machine.ts'

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '0.3' }, runs: { type: 'string', default: '5' } } })
const runMs = Number(values.seconds) * 1000
const runs = Number(values.runs)

const TOPIC_ID = '00112233445566778899aabbccddeeff'
const batch = new Uint8Array(4_096)
const list = <T>(count: number, of: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => of(index))
const produceRequest = { acks: -1, timeoutMs: 1_000, topics: [{ name: 'orders', partitions: [{ index: 2, records: batch }] }] }
const produceResponse = { topics: [{ name: 'orders', partitions: [{ index: 2, errorCode: 0, baseOffset: 123_456 }] }] }
const fetchRequest = (count: number) => ({
  maxWaitMs: 500,
  minBytes: 1,
  topics: [
    {
      topic: 'orders',
      topicId: TOPIC_ID,
      partitions: list(count, partition => ({ partition, fetchOffset: 1_000, partitionMaxBytes: 1_048_576 })),
    },
  ],
})
const fetchResponse = (count: number) => ({
  topics: [
    {
      topic: 'orders',
      topicId: TOPIC_ID,
      partitions: list(count, partitionIndex => ({ partitionIndex, errorCode: 0, highWatermark: 1_000_000, records: [batch, batch] })),
    },
  ],
})

/** What is measured, message, part, version, content. */
const cases: readonly (readonly [string, ApiName, 'request' | 'response', number, object])[] = [
  ['Produce 7, 1 partition', 'produce', 'request', 7, produceRequest],
  ['Produce 11, 1 partition', 'produce', 'request', 11, produceRequest],
  ['answer to it', 'produce', 'response', 11, produceResponse],
  ['Fetch 11, 1 partition', 'fetch', 'request', 11, fetchRequest(1)],
  ['Fetch 17, 1 partition', 'fetch', 'request', 17, fetchRequest(1)],
  ['Fetch 17, 50 partitions', 'fetch', 'request', 17, fetchRequest(50)],
  ['answer to it, 1 partition', 'fetch', 'response', 17, fetchResponse(1)],
  ['answer to it, 50 partitions', 'fetch', 'response', 17, fetchResponse(50)],
]

/** Calls of `work` per second, one figure for each run. */
function rates(work: () => void): number[] {
  return list(runs + 1, () => {
    let calls = 0
    const startMs = performance.now()
    let nowMs = startMs
    for (; nowMs - startMs < runMs; nowMs = performance.now()) for (let call = 0; call < 200; call++, calls++) work()
    return (calls * 1000) / (nowMs - startMs)
  }).slice(1)
}

function codecRows(): string[][] {
  const writer = new WireWriter()
  return cases.map(([title, name, part, version, value]) => {
    const codec = apis[name][part] as Api['request']
    const write = (): Uint8Array[] => {
      writer.begin()
      codec.write(writer, version, value as never)
      return writer.finish()
    }
    const bytes = new Uint8Array(Buffer.concat(write()))
    return [title, spread(rates(() => codec.read(new WireReader(bytes, 4), version))), spread(rates(write))]
  })
}

/** Answers per second of a listener whose client sends `inFlight` requests ahead. */
async function listenerRates(inFlight: number): Promise<number[]> {
  const clock = createClock()
  const { net } = createNet({ self: 'bench' as NodeId, faults: false, clock, random: systemRandom() })
  const handlers: KafkaHandlers = { produce: () => produceResponse }
  const listener = await KafkaListener.listen({ host: '127.0.0.1', port: 0 }, { net, clock, logger: silentLogger, handlers })
  const { endpoint } = listener
  if (!('port' in endpoint)) throw new RangeError('a TCP port')
  const writer = new WireWriter()
  beginRequest(writer, apis.produce as unknown as Api, 11, 1, 'bench')
  apis.produce.request.write(writer, 11, produceRequest)
  const request = Buffer.concat(writer.finish())
  const socket = connect(endpoint.port, endpoint.host)
  let answered = 0
  let answerBytes = 0
  let received = 0
  const found = await new Promise<number[]>(resolve => {
    const figures: number[] = []
    let startMs = 0
    socket.on('data', bytes => {
      // All answers are of one length, which the first says.
      if (answerBytes === 0) answerBytes = 4 + bytes.readInt32BE(0)
      received += bytes.length
      const whole = Math.floor(received / answerBytes)
      received -= whole * answerBytes
      answered += whole
      for (let sent = 0; sent < whole; sent++) socket.write(request)
      const nowMs = performance.now()
      if (nowMs - startMs < runMs) return
      figures.push((answered * 1000) / (nowMs - startMs))
      answered = 0
      startMs = nowMs
      if (figures.length > runs) resolve(figures.slice(1))
    })
    socket.on('connect', () => {
      startMs = performance.now()
      for (let sent = 0; sent < inFlight; sent++) socket.write(request)
    })
  })
  socket.destroy()
  await listener.close(0)
  return found
}

console.log(machineLine())
console.log('\nMessages per second: median (least-most)\n')
console.log(table(['message', 'read', 'written'], codecRows()))
console.log('\nProduce requests of 4 KiB per second over loopback, client and listener in one process\n')
const rows: string[][] = []
for (const inFlight of [1, 5, 32]) rows.push([String(inFlight), spread(await listenerRates(inFlight))])
console.log(table(['in flight', 'requests'], rows))
