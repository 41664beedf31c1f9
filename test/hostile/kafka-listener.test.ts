// Kafka's listener on real sockets: what strangers send to it, while an honest client is served.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { NodeId } from '@atoll/base'
import { silentLogger } from '@atoll/base'
import { createClock, createNet, systemRandom } from '@atoll/node-ports'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Api } from '../../packages/broker/src/kafka/api.ts'
import { type ApiName, apis } from '../../packages/broker/src/kafka/apis.ts'
import { beginRequest } from '../../packages/broker/src/kafka/headers.ts'
import { KafkaListener } from '../../packages/broker/src/kafka/listener.ts'
import { WireWriter } from '../../packages/broker/src/kafka/wire-writer.ts'

const MiB = 1024 ** 2
const ANSWER_BYTES = 8 * MiB
const STALLED_MS = 1_000
const writer = new WireWriter()
const sockets = new Set<Socket>()
let listener: KafkaListener
let calls: number

beforeEach(async () => {
  calls = 0
  const clock = createClock()
  const { net } = createNet({ self: 'broker' as NodeId, faults: false, clock, random: systemRandom() })
  const records = new Uint8Array(ANSWER_BYTES)
  listener = await KafkaListener.listen(
    { host: '127.0.0.1', port: 0 },
    {
      net,
      clock,
      logger: silentLogger,
      connectionsMax: 300,
      stalledMs: STALLED_MS,
      handlers: {
        heartbeat: () => ({ errorCode: 0 }),
        produce: () => ({ topics: [] }),
        fetch: () => {
          calls++
          return { topics: [{ topic: 't', partitions: [{ partitionIndex: 0, errorCode: 0, highWatermark: 1, records }] }] }
        },
      },
    },
  )
})
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  await listener.close(1_000)
})

async function stranger(): Promise<Socket> {
  const { endpoint } = listener
  if (!('port' in endpoint)) throw new RangeError('a TCP port')
  const socket = connect(endpoint.port, endpoint.host)
  sockets.add(socket)
  // A reset is one of the answers that a stranger may get.
  socket.on('error', () => sockets.delete(socket))
  await once(socket, 'connect')
  return socket
}

function request(name: ApiName, version: number, correlationId: number, body: object): Buffer {
  const api = apis[name] as unknown as Api
  beginRequest(writer, api, version, correlationId, 'test')
  api.request.write(writer, version, body as never)
  return Buffer.concat(writer.finish())
}
const heartbeat = (correlationId: number): Buffer =>
  request('heartbeat', 4, correlationId, { groupId: 'g', generationId: 1, memberId: 'm' })
const fetch = request('fetch', 11, 1, { maxWaitMs: 0, minBytes: 0, topics: [] })

/** An honest client is served. */
async function expectServed(): Promise<void> {
  const socket = await stranger()
  socket.write(heartbeat(7))
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  expect(bytes.readInt32BE(4)).toBe(7)
  socket.destroy()
}

const closed = (socket: Socket): Promise<unknown> => (socket.closed ? Promise.resolve() : once(socket.resume(), 'close'))

describe('a stranger at Kafka’s port', () => {
  it.each([
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['a TLS hello', Buffer.from('16030100c8010000c40303', 'hex')],
    ['zeros', Buffer.alloc(4_096)],
    ['a length without end', Buffer.from('7fffffff0000', 'hex')],
    ['a request nobody serves', Buffer.from('0000000e00ff000000000001000474657374', 'hex')],
  ])('[KL10] with %s is cut off, after what it is owed', async (_, bytes) => {
    const socket = await stranger()
    const answers: Buffer[] = []
    socket.on('data', answer => answers.push(answer))
    socket.write(Buffer.concat([heartbeat(1), heartbeat(2), bytes, Buffer.alloc(100_000, 1)]))
    await closed(socket)
    // All of it, although more was sent than the broker ever read.
    expect(Buffer.concat(answers).length).toBe(2 * heartbeatAnswerBytes)
    await expectServed()
  })

  it('[KL6] who asks for more than it takes costs a bounded amount, and its connection', async () => {
    const before = process.memoryUsage().arrayBuffers
    const socket = await stranger()
    socket.pause()
    const ended = once(socket, 'close')
    for (let sent = 0; sent < 1_000; sent++) socket.write(fetch)
    await expect.poll(() => listener.connectionCount, { timeout: 20_000 }).toBe(0)
    expect(calls).toBeLessThan(10)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * ANSWER_BYTES)
    socket.resume()
    await ended
    await expectServed()
  })

  it('[KL11] who announces much and sends little is given no room, and cut', async () => {
    const before = process.memoryUsage().rss
    const many = await Promise.all(Array.from({ length: 50 }, stranger))
    const announcement = Buffer.alloc(4)
    announcement.writeInt32BE(60 * MiB)
    for (const socket of many) socket.write(Buffer.concat([announcement, Buffer.alloc(1_000)]))
    await expect.poll(() => listener.freeBytes).toBeLessThan(60 * MiB)
    await expectServed()
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * MiB)
    for (const socket of many) socket.destroy()
    await expect.poll(() => listener.freeBytes, { timeout: 10_000 }).toBe(256 * MiB)
  })

  it('[KL12] who comes in numbers and says nothing leaves room for others after a while', async () => {
    const many = await Promise.all(Array.from({ length: 300 }, stranger))
    await expect.poll(() => listener.connectionCount, { timeout: 20_000 }).toBe(0)
    expect(many).toHaveLength(300)
    await expectServed()
  })

  it('[KL14] who resets in the middle of everything leaves nothing behind', async () => {
    for (let round = 0; round < 60; round++) {
      const socket = await stranger()
      socket.write(round % 3 === 0 ? fetch : heartbeat(round).subarray(0, 4 + (round % 20)))
      if (round % 2 === 0) socket.resetAndDestroy()
      else socket.destroy()
    }
    await expect.poll(() => listener.connectionCount, { timeout: 10_000 }).toBe(0)
    expect(listener.freeBytes).toBe(256 * MiB)
    await expectServed()
  })
})

/** Length, correlation id, no tagged fields, throttle time, error, no tagged fields. */
const heartbeatAnswerBytes = 4 + 4 + 1 + 4 + 2 + 1
