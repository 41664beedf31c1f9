// What members of a group promise, on real brokers under virtual time.
import type { NodeId } from '@atoll/base'
import type { Client } from '@atoll/client/core'
import { describe, expect, it } from 'vitest'
import { failure } from '../client/failure.ts'
import { Brokers, passing } from './with-brokers.ts'

async function filled(client: Client, count: number, partitions: number, replicas = 1): Promise<void> {
  await client.log.topics.create('t', { partitions, replicas })
  await client.log
    .topic('t')
    .producer()
    .sendBatch(Array.from({ length: count }, (_, n) => ({ value: String(n), partition: n % partitions })))
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

/** Reads until `seen` holds everything, as one member. */
async function member(client: Client, seen: Map<number, number>, wanted: number, group = 'g'): Promise<number> {
  let count = 0
  for await (const { value } of client.log.topic('t').consume({ group, from: 'earliest', sessionTimeoutMs: 3_000 })) {
    seen.set(Number(value), (seen.get(Number(value)) ?? 0) + 1)
    count++
    if (seen.size >= wanted) break
  }
  return count
}

describe('a member of a group', () => {
  it('[SL16] goes on where the group stopped', async () => {
    const brokers = await Brokers.ready(1)
    const seen = await brokers.with(async client => {
      await filled(client, 20, 2)
      const topic = client.log.topic('t')
      const read = async (): Promise<string[]> => {
        const values: string[] = []
        for await (const { value } of topic.consume({ group: 'g', from: 'earliest', exitAtEnd: true })) values.push(value ?? '')
        return values
      }
      const first = await read()
      const again = await read()
      await topic.send({ value: 'later', partition: 1 })
      return { first: first.map(Number).toSorted((a, b) => a - b), again, later: await read() }
    })
    expect(seen).toEqual({ first: numbers(20), again: [], later: ['later'] })
  })

  it('[SL16] shares partitions with the others, and takes over what a dead one had', async () => {
    const brokers = await Brokers.ready(1)
    const seen = new Map<number, number>()
    await brokers.with(client => filled(client, 40, 4))
    const victim = brokers.clients.start(async client => {
      for await (const { value } of client.log.topic('t').consume({ group: 'g', from: 'earliest', sessionTimeoutMs: 3_000 })) {
        seen.set(Number(value), 1)
        if (seen.size === 7) victim.crash()
      }
    })
    await brokers.until(() => victim.state !== 'running')
    brokers.clients.forget()
    await brokers.with(client => member(client, seen, 40))
    expect([...seen.keys()].toSorted((a, b) => a - b)).toEqual(numbers(40))
  })

  it('[SL16] joins beside another: each gets its share, and every record is read', async () => {
    const brokers = await Brokers.ready(3)
    const counts = await brokers.with(async (client, clock) => {
      await filled(client, 10, 4, 3)
      const topic = client.log.topic('t')
      const seen: string[][] = [[], []]
      const ending = new AbortController()
      const consume = async (index: number): Promise<void> => {
        const options = { group: 'g', from: 'earliest', sessionTimeoutMs: 3_000, signal: ending.signal } as const
        for await (const { partition, offset } of topic.consume(options)) seen[index]?.push(`${partition}/${offset}`)
      }
      const first = consume(0)
      await passing(clock, 5_000)
      const second = consume(1)
      await passing(clock, 8_000)
      await topic.producer().sendBatch(Array.from({ length: 40 }, (_, n) => ({ value: 'x', partition: n % 4 })))
      await passing(clock, 3_000)
      ending.abort()
      await Promise.all([first, second])
      return seen
    })
    expect(counts.flat().length).toBe(50)
    expect(new Set(counts.flat()).size).toBe(50)
    expect(counts.map(({ length }) => length)).toEqual([30, 20])
  })

  it('[SL16] goes on when the coordinator of its group is killed', async () => {
    const brokers = await Brokers.ready(3)
    const values = await brokers.with(async (client, clock) => {
      await filled(client, 20, 2, 3)
      await passing(clock, 5_000)
      const { parts } = await client.log.topics.describe('__consumer_offsets')
      const coordinator = parts['g'.charCodeAt(0) % parts.length]?.leader as NodeId
      const values: number[] = []
      for await (const { value } of client.log.topic('t').consume({ group: 'g', from: 'earliest', sessionTimeoutMs: 6_000 })) {
        values.push(Number(value))
        if (values.length === 10) {
          brokers.crash(coordinator)
          brokers.clients.in(4_000, () => brokers.start(coordinator))
        }
        if (values.length === 20) {
          await passing(clock, 10_000)
          await client.log.topic('t').send('20')
        }
        if (values.length > 20) break
      }
      return values
    })
    expect(new Set(values)).toEqual(new Set(numbers(21)))
  })

  it('[SL17] commits what was processed: a record in work is read again', async () => {
    const brokers = await Brokers.ready(1)
    const seen = await brokers.with(async client => {
      await filled(client, 5, 1)
      const topic = client.log.topic('t')
      const auto = topic.consume({ group: 'auto', from: 'earliest' })
      await auto.next()
      await auto.next()
      await auto.return()
      const afterAuto = await topic.consume({ group: 'auto', from: 'earliest' }).next()
      const manual = topic.consume({ group: 'manual', from: 'earliest', commit: 'manual' })
      await manual.next()
      await manual.next()
      await manual.commit()
      await manual.next()
      await manual.return()
      const afterManual = await topic.consume({ group: 'manual', from: 'earliest' }).next()
      return [afterAuto.value?.value, afterManual.value?.value]
    })
    expect(seen).toEqual(['1', '2'])
  })

  it('[SL17] that is stuck leaves its partitions to others, and is told; so is one without a coordinator', async () => {
    const brokers = await Brokers.ready(1)
    const seen = await brokers.with(async (client, clock) => {
      await filled(client, 5, 1)
      const topic = client.log.topic('t')
      const stuck = topic.consume({ group: 'g', from: 'earliest', pollMsMax: 4_000 })
      await stuck.next()
      await passing(clock, 6_000)
      const other = await topic.consume({ group: 'g', from: 'earliest' }).next()
      const error = await failure(stuck.next())
      brokers.crash(brokers.names[0] as NodeId)
      const alone = await failure(topic.consume({ group: 'alone', stallMs: 20_000 }).next())
      return { other, error, alone }
    })
    expect(seen.alone).toMatchObject({ code: 'consumer_stalled' })
    expect(seen.other).toMatchObject({ value: { value: '0' } })
    expect(seen.error).toMatchObject({ code: 'consumer_stalled' })
  })
})

describe('a group', () => {
  it('[SL18] is listed and described, with what is left to read', async () => {
    const brokers = await Brokers.ready(3)
    const seen = await brokers.with(async client => {
      await filled(client, 10, 2, 3)
      const { log } = client
      await using consumer = log.topic('t').consume({ group: 'g', from: 'earliest', commit: 'manual' })
      for (let n = 0; n < 4; n++) await consumer.next()
      await consumer.commit()
      const described = await log.groups.describe('g')
      return { listed: await log.groups.list(), described, unknown: await failure(log.groups.describe('unknown')) }
    })
    expect(seen.listed).toEqual([{ group: 'g', state: 'stable' }])
    expect(seen.described).toMatchObject({ state: 'stable', assignor: 'range' })
    expect(seen.described.members).toMatchObject([{ places: [{ partition: 0 }, { partition: 1 }] }])
    expect(seen.described.offsets.map(({ end }) => end)).toEqual([5, 5])
    expect(seen.described.offsets.reduce((sum, { lag = 0 }) => sum + lag, 0)).toBe(6)
    expect(seen.unknown).toMatchObject({ code: 'unknown_group' })
  })
})
