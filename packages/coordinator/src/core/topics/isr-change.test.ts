// What a leader may say of who is in sync.
import { describe, expect, it } from 'vitest'
import { createTopic, ScriptedTopics } from './scripted-topics.ts'

function cluster(): ScriptedTopics {
  const one = ScriptedTopics.withBrokers(4)
  one.do(createTopic('t'))
  return one
}

describe('the word of a leader', () => {
  it('[IC1] takes members out and lets them in again, without a new leader epoch', () => {
    const one = cluster()
    expect([one.isr(['1', '2']), one.shape(), one.partition().partitionEpoch]).toEqual(['done', '1 0: 1,2 ()', 1])
    expect([one.isr(['1']), one.shape()]).toEqual(['done', '1 0: 1 (2)'])
    expect([one.isr(['1', '3']), one.shape()]).toEqual(['done', '1 0: 1,3 ()'])
  })

  it('[IC2] is not believed of another epoch, or of another than the leader', () => {
    const one = cluster()
    expect(one.isr(['2', '3'], { by: '2' })).toBe('fenced_leader_epoch')
    expect(one.isr(['1', '2'], { leaderEpoch: 1 })).toBe('unknown_leader_epoch')
    one.fence('1')
    one.settle()
    expect(one.isr(['2', '3'], { leaderEpoch: 0 })).toBe('fenced_leader_epoch')
    // Its registration is over: nothing it says counts at all.
    expect(() => one.isr(['1', '2'], { by: '1' })).toThrow('stale_registration')
    // And the process that came after has not been elected.
    one.start('1')
    expect(one.isr(['1', '2'], { by: '1' })).toBe('fenced_leader_epoch')
  })

  it('[IC3] is not believed when the partition was changed since', () => {
    const one = cluster()
    one.isr(['1', '2'])
    expect(one.isr(['1', '2', '3'], { partitionEpoch: 0 })).toBe('partition_changed')
    expect(one.isr(['1', '2', '3'])).toBe('done')
  })

  it('[IC4] names the leader, and replicas, each once', () => {
    const one = cluster()
    for (const members of [['2', '3'], ['1', '4'], ['1', '2', '2'], []]) expect(one.isr(members)).toBe('invalid_argument')
    expect(one.partition().partitionEpoch).toBe(0)
  })

  it('[IC5] lets nobody in who is away, leaving, or another process than the one that caught up', () => {
    const one = cluster()
    one.isr(['1'])
    const earlier = one.epochs.get('2') ?? 0
    one.start('2')
    expect(one.isr(['1', '2'], { epochs: [one.epochs.get('1') ?? 0, earlier] })).toBe('replica_not_eligible')
    expect(one.isr(['1', '2'])).toBe('done')
    one.leave('3')
    expect(one.isr(['1', '2', '3'])).toBe('replica_not_eligible')
    one.fence('3')
    expect(one.isr(['1', '2', '3'])).toBe('replica_not_eligible')
  })
})
