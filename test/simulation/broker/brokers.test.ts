// Whole brokers under virtual time, asked as Kafka's clients ask.
import { present } from '@atoll/base'
import { describe, expect, it, vi } from 'vitest'
import { type KafkaErrorName, kafkaErrorCode } from '../../../packages/broker/src/kafka/kafka-errors.ts'
import { BrokerCluster, produceOf, recordsIn } from './broker-cluster.ts'

const code = (name: KafkaErrorName): number => kafkaErrorCode(name)

/** With a topic `t` of one partition and three replicas, and its leader. */
async function withTopic(configs: Readonly<Record<string, string>> = {}) {
  const cluster = await BrokerCluster.ready()
  expect(await cluster.createTopic('t', { configs })).toMatchObject({ errorCode: 0, numPartitions: 1, replicationFactor: 3 })
  return { cluster, leader: present(cluster.leaderOf('t'), 'a leader') }
}

describe('brokers and their coordinators', () => {
  it('[BK1] serve what was produced, in order, though its leader dies, and the dead one follows when it is back', async () => {
    const { cluster, leader } = await withTopic()
    for (let n = 0; n < 5; n++)
      expect(await cluster.produce(leader, 't', cluster.batch([`a${n}`]))).toMatchObject({ errorCode: 0, baseOffset: n })
    cluster.crash(leader)
    const next = await cluster.otherLeader('t', leader)
    await cluster.produced(next, 't', cluster.batch(['b0']))
    expect(await cluster.valuesOf(next, 't')).toEqual(['a0', 'a1', 'a2', 'a3', 'a4', 'b0'])
    cluster.start(leader)
    await cluster.until(() => cluster.record('t')?.isr.length === 3, 'all in sync')
  })

  it('[BK2] a leader that the coordinators do not hear from serves nothing once its registration is over, and follows when healed', async () => {
    const { cluster, leader } = await withTopic()
    expect(await cluster.produce(leader, 't', cluster.batch(['a']))).toMatchObject({ errorCode: 0 })
    cluster.cutOff(leader, ...cluster.coordinators)
    await cluster.until(() => cluster.broker(leader)?.registration.believed === undefined, 'the end of its registration')
    expect(await cluster.produce(leader, 't', cluster.batch(['lost']))).toMatchObject({ errorCode: code('not_leader_or_follower') })
    expect(await cluster.fetch(leader, 't')).toMatchObject({ errorCode: code('not_leader_or_follower') })
    const next = await cluster.otherLeader('t', leader)
    await cluster.produced(next, 't', cluster.batch(['b']))
    cluster.cutOff(leader)
    await cluster.until(() => cluster.record('t')?.isr.length === 3, 'all in sync')
    expect(await cluster.valuesOf(next, 't')).toEqual(['a', 'b'])
  })

  it('[BK2] a leader that is registered anew serves nothing before it hears who leads now', async () => {
    const { cluster, leader } = await withTopic()
    expect(await cluster.produce(leader, 't', cluster.batch(['a']))).toMatchObject({ errorCode: 0 })
    const { registration, service } = present(cluster.broker(leader), 'a broker that runs')
    vi.spyOn(service.metadata, 'take').mockReturnValue()
    vi.spyOn(service.metadata, 'replace').mockReturnValue()
    cluster.cutOff(leader, ...cluster.coordinators)
    await cluster.until(() => registration.believed === undefined, 'the end of its registration')
    const next = await cluster.otherLeader('t', leader)
    await cluster.produced(next, 't', cluster.batch(['b']))
    cluster.cutOff(leader)
    await cluster.until(() => registration.believed !== undefined, 'another registration')
    expect(await cluster.produce(leader, 't', cluster.batch(['lost']))).toMatchObject({ errorCode: code('not_leader_or_follower') })
    expect(await cluster.valuesOf(next, 't')).toEqual(['a', 'b'])
  })

  it('[BK3] a broker that stops in order hands over what it leads before it is gone', async () => {
    const { cluster, leader } = await withTopic()
    await cluster.produced(leader, 't', cluster.batch(['a']))
    cluster.machine(leader).stop()
    await cluster.until(() => cluster.leaderOf('t') !== leader, 'another leader')
    expect([cluster.machine(leader).state, cluster.leaderOf('t')]).toEqual(['running', expect.stringMatching(/^broker-/)])
    await cluster.until(() => cluster.machine(leader).exitCode !== undefined, 'its end')
    expect(cluster.machine(leader).exitCode).toBe(0)
    const next = present(cluster.leaderOf('t'), 'a leader')
    await cluster.produced(next, 't', cluster.batch(['b']))
    expect(await cluster.valuesOf(next, 't')).toEqual(['a', 'b'])
  })

  it('[BK4] comes back with everything after all of them were killed, and nothing was lost', async () => {
    const { cluster, leader } = await withTopic()
    for (let n = 0; n < 3; n++) await cluster.produced(leader, 't', cluster.batch([`a${n}`]))
    const all = [...cluster.coordinators, ...cluster.brokers]
    for (const name of all) cluster.crash(name)
    for (const name of all) cluster.start(name)
    await cluster.until(() => cluster.broker(leader)?.service.metadata.liveBrokers().length === 3, 'ready brokers')
    await cluster.until(() => cluster.leaderOf('t') !== undefined, 'a leader')
    const next = present(cluster.leaderOf('t'), 'a leader')
    await cluster.produced(next, 't', cluster.batch(['b']))
    expect(await cluster.valuesOf(next, 't')).toEqual(['a0', 'a1', 'a2', 'b'])
  })

  it('[BK5] a topic is known where it was made once that is answered; deleted, its name is free at once and its files go', async () => {
    const { cluster } = await withTopic()
    const names = { topics: [{ name: 't', topicId: '0'.repeat(32) }] }
    const {
      topics: [before],
    } = present(await cluster.ask(cluster.brokers[0]!, 'metadata', 12, names), 'metadata')
    expect(before).toMatchObject({ errorCode: 0, partitions: [{ errorCode: 0, isrNodes: [1, 2, 3].map(() => expect.any(Number)) }] })
    expect(await cluster.createTopic('t')).toMatchObject({ errorCode: code('topic_already_exists') })
    expect(await cluster.createTopic('a/b')).toMatchObject({ errorCode: code('invalid_topic_exception') })
    expect(await cluster.createTopic('u', { replicas: 4 })).toMatchObject({ errorCode: code('invalid_replication_factor') })
    expect(await cluster.createTopic('u', { configs: { 'no.such': '1' } })).toMatchObject({ errorCode: code('invalid_config') })
    await cluster.produced(present(cluster.leaderOf('t'), 'a leader'), 't', cluster.batch(['old']))
    const deleted = await cluster.ask(cluster.brokers[0]!, 'deleteTopics', 5, { topicNames: ['t', 'nope'], timeoutMs: 5_000 })
    expect(deleted?.responses.map(({ errorCode }) => errorCode)).toEqual([0, code('unknown_topic_or_partition')])
    expect(await cluster.createTopic('t')).toMatchObject({ errorCode: 0, topicId: expect.not.stringContaining(before?.topicId ?? '') })
    const leader = present(cluster.leaderOf('t'), 'a leader')
    await cluster.produced(leader, 't', cluster.batch(['new']))
    expect(await cluster.valuesOf(leader, 't')).toEqual(['new'])
    await cluster.until(
      () => cluster.brokers.every(name => cluster.copies(name).every(key => !key.startsWith(before?.topicId ?? ''))),
      'no copies',
    )
  })

  it('[BK6] a batch is refused for what is wrong with it, in its row; with acks 0 the connection ends', async () => {
    const { cluster, leader } = await withTopic({ 'cleanup.policy': 'compact', 'max.message.bytes': '2000' })
    const refused = async (name: KafkaErrorName, records: Uint8Array, topic = 't', acks = -1) =>
      expect(await cluster.produce(leader, topic, records, acks)).toMatchObject({ errorCode: code(name), baseOffset: -1 })
    await refused('unknown_topic_or_partition', cluster.batch(['a']), 'nope')
    await refused('invalid_topic_exception', cluster.batch(['a']), '__consumer_offsets')
    await refused('message_too_large', cluster.batch(['a'.repeat(3_000)]))
    await refused('invalid_record', cluster.batch(['without a key']))
    await refused('invalid_required_acks', cluster.batch(['a']), 't', 2)
    const damaged = cluster.batch(['a'])
    damaged[damaged.length - 1]! ^= 1
    await refused('corrupt_message', damaged)
    const elsewhere = present(
      cluster.brokers.find(name => name !== leader),
      'another broker',
    )
    expect(await cluster.produce(elsewhere, 't', cluster.batch(['a']))).toMatchObject({ errorCode: code('not_leader_or_follower') })
    expect(await cluster.produce(leader, 't', cluster.batch(['without a key']), 0)).toBeUndefined()
  })

  it('[BK7] a fetch waits for records as long as it may, and is answered when there are enough', async () => {
    const { cluster, leader } = await withTopic()
    const startMs = cluster.simulation.nowMs
    expect(await cluster.fetch(leader, 't', 0, { maxWaitMs: 700 })).toMatchObject({ errorCode: 0, highWatermark: 0 })
    expect(cluster.simulation.nowMs - startMs).toBeGreaterThanOrEqual(700)
    cluster.askLater(400, leader, 'produce', 9, produceOf('t', cluster.batch(['a', 'b'])))
    const found = await cluster.fetch(leader, 't', 0, { maxWaitMs: 30_000 })
    expect(recordsIn(found.records).map(({ value }) => Buffer.from(value ?? []).toString())).toEqual(['a', 'b'])
    expect(cluster.simulation.nowMs - startMs).toBeLessThan(5_000)
    expect(await cluster.fetch(leader, 't', 3, { maxWaitMs: 30_000 })).toMatchObject({ errorCode: code('offset_out_of_range') })
    expect(await cluster.fetch(leader, 'nope', 0, { maxWaitMs: 30_000 })).toMatchObject({ errorCode: code('unknown_topic_or_partition') })
    // One batch comes whole, however little was asked for.
    expect(recordsIn((await cluster.fetch(leader, 't', 1, { maxBytes: 1 }, 1)).records)).toHaveLength(2)
  })

  it('[BK8] offsets are found at both ends and by time, and settings are all shown', async () => {
    const { cluster, leader } = await withTopic({ 'retention.ms': '5000' })
    for (const timestampMs of [1_000, 2_000, 3_000]) {
      const batch = cluster.batch(['a'], undefined, timestampMs)
      await cluster.produced(leader, 't', batch)
    }
    const offsetAt = async (timestamp: number) => {
      const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }]
      const answer = await cluster.ask(leader, 'listOffsets', 5, { replicaId: -1, topics: [{ name: 't', partitions }] })
      return answer?.topics[0]?.partitions[0]
    }
    expect(await offsetAt(-2)).toMatchObject({ errorCode: 0, offset: 0 })
    expect(await offsetAt(-1)).toMatchObject({ errorCode: 0, offset: 3 })
    expect(await offsetAt(1_500)).toMatchObject({ errorCode: 0, offset: 1, timestamp: 2_000 })
    expect(await offsetAt(9_000)).toMatchObject({ errorCode: 0, offset: -1, timestamp: -1 })
    expect(await offsetAt(-3)).toMatchObject({ errorCode: code('unsupported_version') })
    const resources = [{ resourceType: 2, resourceName: 't', configurationKeys: null }]
    const configs = (await cluster.ask(leader, 'describeConfigs', 4, { resources }))?.results[0]?.configs ?? []
    const shown = new Map(configs.map(({ name, value, configSource }) => [name, [value, configSource]]))
    expect(shown.get('retention.ms')).toEqual(['5000', 1])
    expect(shown.get('min.insync.replicas')).toEqual(['2', 5])
    expect(shown.size).toBeGreaterThan(20)
  })

  it('[BK9] producers get ids that nobody else has, at every broker', async () => {
    const { cluster } = await withTopic()
    const ids: number[] = []
    for (const broker of [...cluster.brokers, ...cluster.brokers]) {
      const request = { transactionalId: null, transactionTimeoutMs: 0, producerId: -1, producerEpoch: -1 }
      const answer = await cluster.ask(broker, 'initProducerId', 4, request)
      expect(answer).toMatchObject({ errorCode: 0, producerEpoch: 0 })
      ids.push(answer?.producerId ?? -1)
    }
    expect(new Set(ids).size).toBe(ids.length)
    const transactional = { transactionalId: 'x', transactionTimeoutMs: 0, producerId: -1, producerEpoch: -1 }
    expect((await cluster.ask(cluster.brokers[0]!, 'initProducerId', 4, transactional))?.errorCode).not.toBe(0)
  })

  it('[BK10] a retry after the leader died is written once', async () => {
    const { cluster, leader } = await withTopic()
    const batch = (baseSequence: number) => cluster.batch([`s${baseSequence}`], { id: 7, epoch: 0, baseSequence })
    for (const sequence of [0, 1]) await cluster.produced(leader, 't', batch(sequence))
    cluster.crash(leader)
    const next = await cluster.otherLeader('t', leader)
    expect(await cluster.produced(next, 't', batch(1))).toMatchObject({ baseOffset: 1 })
    expect(await cluster.produce(next, 't', batch(3))).toMatchObject({ errorCode: code('out_of_order_sequence_number') })
    expect(await cluster.produced(next, 't', batch(2))).toMatchObject({ baseOffset: 2 })
    expect(await cluster.valuesOf(next, 't')).toEqual(['s0', 's1', 's2'])
  })

  it('[BK11] a broker that was away for long, while the coordinators forgot what changed, knows what there is', async () => {
    const { cluster, leader } = await withTopic()
    const away = present(
      cluster.brokers.find(name => name !== leader && name !== 'broker-1'),
      'another broker',
    )
    cluster.cutOff(away, ...cluster.coordinators)
    await cluster.createTopic('u')
    await cluster.withClient(async ({ kv }) => {
      const { revision } = await kv.put('x', '1')
      await kv.compact(revision)
    })
    cluster.cutOff(away)
    await cluster.until(() => cluster.broker(away)?.service.metadata.topic('u') !== undefined, 'what it missed')
    await cluster.until(() => cluster.record('t')?.isr.length === 3, 'all in sync')
  })

  it('[BK13] records are deleted up to an offset, and the log begins there', async () => {
    const { cluster, leader } = await withTopic()
    for (const value of ['a', 'b', 'c']) await cluster.produced(leader, 't', cluster.batch([value]))
    const deleted = async (topic: string, offset: number) => {
      const request = { topics: [{ name: topic, partitions: [{ partitionIndex: 0, offset }] }], timeoutMs: 5_000 }
      return (await cluster.ask(leader, 'deleteRecords', 2, request))?.topics[0]?.partitions[0]
    }
    expect(await deleted('t', 2)).toMatchObject({ errorCode: 0, lowWatermark: 2 })
    expect(await cluster.fetch(leader, 't', 1)).toMatchObject({ errorCode: code('offset_out_of_range'), logStartOffset: 2 })
    expect(recordsIn((await cluster.fetch(leader, 't', 2)).records)).toHaveLength(1)
    expect(await deleted('t', 9)).toMatchObject({ errorCode: code('offset_out_of_range') })
    expect(await deleted('__consumer_offsets', 0)).toMatchObject({ errorCode: code('invalid_topic_exception') })
    expect(await deleted('nope', 0)).toMatchObject({ errorCode: code('unknown_topic_or_partition') })
  })

  it('[BK12] the same seed gives the same run', async () => {
    const hashes = []
    for (let run = 0; run < 2; run++) {
      const { cluster, leader } = await withTopic()
      await cluster.produced(leader, 't', cluster.batch(['a']))
      hashes.push(cluster.simulation.traceHash)
    }
    expect(hashes[0]).toBe(hashes[1])
  })
})
