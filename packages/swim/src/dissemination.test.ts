// Rules SW30 to SW33: what is told, how often, and to whom.
import type { NodeId } from '@atoll/base'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Dissemination, tellingsMax, updateBytes } from './dissemination.ts'
import { UPDATE_BYTES_MAX, UPDATES_MAX } from './limits.ts'
import { claim, metaAt, peer, ScriptedMember } from './scripted-member.ts'
import { defaultSettings } from './settings.ts'

const nodes = (updates: readonly { readonly node: NodeId }[]) => updates.map(update => update.node)

describe('what there is to tell', () => {
  it('[SW30] is told a number of times that grows with the logarithm of the cluster', () => {
    expect([2, 9, 12, 99, 1_000].map(members => tellingsMax(members, defaultSettings))).toEqual([8, 8, 8, 8, 16])
    const rumours = new Dissemination()
    rumours.tell(claim(peer(1), 'dead'), true)
    for (let time = 0; time < 8; time++) expect(nodes(rumours.take(8, []))).toEqual([peer(1)])
    expect(rumours.take(8, [])).toEqual([])
    expect(rumours).toMatchObject({ length: 0, hasUrgent: false })
  })

  it('[SW30] is told in the order of how little it was told, then of how new it is', () => {
    const rumours = new Dissemination()
    for (const index of [1, 2, 3]) rumours.tell(claim(peer(index), 'alive'), true)
    rumours.take(8, [])
    for (const index of [4, 5]) rumours.tell(claim(peer(index), 'alive'), true)
    expect(nodes(rumours.take(8, [])).slice(0, 2)).toEqual([peer(5), peer(4)])
    rumours.tell(claim(peer(2), 'dead', 1), true)
    expect(rumours.take(8, [])[0]).toMatchObject({ node: peer(2), state: 'dead' })
    expect(rumours.length).toBe(5)
  })

  it('[SW31] never exceeds the bounds of a message, and still gets told in the end', () => {
    const rumour = fc.record({ index: fc.nat(60), endpoints: fc.nat(6), urgent: fc.boolean() })
    fc.assert(
      fc.property(fc.array(rumour, { maxLength: 80 }), list => {
        const rumours = new Dissemination()
        for (const { index, endpoints, urgent } of list) {
          const [endpoint] = metaAt(7_300 + index).endpoints
          const meta = { role: 'broker', endpoints: Array.from({ length: endpoints }, () => endpoint!), loadPercent: 1 }
          rumours.tell({ ...claim(peer(index), 'alive'), meta }, urgent)
        }
        const told = new Set<NodeId>()
        for (let messages = 0; rumours.length > 0; messages++) {
          const updates = rumours.take(4, [])
          expect(updates.length).toBeGreaterThan(0)
          expect(updates.length).toBeLessThanOrEqual(UPDATES_MAX)
          expect(updates.reduce((sum, update) => sum + updateBytes(update), 0)).toBeLessThanOrEqual(UPDATE_BYTES_MAX)
          for (const update of updates) told.add(update.node)
          expect(messages).toBeLessThan(400)
        }
        expect(told).toEqual(new Set(list.map(({ index }) => peer(index))))
        expect(rumours.hasUrgent).toBe(false)
      }),
      { seed: 7, numRuns: 60 },
    )
  })

  it('[SW32] makes rounds of gossip until it is told, and none without news', () => {
    const member = new ScriptedMember().meet(11)
    member.answering(3_000)
    expect(member.sent('gossip')).toEqual([])
    member.gossip(peer(2), claim(peer(1), 'dead', 0, peer(2)))
    member.answering(3)
    expect(new Set(member.sent('gossip').map(send => send.to.node)).size).toBe(3)
    member.answering(2_000)
    expect(member.sent('gossip').length).toBeLessThanOrEqual(8)
  })

  it('[SW32] a load only rides along, when it changed by much and not often', () => {
    const member = new ScriptedMember().meet(11)
    const told = () => member.sends.flatMap(({ message }) => ('updates' in message ? message.updates : []))
    member.do({ kind: 'load_changed', loadPercent: 9 })
    expect(member.swim.self).toMatchObject({ incarnation: 0, meta: { loadPercent: 0 } })
    member.do({ kind: 'load_changed', loadPercent: 40 })
    expect(member.swim.self).toMatchObject({ incarnation: 1, meta: { loadPercent: 40 } })
    member.do({ kind: 'load_changed', loadPercent: 90 })
    member.answering(3_000)
    expect(told().map(update => update.meta?.loadPercent)).toContain(40)
    expect(member.sent('gossip')).toEqual([])
    expect(member.swim.self.incarnation).toBe(1)
    member.answering(2_000)
    expect(member.swim.self).toMatchObject({ incarnation: 2, meta: { loadPercent: 90 } })
    member.gossip(peer(1), { ...claim(peer(1), 'alive', 1), meta: metaAt(7_301, 60) })
    expect(member.happened('member_updated')).toMatchObject([{ member: { meta: { loadPercent: 60 } } }])
    member.answering(500)
    expect(member.sent('gossip')).toEqual([])
  })

  it('[SW32] a changed address is news', () => {
    const member = new ScriptedMember().meet(11)
    member.do({ kind: 'meta_changed', role: 'cache', endpoints: metaAt(9_000).endpoints })
    member.answering(5)
    expect(member.sent('gossip')[0]?.message.updates[0]).toMatchObject({ incarnation: 1, meta: { role: 'cache' } })
  })

  it('[SW33] pings the dead now and then, with the claim that they are', () => {
    const member = new ScriptedMember().meet(4)
    member.gossip(peer(2), claim(peer(1), 'dead', 0, peer(2)))
    member.gossip(peer(3), claim(peer(3), 'left', 1))
    member.answering(1_000)
    member.sends = []
    member.answering(20_000)
    const pings = member.sent('ping').filter(send => send.to.node === peer(1))
    expect(pings.length).toBeGreaterThan(5)
    expect(pings.length).toBeLessThan(40)
    expect(pings[0]?.message.updates[0]).toEqual(claim(peer(1), 'dead', 0, peer(2)))
    expect(member.sends.filter(send => send.to.node === peer(3))).toEqual([])
  })
})
