// What producers promise, on real brokers under virtual time, at moments that were brought about on purpose.
import type { NodeId } from '@atoll/base'
import type { Client, Sent } from '@atoll/client/core'
import { describe, expect, it } from 'vitest'
import { failure } from '../client/failure.ts'
import { Brokers, passing } from './with-brokers.ts'

/** Everything that is in a topic, in order within each partition. */
async function all(
  { log }: Client,
  topic: string,
): Promise<{ partition: number; offset: number; key: string | null; value: string | null }[]> {
  const found = []
  for await (const { partition, offset, key, value } of log.topic(topic).consume({ from: 'earliest', exitAtEnd: true }))
    found.push({ partition, offset, key, value })
  return found
}

async function leaderOf({ log }: Client, topic: string, partition = 0): Promise<NodeId> {
  const { parts } = await log.topics.describe(topic)
  return parts[partition]?.leader as NodeId
}

describe('a topic', () => {
  it('[SL1] is created, described, written and read', async () => {
    const brokers = await Brokers.ready()
    const seen = await brokers.with(async client => {
      const { log } = client
      await log.topics.create('orders', { partitions: 3, replicas: 3 })
      const orders = log.topic('orders')
      const sent = await Promise.all(['a', 'b', 'c', 'a'].map((key, n) => orders.send({ key, value: `${n} of ${key}` })))
      const read = await all(client, 'orders')
      const described = await log.topics.describe('orders')
      const places = ({ partition, offset }: Sent | (typeof read)[number]): string => `${partition}/${offset}`
      return {
        sent: sent.map(places).toSorted(),
        read: read.map(places).toSorted(),
        ofA: read.filter(({ key }) => key === 'a').map(({ value }) => value),
        inSync: described.parts.map(({ isr }) => isr.length),
        end: described.parts.reduce((sum, { highWatermark = 0 }) => sum + highWatermark, 0),
      }
    })
    expect(seen).toEqual({ sent: seen.read, read: seen.read, ofA: ['0 of a', '3 of a'], inSync: [3, 3, 3], end: 4 })
  })

  it('[SL1] is listed, changed and deleted, and another one may have its name', async () => {
    const brokers = await Brokers.ready(1)
    const seen = await brokers.with(async client => {
      const { topics } = client.log
      const first = await topics.create('t', { replicas: 1, configs: { 'retention.ms': 1_000 } })
      await topics.alter('t', { partitions: 2, configs: { 'retention.ms': null, 'max.message.bytes': 5_000 } })
      const listed = await topics.list()
      await client.log.topic('t').send('gone with it')
      await topics.delete('t')
      const unknown = await failure(client.log.topic('t').send('x'))
      const second = await topics.create('t', { replicas: 1 })
      await client.log.topic('t').send('first of the second')
      return { listed, unknown, isAnother: first.id !== second.id, read: await all(client, 't') }
    })
    expect(seen.listed).toMatchObject([{ name: 't', partitions: 2, replicas: 1, configs: { 'max.message.bytes': '5000' } }])
    expect(seen.unknown).toMatchObject({ code: 'unknown_topic', outcome: 'definite' })
    expect(seen.isAnother).toBe(true)
    expect(seen.read).toMatchObject([{ value: 'first of the second' }])
  })
})

describe('a producer', () => {
  it('[SL3] has each acknowledged record in the log once and in order, though leaders are killed', async () => {
    const brokers = await Brokers.ready(3)
    const read = await brokers.with(async (client, clock) => {
      await client.log.topics.create('t', { partitions: 2, replicas: 3 })
      await using producer = client.log.topic('t').producer({ batchBytes: 200 })
      const victim = await leaderOf(client, 't')
      brokers.clients.in(40, () => brokers.crash(victim))
      brokers.clients.in(8_000, () => brokers.start(victim))
      for (let n = 0; n < 600; n++) {
        void producer.send({ key: `k${n % 7}`, value: String(n) })
        if (n % 20 === 0) await passing(clock, 5)
      }
      await producer.flush()
      return await all(client, 't')
    })
    for (let key = 0; key < 7; key++) {
      const values = read.filter(row => row.key === `k${key}`).map(({ value }) => Number(value))
      expect(values).toEqual(Array.from({ length: 600 }, (_, n) => n).filter(n => n % 7 === key))
    }
  })

  it('[SL3] does not wait for a leader that stands still once another one leads', async () => {
    const brokers = await Brokers.ready(3)
    const tookMs = await brokers.with(async (client, clock) => {
      await client.log.topics.create('t', { replicas: 3 })
      const topic = client.log.topic('t')
      await topic.send('before')
      const victim = await leaderOf(client, 't')
      brokers.machine(victim).pause()
      const sentAtMs = brokers.clients.nowMs
      const sent = await Promise.all([topic.send('one'), topic.send('two')])
      const tookMs = brokers.clients.nowMs - sentAtMs
      brokers.machine(victim).resume()
      await passing(clock, 3_000)
      expect(sent.map(({ offset }) => offset)).toEqual([1, 2])
      expect((await all(client, 't')).map(({ value }) => value)).toEqual(['before', 'one', 'two'])
      return tookMs
    })
    expect(tookMs).toBeLessThan(20_000)
  })

  it('[SL4] says what stood in the way of a record, and [SL5] goes on with what comes after it', async () => {
    const brokers = await Brokers.ready(3)
    const seen = await brokers.with(async (client, clock) => {
      await client.log.topics.create('t', { replicas: 3, configs: { 'min.insync.replicas': 3 } })
      const topic = client.log.topic('t')
      await using producer = topic.producer({ timeoutMs: 3_000 })
      await producer.send('before')
      const leader = await leaderOf(client, 't')
      const victim = brokers.names.find(name => name !== leader) as NodeId
      brokers.crash(victim)
      await passing(clock, 12_000)
      const refused = await Promise.all([failure(producer.send('in vain')), failure(producer.send('in vain, too'))])
      brokers.start(victim)
      await passing(clock, 12_000)
      await Promise.all(['after', 'and on'].map(value => producer.send(value)))
      return { refused, values: (await all(client, 't')).map(({ value }) => value) }
    })
    expect(seen.refused).toMatchObject([{ code: 'not_enough_replicas', outcome: 'definite' }, { code: 'not_enough_replicas' }])
    expect(seen.values).toEqual(['before', 'after', 'and on'])
  })

  it('[SL5] begins a new epoch when a batch in the middle was refused', async () => {
    const brokers = await Brokers.ready(1)
    const values = await brokers.with(async client => {
      await client.log.topics.create('t', { replicas: 1, configs: { 'max.message.bytes': 2_000 } })
      await using producer = client.log.topic('t').producer({ batchBytes: 1_000 })
      await producer.send('first')
      const small = (name: string): Promise<Sent> => producer.send(name.padEnd(900, '.'))
      const sent = [small('a'), failure(producer.send('x'.repeat(5_000))), small('b'), small('c'), small('d'), small('e')]
      const outcomes = await Promise.all(sent)
      expect(outcomes[1]).toMatchObject({ code: 'batch_too_large', outcome: 'definite' })
      return (await all(client, 't')).map(({ value }) => value?.replaceAll('.', ''))
    })
    expect(values).toEqual(['first', 'a', 'b', 'c', 'd', 'e'])
  })

  it('[SL5] divides a batch that the topic does not take as a whole', async () => {
    const brokers = await Brokers.ready(1)
    const values = await brokers.with(async client => {
      await client.log.topics.create('t', { replicas: 1, configs: { 'max.message.bytes': 2_000 } })
      await using producer = client.log.topic('t').producer()
      await producer.sendBatch(Array.from({ length: 40 }, (_, n) => `${n}`.padEnd(500)))
      return (await all(client, 't')).map(({ value }) => Number(value))
    })
    expect(values).toEqual(Array.from({ length: 40 }, (_, n) => n))
  })

  it('[SL6] makes whoever waits for room wait, and tells with a flush what failed', async () => {
    const brokers = await Brokers.ready(1)
    const seen = await brokers.with(async client => {
      await client.log.topics.create('t', { replicas: 1, configs: { 'max.message.bytes': 2_000 } })
      await using producer = client.log.topic('t').producer({ bufferBytes: 10_000 })
      let most = 0
      for (let n = 0; n < 100; n++) {
        await producer.room()
        void producer.send(`${n}`.padEnd(1_000))
        most = Math.max(most, producer.bufferedBytes)
      }
      await producer.flush()
      void producer.send('x'.repeat(5_000))
      const told = await failure(producer.flush())
      await producer.flush()
      return { most, told, count: (await all(client, 't')).length }
    })
    expect(seen.most).toBeLessThan(12_000)
    expect(seen.told).toMatchObject({ code: 'batch_too_large' })
    expect(seen.count).toBe(100)
  })

  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('[SL7] compresses with %s', async compression => {
    const brokers = await Brokers.ready(1)
    const seen = await brokers.with(async client => {
      await client.log.topics.create('t', { replicas: 1 })
      await using producer = client.log.topic('t').producer({ compression })
      const values = Array.from({ length: 50 }, (_, n) => `${n} and the same again and again`)
      await producer.sendBatch(values)
      return { values, read: (await all(client, 't')).map(({ value }) => value) }
    })
    expect(seen.read).toEqual(seen.values)
  })

  it('[SL9] that is closed sends what it has; with its client what it has is refused', async () => {
    const brokers = await Brokers.ready(1)
    const seen = await brokers.with(async client => {
      await client.log.topics.create('t', { replicas: 1 })
      const first = client.log.topic('t').producer()
      const sent = first.send('kept')
      await first.close()
      const late = await failure(first.send('late'))
      const read = await all(client, 't')
      const pending = failure(client.log.topic('t').send('lost'))
      await client.close()
      return { sent: await sent, late, read, pending: await pending }
    })
    expect(seen.sent).toMatchObject({ partition: 0, offset: 0 })
    expect(seen.late).toMatchObject({ code: 'client_closed', outcome: 'definite' })
    expect(seen.read).toMatchObject([{ value: 'kept' }])
    expect(seen.pending).toMatchObject({ code: 'client_closed' })
  })
})
