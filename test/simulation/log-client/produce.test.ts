// What a producer and a consumer promise, on real brokers under virtual time.
import { describe, expect, it } from 'vitest'
import { Brokers } from './with-brokers.ts'

describe('a topic', () => {
  it('[SL1] is created, described, written and read', async () => {
    const brokers = await Brokers.ready()
    const seen = await brokers.with(async ({ log }) => {
      await log.topics.create('orders', { partitions: 3, replicas: 3 })
      const orders = log.topic('orders')
      const sent = await Promise.all(['a', 'b', 'c'].map(key => orders.send({ key, value: `of ${key}` })))
      const read: string[] = []
      for await (const { key, value } of orders.consume({ from: 'earliest', exitAtEnd: true })) read.push(`${key}: ${value}`)
      const described = await log.topics.describe('orders')
      return { sent, read: read.toSorted(), parts: described.parts.map(({ isr, highWatermark }) => [isr.length, highWatermark]) }
    })
    expect(seen.read).toEqual(['a: of a', 'b: of b', 'c: of c'])
    expect(seen.parts.map(([isr]) => isr)).toEqual([3, 3, 3])
  })
})
