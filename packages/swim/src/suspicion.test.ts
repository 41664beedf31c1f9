// Rules SW20 to SW27: how long a suspicion lasts, and when it need not last at all.
import type { NodeId } from '@atoll/base'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { claim, peer, portOf, ScriptedMember, self } from './scripted-member.ts'
import { defaultSettings } from './settings.ts'
import { confirmationsWanted, Suspicion, suspicionMs, suspicionMsMin } from './suspicion.ts'

/** Milliseconds until `member` declares `subject` dead, everybody else answering; undefined if not within 20 s. */
function deathAfter(member: ScriptedMember, subject: NodeId): number | undefined {
  const before = member.now
  while (member.stateOf(subject) !== 'dead' && member.now < before + 20_000) member.answering(5, [subject])
  return member.stateOf(subject) === 'dead' ? member.now - before : undefined
}

const refuse = (member: ScriptedMember, node: NodeId, port = portOf(node)) =>
  member.do({ kind: 'unreachable', to: { node, address: { host: '127.0.0.1', port } }, how: 'refused' })

describe('a suspicion', () => {
  it('[SW20] falls from max to min, each confirmation counting less', () => {
    const steps = [0, 1, 2, 3].map(confirmations => suspicionMs(confirmations, 3, 1_000, 6_000))
    expect(steps).toEqual([6_000, 3_500, expect.closeTo(2_037.6, 1), 1_000])
    fc.assert(
      fc.property(fc.nat(9), fc.nat(9), (confirmations, wanted) => {
        const ms = suspicionMs(confirmations, wanted, 700, 4_200)
        expect(ms).toBeGreaterThanOrEqual(700)
        expect(ms).toBeLessThanOrEqual(4_200)
        expect(suspicionMs(confirmations + 1, wanted, 700, 4_200)).toBeLessThanOrEqual(ms)
      }),
      { seed: 7 },
    )
  })

  it('[SW20] counts one accuser once', () => {
    const suspicion = new Suspicion()
    expect([peer(1), peer(2), peer(2), peer(1)].map(node => suspicion.confirm(node))).toEqual([true, true, false, false])
    expect(suspicion.confirmations).toBe(1)
    // The member's own probe would confirm too: here it is always answered.
    const [once, repeated] = [1, 5].map(times => {
      const member = new ScriptedMember().meet(6)
      for (let time = 0; time < times; time++) member.gossip(peer(2), claim(peer(1), 'suspect', 0, peer(2)))
      const before = member.now
      while (member.stateOf(peer(1)) !== 'dead') member.answering(5)
      return member.now - before
    })
    expect(repeated).toBe(once)
    expect(once).toBeGreaterThan(4_000)
  })

  it('[SW20] counts neither the suspect itself, nor a stranger, nor nobody', () => {
    const member = new ScriptedMember().meet(6)
    for (const by of [peer(2), peer(1), peer(77), undefined]) member.gossip(peer(3), claim(peer(1), 'suspect', 0, by))
    const before = member.now
    while (member.stateOf(peer(1)) !== 'dead') member.answering(5)
    expect(member.now - before).toBeGreaterThan(4_000)
  })

  it('[SW21] never lasts less than the floor, and grows with the cluster', () => {
    expect([2, 3, 12, 14].map(members => suspicionMsMin(members, defaultSettings))).toEqual([700, 700, 700, 700])
    expect(suspicionMsMin(100, defaultSettings)).toBe(1_200)
    expect(suspicionMsMin(1_000, defaultSettings)).toBe(1_800)
    const member = new ScriptedMember().meet(6)
    for (const by of [2, 3, 4, 5]) member.gossip(peer(by), claim(peer(1), 'suspect', 0, peer(by)))
    expect(deathAfter(member, peer(1))).toBeGreaterThanOrEqual(700)
  })

  it('[SW22] waits only for confirmations that can come', () => {
    expect([0, 1, 2, 50].map(others => confirmationsWanted(others, defaultSettings))).toEqual([0, 1, 2, 2])
    const pair = new ScriptedMember().meet(1)
    pair.gossip(peer(1), claim(peer(1), 'suspect', 0, self))
    expect(deathAfter(pair, peer(1))).toBeLessThan(710)
    const three = new ScriptedMember().meet(2)
    three.gossip(peer(2), claim(peer(1), 'suspect', 0, peer(2)))
    three.gossip(peer(2), claim(peer(2), 'alive'))
    expect(deathAfter(three, peer(1))).toBeLessThan(710)
  })

  it('[SW23] on a refused connection is checked at once by those who hear of it, about eight in a large cluster', () => {
    const small = new ScriptedMember().meet(5)
    small.gossip(peer(2), claim(peer(1), 'suspect', 0, peer(2), true))
    expect(small.sent('ping').filter(send => send.to.node === peer(1))).toHaveLength(1)
    const large = Array.from({ length: 400 }, (_, seed) => {
      const member = new ScriptedMember(seed)
      for (let index = 1; index < 80; index++) member.gossip(peer(index), claim(peer(index), 'alive'))
      member.gossip(peer(2), claim(peer(1), 'suspect', 0, peer(2), true))
      return member.sent('ping').length
    })
    const checkers = large.reduce((sum, count) => sum + count, 0) / 5
    expect(checkers).toBeGreaterThan(4)
    expect(checkers).toBeLessThan(13)
  })
})

describe('a refused connection', () => {
  it('[SW24] makes a suspicion at once, and says what it rests on', () => {
    const member = new ScriptedMember().meet(5)
    refuse(member, peer(1))
    expect(member.happened('member_suspect')).toMatchObject([{ member: { node: peer(1), by: self, refused: true } }])
    member.pass(5)
    const claims = member.sent('gossip').flatMap(send => send.message.updates)
    expect(claims).toContainEqual(claim(peer(1), 'suspect', 0, self, true))
    member.do({ kind: 'unreachable', to: { node: peer(2), address: { host: '127.0.0.1', port: 7_302 } }, how: 'timed_out' })
    expect(member.stateOf(peer(2))).toBe('alive')
  })

  it('[SW25] seen by two members makes a death at once; twice by one does not', () => {
    const member = new ScriptedMember().meet(5)
    for (let times = 0; times < 3; times++) member.gossip(peer(2), claim(peer(1), 'suspect', 0, peer(2), true))
    member.gossip(peer(3), claim(peer(1), 'suspect', 0, peer(3), false))
    expect(member.stateOf(peer(1))).toBe('suspect')
    expect(member.sent('ping').filter(send => send.to.node === peer(1))).toHaveLength(1)
    refuse(member, peer(1))
    expect(member.happened('member_dead')).toMatchObject([{ member: { node: peer(1), by: self, refused: true } }])
  })

  it('[SW25] is not lent to another accuser when it is told on', () => {
    const member = new ScriptedMember().meet(5)
    member.gossip(peer(2), claim(peer(1), 'suspect', 0, peer(2), true))
    member.gossip(peer(3), claim(peer(1), 'suspect', 0, peer(3), false))
    expect(member.swim.member(peer(1))).toMatchObject({ by: peer(2), refused: true })
    const later = new ScriptedMember().meet(5)
    later.gossip(peer(3), claim(peer(1), 'suspect', 0, peer(3), false))
    later.gossip(peer(2), claim(peer(1), 'suspect', 0, peer(2), true))
    expect(later.swim.member(peer(1))).toMatchObject({ by: peer(2), refused: true })
  })

  it('[SW26] seen twice is enough for the last member that is left', () => {
    const member = new ScriptedMember().meet(1)
    const refusing = (ms: number) => member.pass(ms, ({ to }) => to.node !== undefined && refuse(member, to.node))
    refuse(member, peer(1))
    refusing(195)
    expect(member.stateOf(peer(1))).toBe('suspect')
    refusing(20)
    expect(member.stateOf(peer(1))).toBe('dead')
  })

  it('[SW26] seen twice is not enough while another member could see it too', () => {
    const member = new ScriptedMember().meet(2)
    refuse(member, peer(1))
    member.answering(250, [peer(1)])
    refuse(member, peer(1))
    expect(member.stateOf(peer(1))).toBe('suspect')
  })

  it('[SW27] at an address the member has left proves nothing', () => {
    const member = new ScriptedMember().meet(5)
    refuse(member, peer(1), 9_999)
    expect(member.stateOf(peer(1))).toBe('alive')
    member.do({ kind: 'unreachable', to: { node: undefined, address: { host: '127.0.0.1', port: 7_301 } }, how: 'refused' })
    expect(member.stateOf(peer(1))).toBe('alive')
  })
})
