// Everything at random: brokers die, come back with less, leaders say who is in sync, replicas move, settings change.
import type { PartitionRecord } from '@atoll/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { onceOf } from '../scripted-state.ts'
import { CommittedRecords } from './committed-records.ts'
import { createTopic, ScriptedTopics } from './scripted-topics.ts'

const NODES = ['1', '2', '3', '4']
const node = fc.constantFrom(...NODES)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('append' as const), node }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('fetch' as const), node }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('observe' as const), node }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('expand' as const), node }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('shrink' as const), node, other: node }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('crash' as const, 'fence' as const), node }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('start' as const),
      node,
      how: fc.constantFrom('again' as const, 'again' as const, 'machine' as const, 'new_disk' as const, 'damaged' as const),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('leave' as const, 'resign' as const), node }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('prefer' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('move' as const), to: fc.uniqueArray(node, { maxLength: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('configure' as const), minIsr: fc.integer({ min: 1, max: 3 }) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

function perform(records: CommittedRecords, step: Step): void {
  const one = records.cluster
  const refusable = (act: () => unknown) => {
    try {
      act()
    } catch (error) {
      // Its registration is over, or it never was in the state for that.
      expect(String(error)).toContain('stale_registration')
    }
  }
  switch (step.do) {
    case 'append':
      return records.append(step.node)
    case 'fetch':
      return records.fetch(step.node)
    case 'observe':
      return records.observe(step.node)
    case 'expand':
      return records.propose(step.node, undefined)
    case 'shrink':
      return records.propose(step.node, step.other)
    case 'crash':
      return records.crash(step.node)
    case 'fence':
      return one.fence(step.node)
    case 'start':
      return records.start(step.node, step.how)
    case 'settle':
      return one.settle()
    case 'leave':
      return refusable(() => one.leave(step.node))
    case 'resign':
      return refusable(() => one.yield(step.node, false))
    case 'prefer':
      return void one.elect('preferred')
    case 'move':
      return void one.move(...step.to)
    case 'configure':
      one.do({
        kind: 'topic_configure',
        ...onceOf(0, 0, 0),
        name: 't',
        set: [{ name: 'min.insync.replicas', value: String(step.minIsr) }],
        unset: [],
        validateOnly: false,
      })
  }
}

const names = (members: PartitionRecord['isr']) => members.map(member => member.node)

function checkForm(before: PartitionRecord, after: PartitionRecord, step: Step): void {
  const { replicas, isr, eligible, leader, adding, removing } = after
  const inSync = names(isr)
  expect(new Set(inSync).size).toBe(inSync.length)
  for (const nodes of [inSync, names(eligible), adding, removing]) for (const one of nodes) expect(replicas).toContain(one)
  for (const one of names(eligible)) expect(inSync).not.toContain(one)
  if (leader !== undefined) expect(inSync).toContain(leader)
  if (isr.length >= after.minIsr) expect(eligible).toEqual([])
  expect(after.leaderEpoch).toBeGreaterThanOrEqual(before.leaderEpoch)
  expect(after.partitionEpoch).toBeGreaterThanOrEqual(before.partitionEpoch)
  if (leader !== before.leader) {
    expect(after.leaderEpoch).toBeGreaterThan(before.leaderEpoch)
    // The leader’s own word may bring in who ends a move, and leads from then on.
    if (leader !== undefined && step.do !== 'expand') expect([...names(before.isr), ...names(before.eligible)]).toContain(leader)
  }
}

const cluster = (flush: string) => {
  const one = ScriptedTopics.withBrokers(NODES.length)
  one.do(createTopic('t', { configs: [{ name: 'flush', value: flush }] }))
  return one
}

describe('a partition to which anything happens', () => {
  for (const flush of ['disk', 'os'] as const)
    it(`[PE15] never loses what was committed, is led from those in sync, and has a leader when one of them is there, with flush: ${flush}`, () => {
      fc.assert(
        fc.property(fc.array(step, { minLength: 30, maxLength: 120 }), steps => {
          const records = new CommittedRecords(cluster(flush), NODES, flush)
          const one = records.cluster
          for (const step of steps) {
            const before = one.partition()
            perform(records, step)
            checkForm(before, one.partition(), step)
            records.check()
          }
          // Once everybody who is there was looked at:
          one.settle()
          const [settled, revision] = [one.partition(), one.revision]
          one.settle()
          expect([one.partition(), one.revision]).toEqual([settled, revision])
          const there = settled.isr.filter(member => one.as(member.node).epoch === member.epoch && one.isThere(member.node))
          expect(settled.leader !== undefined).toBe(there.length > 0)
          const other = one.restored()
          expect(other.bytes()).toEqual(one.bytes())
          expect(other.state.digest.text).toBe(one.state.digest.text)
        }),
        { seed: 73, numRuns: 100 },
      )
    })
})
