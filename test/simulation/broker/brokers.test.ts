// Whole brokers under virtual time, asked as Kafka's clients ask.
import { describe, expect, it } from 'vitest'
import { BrokerCluster } from './broker-cluster.ts'

describe('brokers and their coordinators', () => {
  it('[BK1] serve what was produced, in order, though its leader dies, and the dead one follows when it is back', async () => {
    const cluster = await BrokerCluster.ready()
    expect(await cluster.createTopic('t')).toMatchObject({ errorCode: 0, numPartitions: 1, replicationFactor: 3 })
    const leader = cluster.leaderOf('t')!
    for (let n = 0; n < 5; n++)
      expect(await cluster.produce(leader, 't', cluster.batch([`a${n}`]))).toMatchObject({ errorCode: 0, baseOffset: n })
    cluster.crash(leader)
    await cluster.until(() => ![undefined, leader].includes(cluster.leaderOf('t')), 'another leader')
    const next = cluster.leaderOf('t')!
    let row = await cluster.produce(next, 't', cluster.batch(['b0']))
    while (row?.errorCode !== 0) row = await cluster.produce(next, 't', cluster.batch(['b0']))
    expect(await cluster.valuesOf(next, 't')).toEqual(['a0', 'a1', 'a2', 'a3', 'a4', 'b0'])
    cluster.start(leader)
    await cluster.until(() => {
      const metadata = cluster.broker(next)?.service.metadata
      return metadata?.partition(metadata.topic('t')?.id ?? '', 0)?.isr.length === 3
    }, 'all in sync')
  })
})
