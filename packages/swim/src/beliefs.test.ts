// Rules SW1 to SW9: what is believed of whom, and how a process speaks for itself.
import { type Incarnation, nodeId } from '@atoll/base'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MemberState, MemberUpdate } from './messages.ts'
import { supersedes } from './precedence.ts'
import { claim, metaAt, peer, ScriptedMember, self } from './scripted-member.ts'

const states: readonly MemberState[] = ['alive', 'suspect', 'dead', 'left']
const claims = fc.record({ state: fc.constantFrom(...states), incarnation: fc.nat(4) })
type Claim = typeof claims extends fc.Arbitrary<infer T> ? T : never
const merge = (a: Claim, b: Claim): Claim => (supersedes(b, a) ? b : a)
const fixed = { seed: 7, numRuns: 500 }

describe('beliefs', () => {
  it('[SW1] ranks incarnations first, then left over dead over suspect over alive', () => {
    for (const [lower, better] of states.entries()) {
      for (const worse of states.slice(lower + 1)) {
        expect(supersedes({ state: worse, incarnation: 3 }, { state: better, incarnation: 3 })).toBe(true)
        expect(supersedes({ state: better, incarnation: 3 }, { state: worse, incarnation: 3 })).toBe(false)
        expect(supersedes({ state: better, incarnation: 4 }, { state: worse, incarnation: 3 })).toBe(true)
      }
    }
  })

  it('[SW1] merges in any order, in any grouping, any number of times', () => {
    fc.assert(
      fc.property(claims, claims, claims, (a, b, c) => {
        expect(merge(a, b)).toEqual(merge(b, a))
        expect(merge(merge(a, b), c)).toEqual(merge(a, merge(b, c)))
        expect(merge(a, a)).toEqual(a)
      }),
      fixed,
    )
  })

  it('[SW1] ends with one belief at every member, whatever the order of the gossip', () => {
    const updates = fc.array(
      claims.map(({ state, incarnation }) => claim(peer(1), state, incarnation, peer(2))),
      { minLength: 1, maxLength: 8 },
    )
    const ordered = updates.chain(list => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })))
    fc.assert(
      fc.property(ordered, ([list, shuffled]) => {
        const [one, other] = [list, shuffled].map(order => {
          const member = new ScriptedMember().meet(3)
          for (const update of [...order, ...order.slice(0, 2)]) member.gossip(peer(2), update)
          const { state, incarnation } = member.swim.member(peer(1))!
          return { state, incarnation }
        })
        expect(one).toEqual(other)
      }),
      { seed: 7, numRuns: 60 },
    )
  })

  it('[SW2] accuses a member at the incarnation that is known of it', () => {
    const member = new ScriptedMember().meet(3)
    member.gossip(peer(1), claim(peer(1), 'alive', 5))
    member.answering(1_500, [peer(1)])
    expect(member.swim.member(peer(1))).toMatchObject({ state: 'suspect', incarnation: 5, by: self })
    const told = member.sends.flatMap(({ message }) => ('updates' in message ? message.updates : []))
    expect(told.filter(update => update.node === peer(1) && update.state === 'suspect').map(update => update.incarnation)).toContain(5)
  })

  it.each(['suspect', 'dead', 'left'] as const)('[SW3] refutes that it is %s, one incarnation higher, at once', state => {
    const member = new ScriptedMember().meet(5)
    member.gossip(peer(1), claim(self, state, 4, peer(2)))
    expect(member.swim.self.incarnation).toBe(5)
    expect(member.happened('refuted_self')).toMatchObject([{ claimed: state, by: peer(2), incarnation: 5 }])
    member.pass(10)
    const gossip = member.sent('gossip')
    expect(gossip).toHaveLength(3)
    for (const { message } of gossip) expect(message.updates).toContainEqual(claim5())
  })
  const claim5 = (): MemberUpdate => ({ ...claim(self, 'alive', 5), meta: metaAt(7_201) })

  it('[SW4] answers an accusation that was refuted long ago with its record, whatever carried it', () => {
    const member = new ScriptedMember().meet(3)
    member.gossip(peer(1), claim(self, 'suspect', 4, peer(2)))
    member.answering(5_000)
    member.sends = []
    member.gossip(peer(3), claim(self, 'suspect', 2, peer(2)))
    expect(member.sent('gossip')).toMatchObject([{ to: { node: peer(3) }, message: { updates: [claim5()] } }])
    member.hear(peer(2), { kind: 'ping', sequence: 9, target: self, reliable: false, updates: [claim(self, 'dead', 1, peer(1))] })
    expect(member.sent('ack')).toMatchObject([{ message: { sequence: 9, updates: [claim5()] } }])
    expect(member.swim.self.incarnation).toBe(5)
  })

  it('[SW4] answers an accusation of one that is dead by now, or has refuted it, with what holds', () => {
    const member = new ScriptedMember().meet(4)
    member.gossip(peer(4), claim(peer(1), 'dead', 0, peer(4)), claim(peer(2), 'alive', 1))
    member.answering(5_000, [peer(1)])
    member.sends = []
    member.gossip(peer(3), claim(peer(1), 'suspect', 0, peer(3)), claim(peer(2), 'dead', 0, peer(3)))
    expect(member.sent('gossip')).toMatchObject([
      { to: { node: peer(3) }, message: { updates: [claim(peer(1), 'dead', 0, peer(4)), claim(peer(2), 'alive', 1)] } },
    ])
    member.gossip(peer(3), claim(peer(1), 'dead', 0, peer(3)), claim(peer(2), 'alive', 0))
    expect(member.sent('gossip')).toHaveLength(1)
  })

  it('[SW5] takes a member back that speaks with a higher incarnation, and only then', () => {
    const member = new ScriptedMember().meet(3)
    member.gossip(peer(2), claim(peer(1), 'dead', 0, peer(2)))
    expect(member.happened('member_dead')).toMatchObject([{ member: { node: peer(1), by: peer(2) }, previous: 'alive' }])
    member.gossip(peer(1), claim(peer(1), 'alive', 0))
    expect(member.stateOf(peer(1))).toBe('dead')
    member.gossip(peer(1), claim(peer(1), 'alive', 1))
    expect(member.happened('member_alive')).toMatchObject([{ member: { node: peer(1), incarnation: 1 }, previous: 'dead' }])
    member.gossip(peer(2), claim(peer(1), 'dead', 0, peer(2)))
    expect(member.stateOf(peer(1))).toBe('alive')
  })

  it('[SW6] says farewell to all it knows itself, then that it may exit', () => {
    const member = new ScriptedMember().meet(6)
    member.do({ kind: 'leave' })
    const direct = member.sent('gossip').filter(send => send.reliable)
    expect(new Set(direct.map(send => send.to.node)).size).toBe(6)
    for (const { message } of direct) expect(message.updates[0]).toMatchObject({ node: self, state: 'left', incarnation: 1 })
    expect(member.happened('farewell_said')).toEqual([])
    member.answering(1_000)
    expect(member.happened('farewell_said')).toHaveLength(1)
    expect(member.wakeAt).toBeUndefined()
    member.gossip(peer(1), claim(self, 'dead', 3, peer(1)))
    expect(member.happened('refuted_self')).toEqual([])
  })

  it('[SW6] never calls dead whoever said farewell', () => {
    const member = new ScriptedMember().meet(3)
    member.gossip(peer(1), claim(peer(1), 'left', 1))
    expect(member.happened('member_left')).toMatchObject([{ member: { node: peer(1) }, previous: 'alive' }])
    member.gossip(peer(2), claim(peer(1), 'suspect', 1, peer(2), true), claim(peer(1), 'dead', 1, peer(2), true))
    member.do({ kind: 'connection_closed', node: peer(1) })
    member.do({ kind: 'unreachable', to: { node: peer(1), address: { host: '127.0.0.1', port: 7_301 } }, how: 'refused' })
    member.answering(5_000)
    expect(member.stateOf(peer(1))).toBe('left')
    expect(member.happened('member_dead')).toEqual([])
  })

  it('[SW7] outdoes the record of an earlier life of its name, dead or alive', () => {
    for (const old of [claim(self, 'dead', 8, peer(2)), { ...claim(self, 'alive', 8), meta: metaAt(7_999) }]) {
      const member = new ScriptedMember()
      member.do({ kind: 'join', seeds: [{ host: '127.0.0.1', port: 7_301 }] })
      const question = member.sent('sync')[0]!.message
      expect(question).toMatchObject({ joining: true, reply: false, members: [{ node: self, incarnation: 0 }] })
      const members = [claim(peer(1), 'alive'), old]
      member.hear(peer(1), { kind: 'sync', sequence: question.sequence, reply: true, joining: false, members })
      expect(member.swim.self.incarnation).toBe(9)
    }
  })

  it('[SW7] moves at the others when its new life speaks from a new address', () => {
    const member = new ScriptedMember().meet(3)
    member.gossip(peer(1), { ...claim(peer(1), 'alive', 1), meta: metaAt(9_999) })
    expect(member.happened('member_updated')).toMatchObject([{ member: { meta: metaAt(9_999) } }])
    member.answering(1_000)
    const pings = member.sent('ping').filter(send => send.to.node === peer(1))
    expect(pings.at(-1)?.to.address).toEqual({ host: '127.0.0.1', port: 9_999 })
  })

  it('[SW8] ignores what cannot be true, and stays able to be told the truth', () => {
    const member = new ScriptedMember().meet(3)
    const absurd = [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 48 + 1, Number.MAX_SAFE_INTEGER]
    for (const incarnation of absurd) {
      for (const state of states) member.gossip(peer(2), claim(peer(1), state, incarnation, peer(2)), claim(self, state, incarnation))
    }
    member.gossip(peer(2), claim(peer(1), 'dead', 2 ** 20 + 1, peer(2)))
    member.gossip(peer(2), { ...claim(peer(1), 'alive', 3), meta: undefined })
    member.gossip(peer(2), { ...claim(peer(1), 'alive', 3), state: 'zombie' as MemberState })
    expect(member.swim.member(peer(1))).toMatchObject({ state: 'alive', incarnation: 0 })
    expect(member.swim.self.incarnation).toBe(0)
    member.gossip(peer(2), claim(peer(1), 'dead', 2 ** 20, peer(2)))
    expect(member.stateOf(peer(1))).toBe('dead')
    member.gossip(peer(1), claim(peer(1), 'alive', (2 ** 20 + 1) as Incarnation))
    expect(member.stateOf(peer(1))).toBe('alive')
  })

  it('[SW9] leaves a ping for somebody else unanswered', () => {
    const member = new ScriptedMember().meet(3)
    member.hear(peer(1), { kind: 'ping', sequence: 1, target: nodeId('predecessor'), reliable: false, updates: [] })
    expect(member.sent('ack')).toEqual([])
    member.hear(peer(1), { kind: 'ping', sequence: 2, target: self, reliable: true, updates: [] })
    expect(member.sent('ack')).toMatchObject([{ to: { node: peer(1) }, reliable: true, message: { sequence: 2 } }])
  })
})
