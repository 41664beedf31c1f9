// Topics: creating, changing and deleting them, and what is refused.
import { PARTITION_PREFIX, PARTITIONS_PER_REQUEST_MAX, PRODUCER_ID_BLOCK } from '@atoll/protocol'
import { describe, expect, it } from 'vitest'
import type { CommandOf } from '../commands.ts'
import { onceOf } from '../scripted-state.ts'
import { allWith } from '../selection.ts'
import { createTopic, idText, nodeOf, ScriptedTopics, topicId } from './scripted-topics.ts'
import { checkTopicConfigs } from './settings.ts'

const never = onceOf(0, 0, 0)
const remove = (name: string, id = ''): CommandOf<'topic_delete'> => ({ kind: 'topic_delete', ...never, name, id })
const grow = (partitions: number, assignment: string[][] = []): CommandOf<'topic_grow'> => ({
  kind: 'topic_grow',
  ...never,
  name: 't',
  partitions,
  assignment: assignment.map(replicas => replicas.map(nodeOf)),
  validateOnly: false,
})
const configure = (set: Record<string, string>, unset: string[] = []): CommandOf<'topic_configure'> => ({
  kind: 'topic_configure',
  ...never,
  name: 't',
  set: Object.entries(set).map(([name, value]) => ({ name, value })),
  unset,
  validateOnly: false,
})
const partitionKeys = (one: ScriptedTopics) =>
  [...one.state.store.scan(allWith(PARTITION_PREFIX), one.state.store.revision)].filter(([, version]) => version)

describe('a topic', () => {
  it('[TO1] has its partitions, led by their first replica, in one revision', () => {
    const one = ScriptedTopics.withBrokers(3)
    const before = one.revision
    const answer = one.do(createTopic('t', { partitions: 3, configs: [{ name: 'retention.ms', value: '1' }] }))
    expect(answer).toEqual({ revision: before + 1, id: idText(1), partitions: 3, replicationFactor: 3 })
    expect(one.topic('t')).toMatchObject({ id: idText(1), partitions: 3, internal: false, configs: [{ name: 'retention.ms', value: '1' }] })
    expect([0, 1, 2].map(n => one.shape('t', n))).toEqual(['1 0: 1,2,3 ()', '2 0: 2,3,1 ()', '3 0: 3,1,2 ()'])
    expect(one.partition('t', 1)).toMatchObject({ partitionEpoch: 0, minIsr: 2, flush: 'disk', uncleanEpoch: undefined })
  })

  it('[TO2] is created as it is told, or only tried', () => {
    const one = ScriptedTopics.withBrokers(3)
    const tried = one.do(createTopic('t', { partitions: 2, validateOnly: true }))
    expect([tried.partitions, one.topic('t')]).toEqual([2, undefined])
    one.do(createTopic('t', { assignment: [['3', '1'].map(nodeOf), ['2', '3'].map(nodeOf)] }))
    expect([0, 1].map(n => one.partition('t', n).replicas)).toEqual([
      ['3', '1'],
      ['2', '3'],
    ])
  })

  it('[TO3] is refused under a name that is taken or none, and with what cannot be', () => {
    const one = ScriptedTopics.withBrokers(3)
    one.do(createTopic('t'))
    const refused = (rest: Parameters<typeof createTopic>[1], name = 'u') => one.refusal(createTopic(name, rest))
    expect(refused({}, 't')).toBe('topic_exists')
    for (const name of ['', '.', '..', 'a b', 'ä', '/']) expect(refused({}, name)).toBe('invalid_topic')
    expect(refused({ partitions: 0 })).toBe('invalid_partitions')
    expect(refused({ replicationFactor: 4 })).toBe('invalid_replication_factor')
    expect(refused({ replicationFactor: 0 })).toBe('invalid_replication_factor')
    for (const replicas of [['1', '1'], ['9'], []]) expect(refused({ assignment: [replicas.map(nodeOf)] })).toBe('invalid_assignment')
    expect(refused({ assignment: [['1'].map(nodeOf), ['1', '2'].map(nodeOf)] })).toBe('invalid_assignment')
    expect(refused({ id: new Uint8Array(16) })).toBe('invalid_argument')
    const twice = { name: 'retention.ms', value: '1' }
    expect(refused({ configs: [twice, twice] })).toBe('invalid_config')
    expect(one.topic('u')).toBeUndefined()
  })

  it('[TO4] that is deleted leaves its name free at once, and shares nothing with the next of that name', () => {
    const one = ScriptedTopics.withBrokers(3)
    one.do(createTopic('t', { partitions: PARTITIONS_PER_REQUEST_MAX }))
    one.do(grow(PARTITIONS_PER_REQUEST_MAX + 10))
    expect(one.refusal(remove('t', idText(2)))).toBe('unknown_topic')
    one.do(remove('t', idText(1)))
    // What one command cannot remove is swept afterwards, and is no partition of anybody meanwhile.
    expect(partitionKeys(one)).toHaveLength(10)
    one.do(createTopic('t', { id: topicId(2) }))
    const old = { topicId: idText(1), partition: PARTITIONS_PER_REQUEST_MAX }
    expect(one.do({ kind: 'partitions_settle', partitions: [old] }).outcomes).toMatchObject([{ code: 107 }])
    expect(one.refusal({ kind: 'topic_sweep', name: 't', topicId: idText(2) })).toBe('invalid_topic')
    one.do({ kind: 'topic_sweep', name: 't', topicId: idText(1) })
    expect(partitionKeys(one)).toHaveLength(1)
    expect(one.refusal(remove('nobody'))).toBe('unknown_topic')
  })

  it('[TO5] of the cluster itself is not deleted', () => {
    const one = ScriptedTopics.withBrokers(3)
    one.do(createTopic('__consumer_offsets', { internal: true }))
    expect(one.refusal(remove('__consumer_offsets'))).toBe('invalid_topic')
  })

  it('[TO6] only grows, and placement goes on where it stopped', () => {
    const one = ScriptedTopics.withBrokers(3)
    one.do(createTopic('t', { partitions: 2 }))
    one.do(grow(4))
    expect([0, 1, 2, 3].map(n => one.partition('t', n).leader)).toEqual(['1', '2', '3', '1'])
    expect([4, 3, 0].map(n => one.refusal(grow(n)))).toEqual(Array(3).fill('invalid_partitions'))
    expect(one.refusal(grow(6, [['1']]))).toBe('invalid_assignment')
    one.do(grow(5, [['3', '2', '1']]))
    expect([one.topic('t')?.partitions, one.partition('t', 4).leader]).toEqual([5, '3'])
  })

  it('[TO7] is told otherwise, and its partitions follow when they are settled', () => {
    const one = ScriptedTopics.withBrokers(3)
    one.do(createTopic('t', { configs: [{ name: 'retention.ms', value: '1' }] }))
    const { configs } = one.do(configure({ 'min.insync.replicas': '3', flush: 'os' }, ['retention.ms']))
    expect(configs.map(({ name }) => name)).toEqual(['min.insync.replicas', 'flush'])
    one.settle()
    expect(one.partition()).toMatchObject({ minIsr: 3, flush: 'os', leaderEpoch: 0, partitionEpoch: 1 })
    one.do(configure({}, ['min.insync.replicas', 'flush']))
    one.settle()
    expect(one.partition()).toMatchObject({ minIsr: 2, flush: 'disk' })
  })

  it('[TO8] is told only what there is to be told, before that is proposed', () => {
    checkTopicConfigs([
      { name: 'cleanup.policy', value: 'compact,delete' },
      { name: 'retention.ms', value: '-1' },
    ])
    for (const [name, value] of [
      ['no.such.thing', '1'],
      ['cleanup.policy', 'burn'],
      ['retention.ms', '-2'],
      ['min.insync.replicas', '0'],
      ['flush', 'sometimes'],
    ] as const)
      expect(() => checkTopicConfigs([{ name, value }])).toThrow(expect.objectContaining({ code: 'invalid_config' }))
  })

  it('[TO9] of many partitions takes bounded commands: no more than the store may hold', () => {
    const one = ScriptedTopics.withBrokers(1)
    const refusals: unknown[] = []
    for (let n = 0; n < 41; n++) {
      const { answer } = one.apply(
        createTopic(`t${n}`, { id: topicId(n + 1), partitions: PARTITIONS_PER_REQUEST_MAX, replicationFactor: 1 }),
      )
      if (!answer.ok) refusals.push(answer.code)
    }
    expect(refusals).toEqual(['invalid_partitions'])
    one.do(remove('t0'))
    one.do(createTopic('again', { id: topicId(99), replicationFactor: 1 }))
  })
})

describe('producer ids', () => {
  it('[PI1] are given in blocks, none ever twice, also after restoring', () => {
    let one = ScriptedTopics.withBrokers(2)
    const blocks: number[] = []
    for (const node of ['1', '2', '1']) {
      blocks.push(one.do({ kind: 'producer_ids', ...never, ...one.as(node) }).first)
      const next = new ScriptedTopics(one.restored().state)
      for (const [name, epoch] of one.epochs) next.epochs.set(name, epoch)
      one = next
    }
    expect(blocks).toEqual([0, PRODUCER_ID_BLOCK, 2 * PRODUCER_ID_BLOCK])
    one.fence('1')
    expect(one.refusal({ kind: 'producer_ids', ...never, ...one.as('1') })).toBe('stale_registration')
  })
})
