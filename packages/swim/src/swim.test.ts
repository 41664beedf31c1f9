// Rules SW50 to SW61: own pauses, bounds, and whatever a peer may say.
import { seededRandom } from '@atoll/base'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MEMBERS_MAX } from './limits.ts'
import type { MemberState, MemberUpdate, SwimMessage } from './messages.ts'
import { claim, metaAt, peer, ScriptedMember, self } from './scripted-member.ts'

/** Time passes without the member being woken. */
function stop(member: ScriptedMember, ms: number): void {
  member.now += ms
}

describe('a pause of its own', () => {
  it('[SW50] stops the clock of a suspicion, and what waited is read first', () => {
    const member = new ScriptedMember().meet(6)
    for (const by of [2, 3, 4]) member.gossip(peer(by), claim(peer(1), 'suspect', 0, peer(by)))
    member.answering(600, [peer(1)])
    stop(member, 200)
    member.do({ kind: 'tick' })
    expect(member.stateOf(peer(1))).toBe('suspect')
    member.gossip(peer(5), claim(peer(1), 'alive', 1))
    member.answering(1_000)
    expect(member.happened('member_dead')).toEqual([])
    expect(member.stateOf(peer(1))).toBe('alive')
  })

  it('[SW50] blames nobody for an answer that lies unread', () => {
    const member = new ScriptedMember().meet(6)
    member.pass(151, send => send.message.kind !== 'ping' && undefined)
    const unread = member.sent('ping').filter(send => !send.reliable)
    stop(member, 160)
    member.do({ kind: 'tick' })
    for (const { to, message } of unread) member.hear(to.node!, { kind: 'ack', sequence: message.sequence, updates: [] })
    member.answering(500)
    expect(member.happened('member_suspect')).toEqual([])
  })

  it('[SW51] voids its probes, and asks for news before it declares anybody dead', () => {
    const member = new ScriptedMember().meet(6)
    for (const by of [2, 3, 4]) member.gossip(peer(by), claim(peer(1), 'suspect', 0, peer(by)))
    member.answering(690, [peer(1)])
    member.sends = []
    stop(member, 2_000)
    member.do({ kind: 'tick' })
    expect(member.happened('own_stall')).toHaveLength(1)
    expect(member.happened('own_stall')[0]?.stalledMs).toBeGreaterThan(1_900)
    expect(member.swim.localHealth).toBe(1)
    expect(member.swim.lengths.probes).toBe(0)
    const questions = member.sent('sync')
    expect(questions).toHaveLength(3)
    member.pass(300)
    expect(member.stateOf(peer(1))).toBe('suspect')
    const { to, message } = questions[0]!
    member.hear(to.node!, { ...message, reply: true, members: [] })
    expect(member.stateOf(peer(1))).toBe('dead')
  })

  it('[SW51] does not wait for ever for the news', () => {
    const member = new ScriptedMember().meet(6)
    for (const by of [2, 3, 4]) member.gossip(peer(by), claim(peer(1), 'suspect', 0, peer(by)))
    member.answering(690, [peer(1)])
    stop(member, 2_000)
    member.do({ kind: 'tick' })
    member.pass(540)
    expect(member.stateOf(peer(1))).toBe('dead')
  })

  it('[SW51] believes its driver about a pause that it could not see itself', () => {
    const member = new ScriptedMember().meet(6)
    for (const by of [2, 3, 4]) member.gossip(peer(by), claim(peer(1), 'suspect', 0, peer(by)))
    member.answering(500, [peer(1)])
    member.do({ kind: 'stalled', stalledMs: 400 })
    expect(member.happened('own_stall')).toEqual([{ kind: 'own_stall', stalledMs: 400 }])
    member.answering(400, [peer(1)])
    expect(member.stateOf(peer(1))).toBe('suspect')
    member.answering(300, [peer(1)])
    expect(member.stateOf(peer(1))).toBe('dead')
  })

  it('[SW51] counts a pause once, whoever notices it first', () => {
    for (const first of ['tick', 'stalled'] as const) {
      const member = new ScriptedMember().meet(6)
      for (const by of [2, 3, 4]) member.gossip(peer(by), claim(peer(1), 'suspect', 0, peer(by)))
      member.answering(500, [peer(1)])
      stop(member, 2_000)
      member.do(first === 'tick' ? { kind: 'tick' } : { kind: 'stalled', stalledMs: 1_990 })
      member.answering(10, [peer(1)])
      member.do({ kind: 'stalled', stalledMs: 2_000 })
      expect(member.happened('own_stall')).toHaveLength(1)
      member.answering(600, [peer(1)])
      expect(member.stateOf(peer(1))).toBe('dead')
    }
  })

  it('[SW52] so frequent that every wake-up is late still lets it conclude', () => {
    const member = new ScriptedMember().meet(6)
    const random = seededRandom(5)
    while (member.stateOf(peer(1)) !== 'dead' && member.now < 30_000) {
      member.now = (member.wakeAt ?? member.now) + 50 + random.float() * 100
      for (const { to, message } of member.do({ kind: 'tick' }).sends) {
        if (to.node !== peer(1) && message.kind === 'ping') member.hear(to.node!, { kind: 'ack', sequence: message.sequence, updates: [] })
        if (message.kind === 'ping_request') member.gossip(to.node!, claim(peer(1), 'suspect', 0, to.node))
      }
    }
    expect(member.stateOf(peer(1))).toBe('dead')
    expect(member.happened('member_dead').map(event => event.member.node)).toEqual([peer(1)])
  })
})

describe('bounds', () => {
  it('[SW60] hold whatever is heard', () => {
    const member = new ScriptedMember()
    for (let index = 1; index <= MEMBERS_MAX + 50; index++) member.gossip(peer(1), claim(peer(index), 'alive'))
    expect(member.swim.lengths.members).toBe(MEMBERS_MAX)
    for (let index = 1; index <= 1_000; index++) {
      member.do({ kind: 'connection_closed', node: peer(index) })
      const request = { sequence: index, target: peer(index), host: '127.0.0.1', port: 1, updates: [] }
      member.hear(peer(1), { kind: 'ping_request', ...request })
    }
    member.do({ kind: 'join', seeds: Array.from({ length: 100 }, (_, index) => ({ host: '10.0.0.1', port: index })) })
    const { probes, relays, urgentProbes, seeds } = member.swim.lengths
    expect([probes, relays, seeds]).toEqual([64, 256, 64])
    expect(urgentProbes).toBeLessThanOrEqual(256)
  })

  it('[SW60] a full list takes a newcomer in when it can forget one that is gone', () => {
    const member = new ScriptedMember()
    for (let index = 1; index <= MEMBERS_MAX; index++) member.gossip(peer(1), claim(peer(index), 'alive'))
    member.gossip(peer(1), claim(peer(5_000), 'alive'))
    expect(member.stateOf(peer(5_000))).toBeUndefined()
    member.gossip(peer(1), claim(peer(2), 'dead', 0, peer(1)), claim(peer(5_000), 'alive'))
    expect(member.stateOf(peer(5_000))).toBe('alive')
    expect(member.swim.lengths.members).toBe(MEMBERS_MAX)
  })

  const names = fc.constantFrom(self, ...[1, 2, 3, 4, 5].map(peer))
  const incarnations = fc.oneof(
    fc.nat(5),
    fc.constantFrom(-1, 0.5, Number.NaN, 2 ** 20, 2 ** 47, 2 ** 48, 2 ** 53, Number.POSITIVE_INFINITY),
  )
  const updates = fc
    .record({
      node: names,
      state: fc.constantFrom('alive', 'suspect', 'dead', 'left', 'zombie', 'constructor'),
      incarnation: incarnations,
      by: fc.option(names, { nil: undefined }),
      refused: fc.boolean(),
      meta: fc.option(fc.constantFrom(metaAt(7_301), { role: '', endpoints: [], loadPercent: -1 }), { nil: undefined }),
    })
    .map(update => update as unknown as MemberUpdate)
  const lists = fc.array(updates, { maxLength: 4 })
  const sequence = fc.nat(3)
  const messages: fc.Arbitrary<SwimMessage> = fc.oneof(
    fc.record({ kind: fc.constant('ping' as const), sequence, target: names, reliable: fc.boolean(), updates: lists }),
    fc.record({ kind: fc.constant('ack' as const), sequence, updates: lists }),
    fc.record({ kind: fc.constant('nack' as const), sequence }),
    fc.record({ kind: fc.constant('gossip' as const), updates: lists }),
    fc.record({ kind: fc.constant('ping_request' as const), sequence, target: names, host: fc.string(), port: fc.nat(), updates: lists }),
    fc.record({ kind: fc.constant('sync' as const), sequence, reply: fc.boolean(), joining: fc.boolean(), members: lists }),
  )
  const happenings = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('message' as const), from: names, message: messages }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('connection_closed' as const), node: names }) },
    fc.record({ kind: fc.constant('stalled' as const), stalledMs: fc.nat(1_000) }),
    fc.record({
      kind: fc.constant('unreachable' as const),
      to: fc.record({ node: names, address: fc.constant({ host: '127.0.0.1', port: 7_301 }) }),
      how: fc.constantFrom('refused' as const, 'timed_out' as const),
    }),
  )

  it('[SW61] no peer can make it fail, sleep through, or be lost', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(happenings, fc.nat(300)), { maxLength: 60 }), steps => {
        const member = new ScriptedMember().meet(3)
        for (const [happening, ms] of steps) {
          member.do(happening)
          expect(member.wakeAt).toBeGreaterThanOrEqual(member.now - 0.01)
          member.pass(ms)
        }
        // Whatever was said of it before, it can say that it is alive.
        const accused = member.swim.self.incarnation
        member.gossip(peer(1), claim(self, 'dead', accused, peer(1)))
        expect(member.swim.self.incarnation).toBe(Math.min(accused + 1, 2 ** 48 + 1))
      }),
      { seed: 7, numRuns: 150 },
    )
  })

  it('[SW61] takes no message for its own', () => {
    const member = new ScriptedMember().meet(3)
    const states: readonly MemberState[] = ['suspect', 'dead']
    for (const state of states) member.gossip(self, claim(peer(1), state, 0, self))
    expect(member.stateOf(peer(1))).toBe('alive')
  })
})
