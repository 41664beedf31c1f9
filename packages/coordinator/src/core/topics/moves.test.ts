// Moving replicas.
import { describe, expect, it } from 'vitest'
import { createTopic, ScriptedTopics } from './scripted-topics.ts'

function cluster(): ScriptedTopics {
  const one = ScriptedTopics.withBrokers(5)
  one.do(createTopic('t', { assignment: [['1', '2', '3'] as never] }))
  return one
}

describe('a move of replicas', () => {
  it('[MV1] adds first, and takes away once what was added is in sync', () => {
    const one = cluster()
    expect(one.move('4', '5', '1')).toBe('done')
    expect(one.partition()).toMatchObject({
      replicas: ['4', '5', '1', '2', '3'],
      adding: ['4', '5'],
      removing: ['2', '3'],
      leader: '1',
      leaderEpoch: 0,
    })
    one.isr(['1', '2', '3', '4'])
    expect(one.partition().adding).toEqual(['4', '5'])
    one.isr(['1', '2', '3', '4', '5'])
    expect(one.partition()).toMatchObject({ replicas: ['4', '5', '1'], adding: [], removing: [], leader: '1' })
    expect(one.shape()).toBe('1 1: 1,4,5 ()')
  })

  it('[MV2] ends with another leader, in a new epoch, when the old one goes', () => {
    const one = cluster()
    one.move('4', '5')
    one.isr(['1', '2', '3', '4', '5'])
    expect([one.shape(), one.partition().replicas]).toEqual(['4 1: 4,5 ()', ['4', '5']])
  })

  it('[MV3] can be called off while others than the new ones are in sync', () => {
    const one = cluster()
    expect(one.move()).toBe('no_reassignment')
    one.move('4', '1', '2')
    one.isr(['1', '2', '3'])
    expect(one.move()).toBe('done')
    expect(one.partition()).toMatchObject({ adding: [], removing: [] })
    expect([...one.partition().replicas].sort()).toEqual(['1', '2', '3'])
    one.move('4', '5')
    one.isr(['1', '4'])
    one.fence('1')
    one.settle()
    expect(one.shape()).toBe('4 2: 4 (1)')
    expect(one.move()).toBe('invalid_assignment')
  })

  it('[MV4] to where they are already only changes who is preferred', () => {
    const one = cluster()
    expect(one.move('3', '2', '1')).toBe('done')
    expect(one.partition()).toMatchObject({ replicas: ['3', '2', '1'], adding: [], removing: [], leader: '1', leaderEpoch: 0 })
    expect(one.elect('preferred')).toBe('done')
    expect([one.partition().leader, one.elect('preferred')]).toEqual(['3', 'election_not_needed'])
    expect([one.move('9'), one.move('1', '1')]).toEqual(['invalid_assignment', 'invalid_assignment'])
  })

  it('[MV5] goes on when its target changes', () => {
    const one = cluster()
    one.move('4', '2', '3')
    one.move('5', '2', '3')
    expect(one.partition()).toMatchObject({ replicas: ['5', '2', '3', '1'], adding: ['5'], removing: ['1'] })
    one.isr(['1', '2', '3', '5'])
    expect(one.partition().replicas).toEqual(['5', '2', '3'])
  })
})
