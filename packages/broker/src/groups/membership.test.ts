// Members of a group: joining, assigning, staying alive and leaving.
import { describe, expect, it } from 'vitest'
import { bytesOf, commit, heartbeat, join, leave, ScriptedGroups, sync, textOf } from './scripted-groups.ts'

const groups = (settings = {}) => new ScriptedGroups(settings)
const beat = (one: ScriptedGroups, id: string, generation: number, instance?: string) => {
  const answer = one.answer(one.send(heartbeat(id, generation, instance)))
  return answer?.kind === 'heartbeat' ? answer.error : 'waits'
}
const state = (one: ScriptedGroups) => {
  const answer = one.answer(one.send({ kind: 'describe', groupId: 'g' }))
  return answer?.kind === 'describe' ? answer.state : 'none'
}

describe('a group', () => {
  it('[GR1] has its first round at once: nobody waits for members that may come', () => {
    const one = groups()
    const answer = one.joined(one.send(join()))
    expect(answer).toMatchObject({ error: 'none', generation: 1, protocol: 'range', protocolType: 'consumer', leader: answer.memberId })
    expect(answer.members.map(({ metadata }) => textOf(metadata))).toEqual(['topics'])
    expect(one.synced(one.send(sync(answer.memberId, 1, { [answer.memberId]: 'all' })))).toBe('all')
    expect([state(one), beat(one, answer.memberId, 1)]).toEqual(['stable', 'none'])
  })

  it('[GR1] waits for more where it is told to', () => {
    const one = groups({ joinDelayMs: 3_000 })
    const requests = [one.send(join()), one.send(join())]
    one.pass(2_999)
    expect(requests.map(request => one.answer(request))).toEqual([undefined, undefined])
    one.pass(1)
    expect(requests.map(request => one.joined(request).generation)).toEqual([1, 1])
  })

  it('[GR2] has one leader, who alone is told of all members, and gives each what it gets', () => {
    const one = groups()
    const { ids, generation } = one.stable(3)
    expect(generation).toBe(3)
    expect(ids.map(id => one.synced(one.send(sync(id, 3))))).toEqual(['a1', 'a2', 'a3'])
  })

  it('[GR3] with somebody new makes everybody join again', () => {
    const one = groups()
    const { ids } = one.stable(2)
    const [a = '', b = ''] = ids
    const added = one.send(join())
    expect([beat(one, a, 2), state(one)]).toEqual(['rebalance_in_progress', 'preparing_rebalance'])
    expect(one.answer(added)).toBeUndefined()
    const again = [a, b].map(memberId => one.send(join({ memberId })))
    expect(
      [...again, added].map(request => one.joined(request)).map(({ generation, leader, members }) => [generation, leader, members.length]),
    ).toEqual([
      [3, a, 3],
      [3, a, 0],
      [3, a, 0],
    ])
  })

  it('[GR4] refuses who speaks of another round, or is no member', () => {
    const one = groups()
    const [a = ''] = one.stable(1).ids
    expect([beat(one, a, 0), beat(one, a, 2), beat(one, 'x', 1), one.synced(one.send(sync(a, 2)))]).toEqual([
      'illegal_generation',
      'illegal_generation',
      'unknown_member_id',
      'illegal_generation',
    ])
    expect(one.joined(one.send(join({ memberId: 'x' }))).error).toBe('unknown_member_id')
    expect(one.joined(one.send(join({ groupId: 'none', memberId: 'x' }))).error).toBe('unknown_member_id')
    expect(one.joined(one.send(join({ groupId: '' }))).error).toBe('invalid_group_id')
    for (const sessionTimeoutMs of [1, 1e9]) expect(one.joined(one.send(join({ sessionTimeoutMs }))).error).toBe('invalid_session_timeout')
  })

  it('[GR5] gives clients that know about it an id first, and waits for those who have one', () => {
    const one = groups()
    const first = one.joined(one.send(join({ idFirst: true })))
    expect([first.error, first.generation, state(one)]).toEqual(['member_id_required', -1, 'empty'])
    const again = one.joined(one.send(join({ idFirst: true, memberId: first.memberId })))
    expect([again.error, again.generation, again.memberId]).toEqual(['none', 1, first.memberId])
    one.send(sync(first.memberId, 1))
    // A second one takes its id and vanishes: the round does not wait for it longer than its session.
    const second = one.joined(one.send(join({ idFirst: true })))
    const third = one.send(join())
    one.send(join({ memberId: first.memberId }))
    expect(one.answer(third)).toBeUndefined()
    one.pass(10_000)
    expect([one.joined(third).generation, one.joined(one.send(join({ memberId: second.memberId }))).error]).toEqual([
      2,
      'unknown_member_id',
    ])
  })

  it('[GR6] goes on without a member whose session ends, which was the leader or not', () => {
    const one = groups()
    const [a = '', b = ''] = one.stable(2).ids
    one.pass(9_000)
    expect(beat(one, b, 2)).toBe('none')
    one.pass(1_500)
    expect(beat(one, b, 2)).toBe('rebalance_in_progress')
    const again = one.joined(one.send(join({ memberId: b })))
    expect([again.generation, again.leader, beat(one, a, 3)]).toEqual([3, b, 'unknown_member_id'])
    one.pass(20_000)
    expect(state(one)).toBe('empty')
  })

  it('[GR7] goes on without members that do not join again in time', () => {
    const one = groups()
    const [a = '', b = ''] = one.stable(2, { rebalanceTimeoutMs: 5_000 }).ids
    const added = one.send(join({ rebalanceTimeoutMs: 5_000 }))
    const again = one.send(join({ memberId: b, rebalanceTimeoutMs: 5_000 }))
    one.pass(4_999)
    expect(beat(one, a, 2)).toBe('rebalance_in_progress')
    one.pass(1)
    expect([one.joined(added).generation, one.joined(again).leader]).toEqual([3, b])
    expect(beat(one, a, 2)).toBe('unknown_member_id')
  })

  it('[GR8] does not hang on a leader that vanishes before it assigned, nor on one that never fetches what it gets', () => {
    const one = groups()
    const a = one.joined(one.send(join())).memberId
    const added = one.send(join())
    one.send(join({ memberId: a }))
    const b = one.joined(added).memberId
    const waiting = one.send(sync(b, 2))
    expect(one.synced(waiting)).toBe('waits')
    one.pass(10_000)
    expect(one.synced(waiting)).toBe('rebalance_in_progress')
    expect(one.joined(one.send(join({ memberId: b })))).toMatchObject({ generation: 3, leader: b })
    // It shows that it is alive, but never asks for its assignment.
    for (let n = 0; n < 12; n++) {
      expect(beat(one, b, 3)).toBe('none')
      one.pass(5_000)
    }
    expect([beat(one, b, 3), state(one)]).toEqual(['unknown_member_id', 'empty'])
  })

  it('[GR9] answers again who lost its answer, without a new round; the leader, or a change, makes one', () => {
    const one = groups()
    const [a = '', b = ''] = one.stable(2).ids
    expect(one.joined(one.send(join({ memberId: b })))).toMatchObject({ generation: 2, error: 'none', members: [] })
    expect(state(one)).toBe('stable')
    one.send(join({ memberId: b, like: 'other topics' }))
    expect(state(one)).toBe('preparing_rebalance')
    const leader = one.send(join({ memberId: a }))
    expect(one.joined(leader).generation).toBe(3)
    expect(one.joined(one.send(join({ memberId: a })))).toMatchObject({ generation: 3 })
    expect(state(one)).toBe('completing_rebalance')
    one.send(sync(b, 3))
    one.send(sync(a, 3))
    one.send(join({ memberId: a }))
    expect(state(one)).toBe('preparing_rebalance')
  })

  it('[GR10] speaks what all its members know, as most of them like best', () => {
    const one = groups()
    const knowing = (...names: string[]) => names.map(name => ({ name, metadata: bytesOf(name) }))
    const a = one.joined(one.send(join({ protocols: knowing('range', 'sticky') }))).memberId
    const others = [
      one.send(join({ protocols: knowing('sticky', 'range') })),
      one.send(join({ protocols: knowing('sticky', 'range', 'x') })),
    ]
    expect(one.joined(one.send(join({ protocols: knowing('x') }))).error).toBe('inconsistent_group_protocol')
    expect(one.joined(one.send(join({ protocolType: 'connect' }))).error).toBe('inconsistent_group_protocol')
    expect(one.joined(one.send(join({ protocols: [] }))).error).toBe('inconsistent_group_protocol')
    const leader = one.joined(one.send(join({ memberId: a, protocols: knowing('range', 'sticky') })))
    expect([leader.protocol, leader.members.map(({ metadata }) => textOf(metadata))]).toEqual(['sticky', ['sticky', 'sticky', 'sticky']])
    expect(others.map(request => one.joined(request).protocol)).toEqual(['sticky', 'sticky'])
    expect(one.synced(one.send(sync(a, 2, {}, { protocol: 'range' })))).toBe('inconsistent_group_protocol')
    expect(one.synced(one.send(sync(a, 2, {}, { protocolType: 'connect' })))).toBe('inconsistent_group_protocol')
  })

  it('[GR11] goes on without who leaves, at once', () => {
    const one = groups()
    const [a = '', b = '', c = ''] = one.stable(3).ids
    const left = one.answer(one.send(leave({ memberId: a, instanceId: undefined }, { memberId: 'x', instanceId: undefined })))
    expect(left).toMatchObject({ members: ['none', 'unknown_member_id'] })
    const again = [b, c].map(memberId => one.send(join({ memberId })))
    expect(again.map(request => one.joined(request).generation)).toEqual([4, 4])
    one.send(leave({ memberId: b, instanceId: undefined }, { memberId: c, instanceId: undefined }))
    expect(state(one)).toBe('empty')
  })

  it('[GR12] takes no more members than it may have, nor more than a record holds', () => {
    const one = groups({ membersMax: 2 })
    one.stable(2)
    expect(one.joined(one.send(join())).error).toBe('group_max_size_reached')
    const large = groups()
    const big = { protocols: [{ name: 'range', metadata: new Uint8Array(500_000) }] }
    large.send(join(big))
    expect(large.joined(large.send(join(big))).error).toBe('group_max_size_reached')
  })

  it('[GR13] notices when nobody is left to be answered', () => {
    const one = groups()
    const [a = ''] = one.stable(1).ids
    const gone = one.send(join())
    one.step({ kind: 'abandoned', requestId: gone })
    const again = one.send(join({ memberId: a }))
    expect(one.answer(again)).toBeUndefined()
    one.pass(10_000)
    expect(one.joined(again)).toMatchObject({ generation: 2 })
    expect(one.joined(again).members).toHaveLength(1)
  })
})

describe('a static member', () => {
  const fixed = (instanceId: string, rest = {}) => join({ instanceId, ...rest })
  function pair(one: ScriptedGroups, rest = {}) {
    const a = one.joined(one.send(fixed('i1', rest))).memberId
    const added = one.send(fixed('i2', rest))
    one.send(fixed('i1', { memberId: a, ...rest }))
    const b = one.joined(added).memberId
    one.send(sync(b, 2, {}, { instanceId: 'i2' }))
    one.send(sync(a, 2, { [a]: 'a1', [b]: 'a2' }, { instanceId: 'i1' }))
    return { a, b }
  }

  it('[GR14] comes back as another process without a new round, and gets what it had', () => {
    const one = groups()
    const { a, b } = pair(one)
    const back = one.joined(one.send(fixed('i2')))
    expect(back).toMatchObject({ error: 'none', generation: 2, leader: a, skipAssignment: false })
    expect(back.memberId).not.toBe(b)
    expect([state(one), one.synced(one.send(sync(back.memberId, 2, {}, { instanceId: 'i2' })))]).toEqual(['stable', 'a2'])
    // A leader that does not know how to skip is told that the old one leads, or it would assign anew.
    const old = one.joined(one.send(fixed('i1')))
    expect([old.leader, old.members.length]).toEqual([a, 0])
    const skipping = one.joined(one.send(fixed('i1', { maySkip: true })))
    expect([skipping.leader, skipping.skipAssignment, skipping.members.length]).toEqual([skipping.memberId, true, 2])
    one.takeOver()
    expect(one.synced(one.send(sync(skipping.memberId, 2, {}, { instanceId: 'i1' })))).toBe('a1')
  })

  it('[GR15] fences the process before it', () => {
    const one = groups()
    const { b } = pair(one)
    const back = one.joined(one.send(fixed('i2'))).memberId
    expect(beat(one, b, 2, 'i2')).toBe('fenced_instance_id')
    expect(one.joined(one.send(fixed('i2', { memberId: b }))).error).toBe('fenced_instance_id')
    expect(one.answer(one.send(commit(b, 2, 5, { instanceId: 'i2' })))).toMatchObject({ error: 'fenced_instance_id' })
    expect(one.answer(one.send(leave({ memberId: b, instanceId: 'i2' })))).toMatchObject({ members: ['fenced_instance_id'] })
    expect([beat(one, back, 2, 'i2'), beat(one, back, 2, 'i9')]).toEqual(['none', 'unknown_member_id'])
    // One that still waits to join is told as well.
    const added = one.send(join())
    const waiting = one.send(fixed('i2', { memberId: back }))
    one.send(fixed('i2'))
    expect([one.joined(waiting).error, one.answer(added)]).toEqual(['fenced_instance_id', undefined])
  })

  it('[GR16] keeps its place until its session ends, though a round goes by without it', () => {
    const one = groups()
    const { a, b } = pair(one, { rebalanceTimeoutMs: 3_000 })
    const added = one.send(join({ rebalanceTimeoutMs: 3_000 }))
    one.send(fixed('i1', { memberId: a, rebalanceTimeoutMs: 3_000 }))
    one.pass(3_000)
    expect([one.joined(added).generation, one.joined(added).leader]).toEqual([3, a])
    expect(beat(one, b, 3, 'i2')).toBe('none')
    one.pass(10_000)
    expect(beat(one, b, 3, 'i2')).toBe('unknown_member_id')
  })

  it('[GR17] leaves only when it is removed by its name', () => {
    const one = groups()
    const { a } = pair(one)
    expect(one.answer(one.send(leave({ memberId: '', instanceId: 'i2' }, { memberId: '', instanceId: 'i9' })))).toMatchObject({
      members: ['none', 'unknown_member_id'],
    })
    expect(one.joined(one.send(fixed('i1', { memberId: a }))).members).toHaveLength(1)
  })

  it('[GR18] that wants something else makes a new round', () => {
    const one = groups()
    const { a } = pair(one)
    const back = one.send(fixed('i2', { like: 'other topics' }))
    expect([one.answer(back), state(one)]).toEqual([undefined, 'preparing_rebalance'])
    one.send(fixed('i1', { memberId: a }))
    expect(one.joined(back).generation).toBe(3)
  })
})
