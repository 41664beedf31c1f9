// What consumers promise, on real brokers under virtual time.
import type { NodeId } from '@atoll/base'
import type { Client, StandardSchema } from '@atoll/client/core'
import { describe, expect, it } from 'vitest'
import { failure } from '../client/failure.ts'
import { Brokers, passing } from './with-brokers.ts'

async function filled(client: Client, count: number, partitions = 1, replicas = 1): Promise<void> {
  await client.log.topics.create('t', { partitions, replicas })
  await using producer = client.log.topic('t').producer({ batchBytes: 300 })
  await producer.sendBatch(Array.from({ length: count }, (_, n) => ({ value: String(n), partition: n % partitions, timestamp: 1_000 + n })))
}

async function leaderOf({ log }: Client, partition = 0): Promise<NodeId> {
  return (await log.topics.describe('t')).parts[partition]?.leader as NodeId
}

describe('a consumer', () => {
  it('[SL10] begins where it is told to, and ends at the end when it is told to', async () => {
    const brokers = await Brokers.ready(1)
    const seen = await brokers.with(async client => {
      await filled(client, 30)
      const topic = client.log.topic('t')
      const read = async (from: NonNullable<Parameters<typeof topic.consume>[0]>['from']): Promise<number[]> => {
        const values: number[] = []
        for await (const { value } of topic.consume({ from, exitAtEnd: true })) values.push(Number(value))
        return values
      }
      return {
        earliest: (await read('earliest')).length,
        latest: await read('latest'),
        offset: await read({ 0: 27 }),
        time: await read({ timestamp: 1_028 }),
        later: await read({ timestamp: 9_000 }),
      }
    })
    expect(seen).toEqual({ earliest: 30, latest: [], offset: [27, 28, 29], time: [28, 29], later: [] })
  })

  it('[SL10] hears of what comes, of each partition in turn, and of partitions that are added', async () => {
    const brokers = await Brokers.ready(1)
    const values = await brokers.with(async (client, clock) => {
      await filled(client, 4, 2)
      const topic = client.log.topic('t')
      const consumer = topic.consume({ from: 'latest' })
      const first = consumer.next()
      await passing(clock, 2_000)
      await topic.send({ value: 'new', partition: 1 })
      const values = [(await first).value?.value]
      await client.log.topics.alter('t', { partitions: 3 })
      await passing(clock, 2_000)
      await topic.send({ value: 'in a new one', partition: 2 })
      values.push((await consumer.next()).value?.value)
      await consumer.return()
      return [...values, (await consumer.next()).done]
    })
    expect(values).toEqual(['new', 'in a new one', true])
  })

  it('[SL10] seeks, pauses, resumes, and says where it is and what is left', async () => {
    const brokers = await Brokers.ready(1)
    const seen = await brokers.with(async client => {
      await filled(client, 40, 2)
      const consumer = client.log.topic('t').consume({ from: 'earliest' })
      const next = async (): Promise<string> => {
        const { value } = await consumer.next()
        return `${value?.partition}/${value?.offset}`
      }
      const seen: unknown[] = [await next()]
      consumer.pause(0)
      for (let n = 0; n < 20; n++) seen.push(await next())
      const lag = consumer.lag
      consumer.seek(1, 18)
      seen.push(await next(), await next())
      consumer.resume(0)
      seen.push(await next())
      const { positions } = consumer
      await consumer.return()
      return { seen, lag, positions }
    })
    const ofOne = Array.from({ length: 20 }, (_, offset) => `1/${offset}`)
    expect(seen.seen).toEqual(['0/0', ...ofOne, '1/18', '1/19', '0/1'])
    expect(seen.lag).toEqual({ 0: 19, 1: 0 })
    expect(seen.positions).toEqual({ 0: 2, 1: 20 })
  })

  it('[SL11] goes on without gap or repeat when the leader is killed', async () => {
    const brokers = await Brokers.ready(3)
    const values = await brokers.with(async client => {
      await filled(client, 20, 1, 3)
      const topic = client.log.topic('t')
      const victim = await leaderOf(client)
      const values: number[] = []
      for await (const { value } of topic.consume({ from: 'earliest' })) {
        values.push(Number(value))
        if (values.length === 10) brokers.crash(victim)
        if (values.length === 20) void topic.producer().sendBatch(Array.from({ length: 20 }, (_, n) => String(20 + n)))
        if (values.length === 40) break
      }
      return values
    })
    expect(values).toEqual(Array.from({ length: 40 }, (_, n) => n))
  })

  it('[SL12] whose offset is not there does what it was told to', async () => {
    const brokers = await Brokers.ready(1)
    const seen = await brokers.with(async client => {
      await filled(client, 3)
      const topic = client.log.topic('t')
      const error = await failure(topic.consume({ from: { 0: 99 } }).next())
      const first = await topic.consume({ from: { 0: 99 }, onOutOfRange: 'earliest' }).next()
      return { error, first }
    })
    expect(seen.error).toMatchObject({ code: 'offset_out_of_range', outcome: 'definite' })
    expect(seen.first).toMatchObject({ value: { offset: 0, value: '0' } })
  })

  it('[SL13] that can read nothing fails within its time, and ends with its signal and its client', async () => {
    const brokers = await Brokers.ready(1)
    const seen = await brokers.with(async (client, clock) => {
      await filled(client, 1)
      const topic = client.log.topic('t')
      const ending = new AbortController()
      const aborted = topic.consume({ from: 'latest', signal: ending.signal }).next()
      await passing(clock, 100)
      ending.abort()
      const ended = await aborted
      brokers.crash(brokers.names[0] as NodeId)
      const stalled = await failure(topic.consume({ from: 'earliest', stallMs: 20_000 }).next())
      const unknown = await failure(client.log.topic('unknown').consume().next())
      const closed = failure(topic.consume({ from: 'earliest' }).next())
      await passing(clock, 100)
      await client.close()
      return { ended, stalled, unknown, closed: await closed }
    })
    expect(seen.ended).toEqual({ value: undefined, done: true })
    expect(seen.stalled).toMatchObject({ code: 'consumer_stalled' })
    expect(seen.unknown).toMatchObject({ code: 'unknown_topic' })
    expect(seen.closed).toMatchObject({ code: 'client_closed' })
  })

  it('[SL14] fetches ahead no more than it is told to', async () => {
    const brokers = await Brokers.ready(1)
    const fetched = await brokers.with(async (client, clock) => {
      await client.log.topics.create('t', { replicas: 1 })
      const value = 'x'.repeat(100_000)
      await client.log
        .topic('t')
        .producer()
        .sendBatch(Array.from({ length: 60 }, () => value))
      const consumer = client.log.topic('t').consume({ from: 'earliest', prefetchBytes: 1_000_000 })
      await consumer.next()
      await passing(clock, 5_000)
      const { bufferedBytes } = consumer
      let count = 1
      while (count < 60) {
        await consumer.next()
        count++
      }
      return bufferedBytes
    })
    expect(fetched).toBeGreaterThan(500_000)
    expect(fetched).toBeLessThan(2_300_000)
  })
})

describe('a schema', () => {
  /** An order, as any library of schemas would describe it; checks later. */
  const order: StandardSchema<{ id: number; paid?: boolean }, { id: number; paid: boolean }> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: async value => {
        const { id, paid = false } = value as { id?: unknown; paid?: boolean }
        return typeof id === 'number' ? { value: { id, paid } } : { issues: [{ message: 'want a number', path: ['id'] }] }
      },
    },
  }

  it('[SL8] lets nothing pass that it refuses, keeps the order, and fills in what it fills in', async () => {
    const brokers = await Brokers.ready(1)
    const seen = await brokers.with(async client => {
      await client.log.topics.create('t', { replicas: 1 })
      const orders = client.log.topic('t', { value: order })
      const sent = [orders.send({ id: 1 }), failure(orders.send({ id: 'one' as never })), orders.send({ value: { id: 2, paid: true } })]
      const [, refused] = await Promise.all(sent)
      const read = []
      for await (const { value } of orders.consume({ from: 'earliest', exitAtEnd: true })) read.push(value)
      await client.log.topic('t').send('no JSON')
      return { refused, read, unread: await failure(orders.consume({ from: { 0: 2 } }).next()) }
    })
    expect(seen.refused).toMatchObject({ code: 'invalid_record', outcome: 'definite' })
    expect(seen.refused).toHaveProperty('message', expect.stringContaining('id: want a number'))
    expect(seen.read).toEqual([
      { id: 1, paid: false },
      { id: 2, paid: true },
    ])
    expect(seen.unread).toMatchObject({ code: 'invalid_record', message: expect.stringContaining('t/0 at 2') })
  })

  it('[SL8] or a codec stands for keys, values and headers alike', async () => {
    const brokers = await Brokers.ready(1)
    const message = await brokers.with(async client => {
      await client.log.topics.create('t', { replicas: 1 })
      const number = { encode: (value: number) => Uint8Array.of(value), decode: (bytes: Uint8Array) => bytes[0] ?? 0 }
      const topic = client.log.topic('t', { key: number, value: number })
      await topic.send({ key: 7, value: 42, headers: { trace: 'abc' }, timestamp: 5 })
      await topic.send({ key: 7, value: null })
      const read = []
      for await (const one of topic.consume({ from: 'earliest', exitAtEnd: true })) read.push(one)
      return read
    })
    expect(message[0]).toEqual({ topic: 't', partition: 0, offset: 0, timestamp: 5, key: 7, value: 42, headers: { trace: 'abc' } })
    expect(message[1]).toMatchObject({ key: 7, value: null, headers: {} })
  })
})
