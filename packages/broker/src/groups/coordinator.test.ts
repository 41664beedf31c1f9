// What is stored of groups: offsets, assignments, and what another coordinator makes of them.
import { describe, expect, it } from 'vitest'
import { type GroupAnswer } from './group-messages.ts'
import { groupRecord, offsetRecord, partitionOfGroup, readGroupRecord } from './group-records.ts'
import { commit, fetch, heartbeat, join, ScriptedGroups, sync } from './scripted-groups.ts'

const DAY_MS = 24 * 3_600_000
const errorOf = (answer: GroupAnswer | undefined) => answer?.error ?? 'waits'
const fetched = (one: ScriptedGroups) => {
  const answer = one.answer(one.send(fetch()))
  return answer?.kind === 'fetch' ? answer.offsets[0]?.offset : undefined
}
const told = (one: ScriptedGroups, request: Parameters<ScriptedGroups['send']>[0]) => errorOf(one.answer(one.send(request)))

describe('committed offsets', () => {
  it('[GO1] are answered and read only once they are stored', () => {
    const one = new ScriptedGroups()
    const { ids, generation } = one.stable(1)
    one.slowStore = true
    const request = one.send(commit(ids[0] ?? '', generation, 7))
    expect([one.answer(request), fetched(one)]).toEqual([undefined, -1])
    one.storeAll()
    expect([errorOf(one.answer(request)), fetched(one)]).toEqual(['none', 7])
    const lost = one.send(commit(ids[0] ?? '', generation, 9))
    one.storeAll('coordinator_not_available')
    expect([errorOf(one.answer(lost)), fetched(one)]).toEqual(['coordinator_not_available', 7])
  })

  it('[GO2] come back with the words and the epoch that came with them, for all that is asked for, or all there is', () => {
    const one = new ScriptedGroups()
    one.send(commit('', -1, 5))
    expect(
      one.answer(
        one.send(
          fetch([
            { topic: 't', partition: 0 },
            { topic: 't', partition: 1 },
          ]),
        ),
      ),
    ).toMatchObject({
      offsets: [
        { topic: 't', partition: 0, offset: 5, leaderEpoch: 3, metadata: 'words' },
        { topic: 't', partition: 1, offset: -1, leaderEpoch: -1, metadata: '' },
      ],
    })
    expect(one.answer(one.send({ kind: 'fetch', groupId: 'g', places: undefined }))).toMatchObject({ offsets: [{ offset: 5 }] })
    expect(one.answer(one.send({ kind: 'fetch', groupId: 'nobody', places: undefined }))).toMatchObject({ error: 'none', offsets: [] })
  })

  it('[GO3] are taken from members of this round, and from anybody where there are no members', () => {
    const one = new ScriptedGroups()
    expect(told(one, commit('', -1, 1))).toBe('none')
    expect(told(one, commit('', 4, 1, { groupId: 'new' }))).toBe('illegal_generation')
    const { ids, generation } = one.stable(2)
    const [a = '', b = ''] = ids
    expect([told(one, commit('', -1, 2)), told(one, commit(a, generation - 1, 2)), told(one, commit('x', generation, 2))]).toEqual([
      'unknown_member_id',
      'illegal_generation',
      'unknown_member_id',
    ])
    // While others join again, members may still say how far they are; once the round has begun they may not.
    one.send(join())
    expect(told(one, commit(a, generation, 3))).toBe('none')
    one.send(join({ memberId: a }))
    one.send(join({ memberId: b }))
    expect(told(one, commit(a, generation, 4))).toBe('illegal_generation')
    expect(told(one, commit(a, generation + 1, 4))).toBe('rebalance_in_progress')
  })

  it('[GO4] with too many words are refused, one by one', () => {
    const one = new ScriptedGroups()
    const row = { topic: 't', leaderEpoch: -1 }
    const offsets = [
      { ...row, partition: 0, offset: 1, metadata: 'x'.repeat(5_000) },
      { ...row, partition: 1, offset: 2, metadata: '' },
    ]
    expect(one.answer(one.send(commit('', -1, 0, { offsets })))).toMatchObject({
      error: 'none',
      offsets: ['offset_metadata_too_large', 'none'],
    })
    expect(fetched(one)).toBe(-1)
  })

  it('[GO5] show that a member is alive', () => {
    const one = new ScriptedGroups()
    const { ids, generation } = one.stable(1)
    for (let n = 0; n < 4; n++) {
      one.pass(6_000)
      expect(told(one, commit(ids[0] ?? '', generation, n))).toBe('none')
    }
  })

  it('[GO6] are forgotten a week after the group was last used, and never while it has members', () => {
    const one = new ScriptedGroups()
    one.send(commit('', -1, 5))
    one.pass(6 * DAY_MS)
    expect(fetched(one)).toBe(5)
    one.pass(1.1 * DAY_MS)
    expect(fetched(one)).toBe(-1)
    one.takeOver()
    expect([fetched(one), one.answer(one.send({ kind: 'list' }))]).toMatchObject([-1, { groups: [] }])
    const used = new ScriptedGroups()
    const { ids, generation } = used.stable(1, { sessionTimeoutMs: 1_800_000 })
    used.send(commit(ids[0] ?? '', generation, 5))
    for (let n = 0; n < 8 * 48; n++) {
      used.pass(1_700_000)
      used.send(heartbeat(ids[0] ?? '', generation))
    }
    expect(fetched(used)).toBe(5)
  })

  it('[GO7] of topics that are deleted, or that are asked to be forgotten, are forgotten', () => {
    const one = new ScriptedGroups()
    one.send(commit('', -1, 5))
    one.step({ kind: 'topics_deleted', topics: ['t'] })
    expect(fetched(one)).toBe(-1)
    one.send(commit('', -1, 6))
    const places = [{ topic: 't', partition: 0 }]
    expect(told(one, { kind: 'delete_offsets', groupId: 'nobody', places })).toBe('group_id_not_found')
    expect(told(one, { kind: 'delete_offsets', groupId: 'g', places })).toBe('none')
    expect(fetched(one)).toBe(-1)
    const { ids } = one.stable(1)
    expect(one.answer(one.send({ kind: 'delete_offsets', groupId: 'g', places }))).toMatchObject({ offsets: ['group_subscribed_to_topic'] })
    expect(ids).toHaveLength(1)
  })
})

describe('another coordinator', () => {
  it('[GT1] goes on where the last one stopped: members, assignments, offsets', () => {
    const one = new ScriptedGroups()
    const { ids, generation } = one.stable(2)
    one.send(commit(ids[0] ?? '', generation, 7))
    one.takeOver()
    expect(ids.map(id => told(one, heartbeat(id, generation)))).toEqual(['none', 'none'])
    expect(ids.map(id => one.synced(one.send(sync(id, generation))))).toEqual(['a1', 'a2'])
    expect(fetched(one)).toBe(7)
    expect(told(one, commit(ids[1] ?? '', generation, 8))).toBe('none')
    // Sessions are whole again, and end.
    one.pass(10_000)
    expect(one.answer(one.send({ kind: 'describe', groupId: 'g' }))).toMatchObject({ state: 'empty', members: [] })
  })

  it('[GT2] answers that it is loading until it has read everything, and that it is none once it is none', () => {
    const one = new ScriptedGroups()
    one.stable(1)
    one.takeOver()
    one.coordinator = new (one.coordinator.constructor as new (...args: unknown[]) => typeof one.coordinator)(one.settings, () => 'id')
    expect(told(one, heartbeat('x', 1))).toBe('coordinator_load_in_progress')
    one.step({ kind: 'loaded' })
    expect(told(one, heartbeat('x', 1))).toBe('unknown_member_id')
    one.step({ kind: 'resigned' })
    expect([told(one, heartbeat('x', 1)), told(one, fetch())]).toEqual(['not_coordinator', 'not_coordinator'])
  })

  it('[GT3] is sought by everybody who waits, at once', () => {
    const one = new ScriptedGroups()
    const { ids, generation } = one.stable(1)
    const joining = one.send(join())
    const again = one.send(join({ memberId: ids[0] ?? '' }))
    const b = one.joined(joining).memberId
    const syncing = one.send(sync(b, generation + 1))
    one.slowStore = true
    const third = one.send(commit('', -1, 3, { groupId: 'other' }))
    expect(one.joined(again).generation).toBe(generation + 1)
    one.takeOver()
    expect([one.synced(syncing), errorOf(one.answer(third))]).toEqual(['not_coordinator', 'not_coordinator'])
  })

  it('[GT4] knows every assignment that a member was told', () => {
    const one = new ScriptedGroups()
    const a = one.joined(one.send(join())).memberId
    one.slowStore = true
    const syncing = one.send(sync(a, 1, { [a]: 'all' }))
    expect(one.synced(syncing)).toBe('waits')
    one.storeAll()
    expect(one.synced(syncing)).toBe('all')
    one.takeOver()
    expect(one.synced(one.send(sync(a, 1)))).toBe('all')
  })

  it('[GT5] an assignment that could not be stored is given to nobody, and the round begins anew', () => {
    const one = new ScriptedGroups()
    const a = one.joined(one.send(join())).memberId
    one.slowStore = true
    const syncing = one.send(sync(a, 1, { [a]: 'all' }))
    one.storeAll('coordinator_not_available')
    expect(one.synced(syncing)).toBe('coordinator_not_available')
    expect(one.joined(one.send(join({ memberId: a }))).generation).toBe(2)
  })

  it('[GT6] keeps nothing of a group that was deleted', () => {
    const one = new ScriptedGroups()
    one.send(commit('', -1, 5))
    expect([told(one, { kind: 'delete', groupId: 'nobody' }), told(one, { kind: 'delete', groupId: 'g' })]).toEqual([
      'group_id_not_found',
      'none',
    ])
    one.takeOver()
    expect([fetched(one), one.answer(one.send({ kind: 'describe', groupId: 'g' }))]).toMatchObject([-1, { state: 'dead' }])
    one.stable(1)
    expect(told(one, { kind: 'delete', groupId: 'g' })).toBe('non_empty_group')
    one.slowStore = true
    one.pass(10_000)
    const deleting = one.send({ kind: 'delete', groupId: 'g' })
    expect(told(one, join())).toBe('coordinator_not_available')
    one.storeAll()
    expect(errorOf(one.answer(deleting))).toBe('none')
  })

  it('[GT6] that has many offsets ends in batches of a bounded size, and whole', () => {
    const one = new ScriptedGroups()
    for (let first = 0; first < 2_500; first += 500) {
      const offsets = Array.from({ length: 500 }, (_, n) => ({
        topic: 't',
        partition: first + n,
        offset: 1,
        leaderEpoch: -1,
        metadata: '',
      }))
      expect(told(one, commit('', -1, 0, { offsets }))).toBe('none')
    }
    one.slowStore = true
    const deleting = one.send({ kind: 'delete', groupId: 'g' })
    expect(one.waiting.map(({ records }) => records.length)).toEqual([1_000, 1_000, 501])
    one.storeAll()
    expect(errorOf(one.answer(deleting))).toBe('none')
    one.takeOver()
    expect(one.answer(one.send({ kind: 'fetch', groupId: 'g', places: undefined }))).toMatchObject({ offsets: [] })
    const large = Array.from({ length: 200 }, (_, n) => ({
      topic: 't',
      partition: n,
      offset: 1,
      leaderEpoch: -1,
      metadata: 'x'.repeat(4_000),
    }))
    expect(told(one, commit('', -1, 0, { offsets: large }))).toBe('invalid_commit_offset_size')
  })

  it('[GT7] reads Kafka’s records, and passes over those it does not know', () => {
    const value = { offset: 5, leaderEpoch: -1, metadata: 'm', commitTimestamp: 9 }
    expect(Buffer.from(offsetRecord('g', 't', 2, value).key).toString('hex')).toBe('0001' + '000167' + '000174' + '00000002')
    expect(Buffer.from(offsetRecord('g', 't', 2, value).value ?? []).toString('hex')).toBe(
      '0003' + '0000000000000005' + 'ffffffff' + '00016d' + '0000000000000009',
    )
    expect(Buffer.from(groupRecord('g', undefined).key).toString('hex')).toBe('0002000167')
    expect(readGroupRecord(offsetRecord('g', 't', 2, value))).toEqual({ kind: 'offset', groupId: 'g', topic: 't', partition: 2, value })
    expect(readGroupRecord({ key: Uint8Array.from([0, 9, 0]), value: undefined })).toBeUndefined()
    // Java: "g".hashCode() is 103; "my-group".hashCode() is negative.
    expect([partitionOfGroup('g', 50), partitionOfGroup('', 50), partitionOfGroup('my-group', 50)]).toEqual([
      3,
      0,
      partitionOfGroup('my-group', 50),
    ])
  })
})
