// Who is in sync and who leads, as brokers come and go. Partitions have three replicas and need two in sync, unless said.
import { describe, expect, it } from 'vitest'
import { rev } from '../scripted-state.ts'
import { createTopic, ScriptedTopics } from './scripted-topics.ts'

function cluster(configs: Record<string, string> = {}, brokers = 3): ScriptedTopics {
  const one = ScriptedTopics.withBrokers(brokers)
  one.do(
    createTopic('t', {
      replicationFactor: Math.min(3, brokers),
      configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
    }),
  )
  return one
}

const gone = (one: ScriptedTopics, ...nodes: string[]) => {
  for (const node of nodes) {
    one.fence(node)
    one.settle()
  }
}

describe('a partition whose brokers come and go', () => {
  it('[PE1] elects from those in sync when its leader is gone, in a new epoch', () => {
    const one = cluster()
    gone(one, '1')
    expect(one.shape()).toBe('2 1: 2,3 ()')
    gone(one, '3')
    // A follower that goes is no change of leader.
    expect(one.shape()).toBe('2 1: 2 (3)')
  })

  it('[PE2] keeps the last one in sync though it is away, and leads on when that is back', () => {
    const one = cluster({ 'min.insync.replicas': '1' })
    gone(one, '2', '3', '1')
    expect(one.shape()).toBe('none 1: 1 ()')
    one.start('2')
    one.settle()
    expect(one.shape()).toBe('none 1: 1 ()')
    one.start('1')
    one.settle()
    expect(one.shape()).toBe('1 2: 1 ()')
  })

  it('[PE3] B4: elects who left while too few were in sync to commit anything', () => {
    const one = cluster()
    gone(one, '3', '2', '1')
    // 3 left when two were in sync, and two may commit; 2 left when one was, and one may not.
    expect(one.shape()).toBe('none 1: 1 (2)')
    one.start('3')
    one.settle()
    expect(one.shape()).toBe('none 1: 1 (2)')
    one.start('2')
    one.settle()
    expect(one.shape()).toBe('2 2: 2 (1)')
    expect(one.isr(['2', '3'])).toBe('done')
    // Two may commit: who is not among them is not to be elected any more.
    expect(one.shape()).toBe('2 2: 2,3 ()')
  })

  it('[PE4] B4: never elects who lost what it had, last one or not', () => {
    const one = cluster()
    gone(one, '3', '2', '1')
    one.start('1', { disk: 'disk-new', replaces: 'disk-1' })
    one.settle()
    expect(one.shape()).toBe('none 1:  (2)')
    one.start('2')
    one.settle()
    expect(one.shape()).toBe('2 2: 2 ()')
  })

  it('[PE5] takes a process that started anew out of sync where others went on, and bumps the epoch where it led', () => {
    const one = cluster()
    one.start('1')
    one.settle()
    expect(one.shape()).toBe('2 1: 2,3 ()')
    one.start('3')
    one.settle()
    expect(one.shape()).toBe('2 1: 2 (3)')
    one.start('2')
    one.settle()
    // Nobody else is in sync and there: it leads on, as another process.
    expect(one.shape()).toBe('2 2: 2 (3)')
    expect(one.partition().isr[0]?.epoch).toBe(one.epochs.get('2'))
  })

  it('[PE6] is back with everything after all were killed at once', () => {
    const one = cluster()
    for (const node of ['1', '2', '3']) one.fence(node)
    one.settle()
    expect(one.shape()).toBe('none 1: 1,2,3 ()')
    one.start('3')
    one.settle()
    expect(one.shape()).toBe('3 2: 3 (1,2)')
    one.start('1')
    one.settle()
    expect(one.shape()).toBe('3 2: 3 (1,2)')
    expect(one.isr(['3', '1'])).toBe('done')
  })

  it('[PE7] with flush: disk does not mind that machines went down; with flush: os it does', () => {
    for (const [flush, expected] of [
      ['disk', '1 1: 1 (2)'],
      ['os', 'none 1:  (2)'],
    ] as const) {
      const one = cluster({ flush })
      gone(one, '3', '2')
      one.fence('1')
      one.start('1', { bootId: 'boot-2' })
      one.settle()
      expect(one.shape()).toBe(expected)
    }
  })

  it('[PE7] counts an ordered stop before the machine went down as having synced', () => {
    const one = cluster({ flush: 'os' })
    gone(one, '3', '2')
    one.stop('1')
    one.settle()
    one.start('1', { bootId: 'boot-2', cleanEpoch: rev(one.epochs.get('1') ?? 0) })
    one.settle()
    expect(one.shape()).toMatch(/^1 \d: 1 \(2\)$/)
  })

  it('[PE8] remembers a disk that was lost, however often it registered since', () => {
    const one = cluster()
    gone(one, '3', '2', '1')
    one.boot('1', { disk: 'disk-new', replaces: 'disk-1' })
    one.boot('1', { disk: 'disk-new' })
    one.start('1', { disk: 'disk-new' })
    one.settle()
    expect(one.shape()).toBe('none 1:  (2)')
  })

  it('[PE9] elects somebody else only if asked to lose records, and says that it did', () => {
    const one = cluster()
    gone(one, '3', '2', '1')
    one.start('3')
    one.settle()
    expect(one.elect('preferred')).toBe('leader_not_available')
    expect(one.elect('unclean')).toBe('done')
    expect([one.shape(), one.partition().uncleanEpoch]).toEqual(['3 2: 3 ()', 2])
    expect(one.elect('unclean')).toBe('election_not_needed')
    one.start('1')
    expect(one.isr(['3', '1'])).toBe('done')
    expect(one.partition().uncleanEpoch).toBe(2)
    const asked = cluster({ 'unclean.leader.election.enable': 'true' })
    gone(asked, '3', '2', '1')
    asked.start('3')
    asked.settle()
    expect(asked.shape()).toBe('3 2: 3 ()')
  })

  it('[PE10] is handed over by a broker that leaves, unless nobody else is in sync', () => {
    const one = cluster()
    one.leave('1')
    one.settle()
    expect(one.shape()).toBe('2 1: 2,3 ()')
    one.leave('2')
    one.leave('3')
    one.settle()
    expect(one.shape()).toBe('2 1: 2,3 ()')
    one.stop('2')
    one.settle()
    expect(one.shape()).toBe('3 2: 3 (2)')
  })

  it('[PE11] goes on without a leader that resigns, and without a copy that is lost', () => {
    const one = cluster()
    expect(one.yield('1', false)).toBe('done')
    expect(one.shape()).toBe('2 1: 2,3 ()')
    expect(one.yield('3', true)).toBe('done')
    // What it had is gone: it is not to be elected either.
    expect(one.shape()).toBe('2 1: 2 ()')
    expect(one.yield('2', false)).toBe('done')
    expect(one.shape()).toBe('2 1: 2 ()')
    expect(one.yield('2', true)).toBe('done')
    expect(one.shape()).toBe('none 2:  ()')
  })

  it('[PE12] has only members that are ready: a process that still finds out what it has neither leads nor joins', () => {
    const one = cluster()
    gone(one, '1')
    one.boot('1')
    expect(one.isr(['2', '3', '1'])).toBe('replica_not_eligible')
    one.ready('1')
    expect(one.isr(['2', '3', '1'])).toBe('done')
    expect(one.elect('preferred')).toBe('done')
    expect(one.shape()).toBe('1 2: 2,3,1 ()')
  })

  it('[PE13] forgets who may be elected once fewer are enough to commit', () => {
    const one = cluster()
    gone(one, '3', '2')
    expect(one.shape()).toBe('1 0: 1 (2)')
    one.do({
      kind: 'topic_configure',
      session: 0 as never,
      sequence: 0,
      answeredBelow: 0,
      name: 't',
      set: [{ name: 'min.insync.replicas', value: '1' }],
      unset: [],
      validateOnly: false,
    })
    // Until it is settled the leader still needs two, so nothing is committed without 2.
    expect(one.partition().minIsr).toBe(2)
    one.settle()
    expect(one.shape()).toBe('1 0: 1 ()')
  })

  it('[PE14] that is settled stays as it is', () => {
    const one = cluster()
    gone(one, '1')
    const [before, revision] = [one.partition(), one.revision]
    one.settle()
    expect([one.partition(), one.revision]).toEqual([before, revision])
  })
})
