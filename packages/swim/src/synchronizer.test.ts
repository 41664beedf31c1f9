// Rules SW40 to SW44: joining, and full exchanges.
import type { NodeId } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import type { MemberUpdate } from './messages.ts'
import { claim, metaAt, peer, portOf, ScriptedMember, self } from './scripted-member.ts'
import { defaultSettings } from './settings.ts'
import { syncIntervalMs } from './synchronizer.ts'

const seedAt = (index: number) => ({ host: '127.0.0.1', port: portOf(peer(index)) })
const record = (node: NodeId, state: MemberUpdate['state'], incarnation = 0): MemberUpdate => ({
  ...claim(node, state, incarnation, state === 'alive' ? undefined : peer(9)),
  meta: metaAt(portOf(node)),
})

/** Answers the question last sent to the seed `index`. */
function answerAs(member: ScriptedMember, index: number, members: readonly MemberUpdate[]): void {
  const question = member.sent('sync').findLast(send => send.to.address?.port === seedAt(index).port)!.message
  member.hear(peer(index), { ...question, reply: true, joining: false, members })
}

describe('joining', () => {
  it('[SW40] asks every seed but itself until it answers or is known', () => {
    const member = new ScriptedMember()
    member.do({ kind: 'join', seeds: [seedAt(1), seedAt(2), seedAt(3), { host: '127.0.0.1', port: 7_201 }, seedAt(1)] })
    expect(member.sent('sync').map(send => send.to)).toEqual([1, 2, 3].map(index => ({ node: undefined, address: seedAt(index) })))
    answerAs(member, 1, [record(peer(1), 'alive'), record(peer(2), 'alive')])
    expect(member.happened('joined')).toEqual([{ kind: 'joined', members: 3 }])
    member.sends = []
    member.answering(8_000)
    const toSeed = (index: number) =>
      member.sent('sync').filter(send => send.to.node === undefined && send.to.address.port === seedAt(index).port)
    expect([toSeed(1).length, toSeed(2).length]).toEqual([0, 0])
    expect(toSeed(3).length).toBeGreaterThan(4)
    expect(toSeed(3).length).toBeLessThan(9)
    answerAs(member, 3, [record(peer(3), 'alive')])
    expect(member.swim.lengths.seeds).toBe(0)
    expect(member.happened('joined')).toHaveLength(1)
  })

  it('[SW40] tells of itself, and answers who joins with everything', () => {
    const member = new ScriptedMember()
    member.do({ kind: 'join', seeds: [seedAt(1)] })
    answerAs(member, 1, [record(peer(1), 'alive'), record(peer(4), 'dead')])
    member.answering(50)
    expect(member.sent('gossip')[0]?.message.updates).toMatchObject([{ node: self, state: 'alive' }])
    const newcomer = { ...record(peer(2), 'alive'), meta: metaAt(9_002) }
    member.hear(peer(2), { kind: 'sync', sequence: 5, reply: false, joining: true, members: [newcomer] })
    const answer = member.sent('sync').at(-1)!
    expect(answer).toMatchObject({ reliable: true, to: { node: peer(2), address: { port: 9_002 } }, message: { sequence: 5, reply: true } })
    const told = new Map(answer.message.members.map(update => [update.node, update.state]))
    expect(told).toEqual(
      new Map([
        [self, 'alive'],
        [peer(1), 'alive'],
        [peer(2), 'alive'],
        [peer(4), 'dead'],
      ]),
    )
  })
})

describe('a full exchange', () => {
  it('[SW41] becomes rarer with the logarithm of the cluster', () => {
    expect([2, 32, 64, 128, 1_000].map(members => syncIntervalMs(members, defaultSettings))).toEqual([
      30_000, 30_000, 60_000, 90_000, 180_000,
    ])
    const member = new ScriptedMember().meet(6)
    member.answering(300_000)
    expect(member.sent('sync').length).toBeGreaterThanOrEqual(9)
    expect(member.sent('sync').length).toBeLessThanOrEqual(11)
  })

  it('[SW41] carries a part of a large cluster, with its partner and every suspect in it', () => {
    const member = new ScriptedMember()
    for (let index = 1; index <= 600; index++) member.gossip(peer(index), claim(peer(index), 'alive'))
    member.gossip(peer(600), claim(peer(7), 'suspect', 0, peer(600)))
    for (let time = 0; time < 3; time++) {
      member.hear(peer(555), { kind: 'sync', sequence: time, reply: false, joining: false, members: [record(peer(555), 'alive')] })
      const { members } = member.sent('sync').at(-1)!.message
      expect(members).toHaveLength(257)
      expect(members.map(update => update.node)).toEqual(expect.arrayContaining([self, peer(555), peer(7)]))
    }
    member.hear(peer(555), { kind: 'sync', sequence: 9, reply: false, joining: true, members: [record(peer(555), 'alive')] })
    expect(member.sent('sync').at(-1)!.message.members).toHaveLength(601)
  })

  it('[SW42] brings deaths only as suspicions', () => {
    const member = new ScriptedMember().meet(4)
    const members = [record(peer(1), 'dead'), record(peer(2), 'left', 1), record(self, 'dead')]
    member.hear(peer(3), { kind: 'sync', sequence: 1, reply: false, joining: false, members })
    expect([peer(1), peer(2)].map(node => member.stateOf(node))).toEqual(['suspect', 'left'])
    expect(member.happened('refuted_self')).toMatchObject([{ claimed: 'dead', incarnation: 1 }])
    expect(member.happened('member_dead')).toEqual([])
  })

  it('[SW43] tells a process that joins of the dead, and nobody else of one it does not know', () => {
    const joining = new ScriptedMember()
    joining.do({ kind: 'join', seeds: [seedAt(1)] })
    answerAs(joining, 1, [record(peer(1), 'alive'), record(peer(2), 'dead', 3), record(peer(3), 'suspect', 3)])
    expect([1, 2, 3].map(index => joining.stateOf(peer(index)))).toEqual(['alive', 'dead', 'suspect'])
    expect(joining.happened('member_dead')).toEqual([])
    const settled = new ScriptedMember().meet(4)
    settled.hear(peer(1), { kind: 'sync', sequence: 1, reply: false, joining: false, members: [record(peer(8), 'dead', 3)] })
    settled.gossip(peer(1), record(peer(8), 'dead', 3), record(peer(7), 'left', 3), claim(peer(6), 'suspect', 1, peer(1)))
    expect([8, 7, 6].map(index => settled.stateOf(peer(index)))).toEqual([undefined, undefined, undefined])
  })

  it('[SW43] forgets the dead after an hour, and the longest dead when there are too many', () => {
    const member = new ScriptedMember(1, { deadKeptMs: 60_000, probeIntervalMs: 5_000 })
    for (let index = 1; index <= 1_100; index++) member.gossip(peer(index), claim(peer(index), 'alive'))
    for (let index = 2; index <= 1_100; index++) {
      member.gossip(peer(1), claim(peer(index), 'dead', 0, peer(1)))
      if (index < 100) member.pass(1)
    }
    member.answering(40_000, [])
    expect(member.swim.lengths.members).toBe(1_025)
    expect(member.happened('member_forgotten').map(event => event.node)).toContain(peer(2))
    member.answering(100_000, [])
    expect(member.swim.members().map(view => view.node)).toEqual([peer(1)])
  })

  it('[SW44] is asked of strangers who write, at most once a second', () => {
    const member = new ScriptedMember().meet(3)
    for (let time = 0; time < 5; time++) member.gossip(peer(50))
    expect(member.sent('sync')).toMatchObject([{ to: { node: peer(50), address: undefined }, message: { reply: false } }])
    member.hear(peer(50), { kind: 'ping', sequence: 3, target: self, reliable: false, updates: [] })
    expect(member.sent('ack')).toMatchObject([{ to: { node: peer(50), address: undefined } }])
    const question = member.sent('sync')[0]!.message
    member.hear(peer(50), { ...question, reply: true, members: [record(peer(50), 'alive')] })
    expect(member.stateOf(peer(50))).toBe('alive')
  })
})
