// What a broker's answer to a client says, and every answer that says nothing.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { askMetadata } from './kafka-view.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A port at which every request gets these bytes as its answer, in two pieces; none: the connection ends. */
async function answering(answer: Buffer | undefined): Promise<{ host: string; port: number }> {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', () => {
      if (answer === undefined) socket.end()
      else socket.write(answer.subarray(0, 5), () => socket.write(answer.subarray(5)))
    })
  }).listen({ host: '127.0.0.1', port: 0 })
  servers.push(server)
  await once(server, 'listening')
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

const int = (value: number) => Buffer.from(new Uint8Array(new Int32Array([value]).buffer).toReversed())
const short = (value: number) => int(value).subarray(2)
const text = (words: string) => Buffer.concat([short(words.length), Buffer.from(words)])
const list = (...rows: readonly Buffer[]) => Buffer.concat([int(rows.length), ...rows])
const framed = (...parts: readonly Buffer[]) => Buffer.concat([int(Buffer.concat(parts).length), ...parts])
const broker = (id: number, port: number) => Buffer.concat([int(id), text('127.0.0.1'), int(port), short(-1)])
const partition = (index: number, leader: number) => Buffer.concat([short(0), int(index), int(leader), list(int(1), int(2)), list(int(1))])
const topic = (...partitions: readonly Buffer[]) => Buffer.concat([short(0), text('__consumer_offsets'), Buffer.of(1), list(...partitions)])

it('reads who the brokers are, and how many partitions of groups nobody leads', async () => {
  const answer = framed(int(1), list(broker(1, 9092), broker(2, 9093)), int(1), list(topic(partition(0, 1), partition(1, -1))))
  expect(await askMetadata(await answering(answer), 2_000)).toEqual({ brokerPorts: [9092, 9093], groupPartitions: 2, leaderless: 1 })
})

it.each([
  ['nothing', undefined],
  ['something of no length', int(0)],
  ['something far too long', int(1_000_000)],
  ['half of it', framed(int(1), list(broker(1, 9092)), int(1), int(1))],
])('takes %s for no answer', async (_, answer) => {
  const at = await answering(answer && Buffer.concat([answer, Buffer.alloc(4)]))
  await expect(askMetadata(at, 2_000)).rejects.toMatchObject({ code: 'not_connected' })
})

it('does not wait longer than it may', async () => {
  const at = await answering(int(100))
  await expect(askMetadata(at, 50)).rejects.toThrow('no answer within 50 ms')
})
