// Rules SW10 to SW19: whom to probe, when, and what its silence means.
import { type NodeId, seededRandom } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { LocalHealth } from './local-health.ts'
import { ProbeSchedule } from './probe-schedule.ts'
import { claim, peer, ScriptedMember, self } from './scripted-member.ts'

const peers = (count: number): NodeId[] => Array.from({ length: count }, (_, index) => peer(index + 1))

function scheduleOf(count: number, seed = 3): ProbeSchedule {
  const schedule = new ProbeSchedule(seededRandom(seed))
  for (const node of peers(count)) schedule.add(node)
  return schedule
}

const pass = (schedule: ProbeSchedule, count: number, lastHeard: (node: NodeId) => number | undefined = () => 0) =>
  Array.from({ length: count }, () => schedule.next(lastHeard) as NodeId)

describe('the schedule of probes', () => {
  it('[SW10] probes each member once per pass, in an order that changes', () => {
    const schedule = scheduleOf(20)
    const passes = Array.from({ length: 6 }, () => pass(schedule, 20))
    for (const order of passes) expect(order.toSorted()).toEqual(peers(20).toSorted())
    expect(new Set(passes.map(order => order.join())).size).toBe(6)
  })

  it('[SW10] passes over those that are gone, and ends when nobody is left', () => {
    const schedule = scheduleOf(5)
    const gone = new Set([peer(1), peer(2)])
    const lastHeard = (node: NodeId) => (gone.has(node) ? undefined : 0)
    expect(new Set(pass(schedule, 9, lastHeard))).toEqual(new Set([peer(3), peer(4), peer(5)]))
    for (const node of peers(5)) gone.add(node)
    expect(schedule.next(lastHeard)).toBeUndefined()
    expect(schedule.length).toBe(0)
  })

  it('[SW11] takes the one silent longest of the next 16 first', () => {
    const schedule = scheduleOf(12)
    const heardAt = new Map(peers(12).map((node, index) => [node, 100 - index]))
    expect(pass(schedule, 12, node => heardAt.get(node))).toEqual(peers(12).toReversed())
    const large = scheduleOf(200)
    const order = pass(large, 200, node => (node === peer(7) ? -1 : 0))
    expect(order.toSorted()).toEqual(peers(200).toSorted())
  })

  it('[SW12] takes in who is new or back at a random place of the rest of the pass', () => {
    const placesOf = (node: NodeId) =>
      Array.from({ length: 80 }, (_, seed) => {
        const schedule = scheduleOf(9, seed)
        const passed = pass(schedule, 4)
        const chosen = node === peer(10) ? node : (passed[0] as NodeId)
        schedule.add(chosen)
        schedule.add(chosen)
        expect(schedule.length).toBe(node === peer(10) ? 10 : 9)
        return pass(schedule, 6).indexOf(chosen)
      })
    for (const places of [placesOf(peer(10)), placesOf(peer(1))]) {
      expect(new Set(places)).toEqual(new Set([0, 1, 2, 3, 4, 5]))
    }
  })
})

describe('a probe', () => {
  it('[SW13] starts at a random time after the start of the process', () => {
    const starts = Array.from({ length: 40 }, (_, seed) => {
      const member = new ScriptedMember(seed)
      member.gossip(peer(1), claim(peer(1), 'alive'))
      while (member.sent('ping').length === 0) member.pass(1)
      return member.now - 1_000
    })
    expect(Math.min(...starts)).toBeLessThan(30)
    expect(Math.max(...starts)).toBeGreaterThan(120)
    expect(Math.max(...starts)).toBeLessThan(153)
  })

  /** Passes time until `node` is pinged, everybody answering but it. */
  function untilPinged(member: ScriptedMember, node: NodeId): number {
    while (!member.sent('ping').some(send => send.to.node === node)) member.answering(1, [node])
    return member.sent('ping').find(send => send.to.node === node)!.message.sequence
  }

  it('[SW14] goes on through three helpers and a stream after the ack timeout, and suspects at the end of the period', () => {
    const member = new ScriptedMember().meet(6)
    const sequence = untilPinged(member, peer(1))
    member.answering(58, [peer(1)])
    expect(member.sent('ping_request')).toEqual([])
    member.answering(4, [peer(1)])
    const requests = member.sent('ping_request')
    expect(new Set(requests.map(send => send.to.node)).size).toBe(3)
    for (const { message } of requests) expect(message).toMatchObject({ sequence, target: peer(1), host: '127.0.0.1', port: 7_301 })
    expect(member.sent('ping').filter(send => send.reliable)).toMatchObject([{ to: { node: peer(1) }, message: { sequence } }])
    member.answering(84, [peer(1)])
    expect(member.stateOf(peer(1))).toBe('alive')
    member.answering(10, [peer(1)])
    expect(member.stateOf(peer(1))).toBe('suspect')
  })

  it('[SW14] is content with an answer that comes through a helper, or late', () => {
    for (const from of ['helper', 'target']) {
      const member = new ScriptedMember().meet(6)
      const sequence = untilPinged(member, peer(1))
      member.answering(100, [peer(1)])
      const helper = member.sent('ping_request')[0]!.to.node!
      member.hear(from === 'helper' ? helper : peer(1), { kind: 'ack', sequence, updates: [] })
      member.answering(60, [peer(1)])
      expect(member.stateOf(peer(1))).toBe('alive')
    }
  })

  it('[SW15] is passed on by a helper: the ack if there is one, else a nack at 80 % of the timeout', () => {
    const member = new ScriptedMember().meet(4)
    const request = { kind: 'ping_request', sequence: 77, target: peer(2), host: '127.0.0.1', port: 7_302, updates: [] } as const
    member.hear(peer(1), request)
    const ping = member.sent('ping').find(send => send.to.node === peer(2))!
    expect(ping.message.target).toBe(peer(2))
    member.hear(peer(2), { kind: 'ack', sequence: ping.message.sequence, updates: [] })
    expect(member.sent('ack')).toMatchObject([{ to: { node: peer(1) }, message: { sequence: 77 } }])
    member.hear(peer(1), { ...request, sequence: 78 })
    member.answering(47, [peer(2)])
    expect(member.sent('nack')).toEqual([])
    member.answering(2, [peer(2)])
    expect(member.sent('nack')).toMatchObject([{ to: { node: peer(1) }, message: { sequence: 78 } }])
  })

  it('[SW16] takes no answer from anybody else', () => {
    const member = new ScriptedMember().meet(6)
    const sequence = untilPinged(member, peer(1))
    member.answering(65, [peer(1)])
    const asked = member.sent('ping_request').map(send => send.to.node)
    const stranger = peers(6).find(node => node !== peer(1) && !asked.includes(node))!
    member.hear(stranger, { kind: 'ack', sequence, updates: [] })
    member.answering(90, [peer(1)])
    expect(member.stateOf(peer(1))).toBe('suspect')
  })

  it('[SW17] follows a closed connection at once; the connection itself proves nothing', () => {
    const member = new ScriptedMember().meet(6)
    member.do({ kind: 'connection_closed', node: peer(3) })
    expect(member.sent('ping')).toMatchObject([{ to: { node: peer(3) } }])
    for (let times = 0; times < 5; times++) member.do({ kind: 'connection_closed', node: peer(3) })
    expect(member.sent('ping')).toHaveLength(1)
    const { sequence } = member.sent('ping')[0]!.message
    member.hear(peer(3), { kind: 'ack', sequence, updates: [] })
    member.do({ kind: 'connection_closed', node: peer(99) })
    member.answering(1_000)
    expect(member.happened('member_suspect')).toEqual([])
  })

  it('[SW18] tells a suspected member so before anything else', () => {
    const member = new ScriptedMember().meet(6)
    member.gossip(peer(2), claim(peer(1), 'suspect', 0, peer(2)))
    for (let index = 7; index < 30; index++) member.gossip(peer(index), claim(peer(index), 'alive'))
    member.hear(peer(1), { kind: 'ping', sequence: 1, target: self, reliable: false, updates: [] })
    const ack = member.sent('ack')[0]!.message
    expect(ack.updates[0]).toMatchObject({ node: peer(1), state: 'suspect' })
    expect(ack.updates.filter(update => update.node === peer(1))).toHaveLength(1)
    untilPinged(member, peer(1))
    const ping = member.sent('ping').find(send => send.to.node === peer(1))!.message
    expect(ping.updates[0]).toMatchObject({ node: peer(1), state: 'suspect' })
  })
})

describe('local health', () => {
  it('[SW19] falls with missing nacks, refutations and pauses, and recovers with answers', () => {
    const health = new LocalHealth()
    health.probeFailed(3, 3)
    expect(health.score).toBe(0)
    health.probeFailed(3, 1)
    expect(health.score).toBe(2)
    health.probeFailed(0, 0)
    health.refuted()
    health.stalled()
    expect(health.multiplier).toBe(6)
    for (let times = 0; times < 9; times++) health.probeFailed(3, 0)
    expect(health.multiplier).toBe(8)
    for (let times = 0; times < 9; times++) health.probeSucceeded()
    expect(health.multiplier).toBe(1)
  })

  it('[SW19] slows the probes of a member that nobody answers, not of one whose target is dead', () => {
    const cut = new ScriptedMember().meet(6)
    cut.pass(1_000)
    expect(cut.swim.localHealth).toBeGreaterThan(2)
    const fine = new ScriptedMember().meet(6)
    fine.answering(7_000, [peer(1)])
    expect(fine.happened('member_dead')).toHaveLength(1)
    expect(fine.swim.localHealth).toBe(0)
  })
})
