// What the controller proposes, on a state that takes it at its word.
import { assert, type MonotonicMs, type NodeId } from '@atoll/base'
import { PARTITION_CHANGES_MAX } from '@atoll/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Command } from '../core/index.ts'
import { onceOf, rev } from '../core/scripted-state.ts'
import { createTopic, nodeOf, ScriptedTopics, topicId } from '../core/topics/scripted-topics.ts'
import { Exits } from './exits.ts'
import { Planner, type PlannerOptions } from './planner.ts'

const ms = (value: number) => value as MonotonicMs
const offsets = { name: '__consumer_offsets', partitions: 4, replicationFactor: 3, configs: [{ name: 'cleanup.policy', value: 'compact' }] }

class Controlled {
  readonly one: ScriptedTopics
  readonly options: PlannerOptions
  planner: Planner
  nowMs = 0
  readonly proposed: Command[] = []
  #seen: number

  constructor(one: ScriptedTopics, options: Partial<PlannerOptions> = {}) {
    this.one = one
    this.options = {
      topics: [],
      brokersPlanned: 3,
      drawTopicId: () => topicId(77),
      internalTopicsPatienceMs: 5_000,
      balanceAfterMs: 10_000,
      ...options,
    }
    this.planner = this.#lead()
    this.#seen = one.revision
  }

  /** Proposes until there is nothing to do; answers what was proposed. */
  run(atMs = this.nowMs): string[] {
    this.nowMs = atMs
    const from = this.proposed.length
    for (let steps = 0; ; steps++) {
      assert(steps < 1_000, 'the controller comes to an end')
      for (; this.#seen < this.one.revision; this.#seen++) {
        const change = this.one.state.store.changeAt((this.#seen + 1) as never)
        if (change !== undefined) this.planner.follow(change)
      }
      const step = this.planner.next(ms(this.nowMs))
      if (step.kind === 'wait') return this.proposed.slice(from).map(({ kind }) => kind)
      if (step.kind === 'again') continue
      this.proposed.push(step.command)
      this.one.apply(step.command)
    }
  }

  /** Another leader takes over. */
  takeOver(): void {
    this.planner = this.#lead()
    this.#seen = this.one.revision
  }

  #lead(): Planner {
    const planner = new Planner(this.one.state, this.options, ms(this.nowMs))
    for (const _ of planner.view.load()) continue
    return planner
  }
}

describe('the controller', () => {
  it('[CT1] settles what a broker’s death leaves, in a bounded number of bounded commands', () => {
    const one = ScriptedTopics.withBrokers(3)
    one.do(createTopic('t', { partitions: 500 }))
    one.do(createTopic('u', { partitions: 500, id: topicId(2) }))
    const controlled = new Controlled(one)
    expect(controlled.run()).toEqual([])
    one.fence('2')
    const proposed = controlled.run()
    expect(proposed).toEqual(Array(Math.ceil(1_000 / PARTITION_CHANGES_MAX)).fill('partitions_settle'))
    for (let n = 0; n < 500; n++) {
      expect(one.partition('t', n).leader).toMatch(/[13]/)
      expect(one.partition('u', n).leader).toMatch(/[13]/)
    }
    expect(controlled.run()).toEqual([])
  })

  it('[CT2] goes on where another one stopped', () => {
    const one = ScriptedTopics.withBrokers(3)
    one.do(createTopic('t', { partitions: 300 }))
    one.fence('2')
    one.settle('t', ...Array.from({ length: 100 }, (_, n) => n))
    const controlled = new Controlled(one)
    expect(controlled.run()).toHaveLength(Math.ceil(200 / PARTITION_CHANGES_MAX))
    controlled.takeOver()
    expect(controlled.run()).toEqual([])
  })

  it('[CT3] fences who is proven to be gone, and nobody who came after', () => {
    const one = ScriptedTopics.withBrokers(2)
    one.do(createTopic('t', { replicationFactor: 2 }))
    const before = rev(one.epochs.get('1') ?? 0)
    one.start('1')
    const controlled = new Controlled(one)
    controlled.run()
    controlled.planner.exited({ node: nodeOf('1'), epoch: before })
    expect([controlled.run(), one.isThere('1')]).toEqual([[], true])
    controlled.planner.exited({ node: nodeOf('1'), epoch: rev(one.epochs.get('1') ?? 0) })
    expect([controlled.run(), one.isThere('1')]).toEqual([['node_fence'], false])
    expect(one.partition().leader).toBe('2')
  })

  it('[CT4] takes refused connections for proof when two saw them, itself one of them, and not long ago', () => {
    const exits = new Exits('c1' as NodeId)
    const refused = (by: string, atMs: number) => exits.refused(nodeOf('b'), by as NodeId, ms(atMs))
    expect([refused('c2', 0), refused('c3', 1), refused('c1', 2)]).toEqual([false, false, true])
    exits.forget(nodeOf('b'))
    expect([refused('c1', 10), refused('c2', 10_000), refused('c1', 10_001)]).toEqual([false, false, true])
  })

  it('[CT5] creates internal topics once there are brokers enough, or after a while with those there are, and adds replicas later', () => {
    const one = ScriptedTopics.withBrokers(2)
    const controlled = new Controlled(one, { topics: [offsets] })
    expect(controlled.run(1_000)).toEqual([])
    expect(controlled.planner.next(ms(1_000))).toEqual({ kind: 'wait', untilMs: 6_000 })
    expect(controlled.run(6_000)).toEqual(['topic_create'])
    expect(one.topic(offsets.name)).toMatchObject({ internal: true, partitions: 4, replicationFactor: 2, configs: offsets.configs })
    one.start('3')
    expect(controlled.run(7_000)).toEqual(['partitions_reassign'])
    expect(one.partition(offsets.name, 2)).toMatchObject({ replicas: ['1', '2', '3'], adding: ['3'] })
    expect(controlled.run(8_000)).toEqual([])
    const three = new Controlled(ScriptedTopics.withBrokers(3), { topics: [offsets] })
    expect(three.run(0)).toEqual(['topic_create'])
    const single = new Controlled(ScriptedTopics.withBrokers(1), { topics: [offsets], brokersPlanned: 1 })
    expect([single.run(0), single.one.topic(offsets.name)?.replicationFactor]).toEqual([['topic_create'], 1])
  })

  it('[CT6] gives leadership back to preferred leaders once nothing happened for a while', () => {
    const one = ScriptedTopics.withBrokers(3)
    one.do(createTopic('t', { partitions: 3 }))
    const controlled = new Controlled(one)
    controlled.run(10_000)
    one.start('1')
    expect(controlled.run(11_000)).toEqual(['partitions_settle'])
    one.isr(['2', '3', '1'])
    expect([controlled.run(20_000), one.partition().leader]).toEqual([[], '2'])
    expect([controlled.run(30_001), one.partition().leader]).toEqual([['leaders_elect'], '1'])
    expect(controlled.run(60_000)).toEqual([])
  })

  it('[CT7] sweeps what a large topic left when it was deleted', () => {
    const one = ScriptedTopics.withBrokers(1)
    one.do(createTopic('t', { partitions: 500, replicationFactor: 1 }))
    for (const partitions of [1_000, 1_300])
      one.do({ kind: 'topic_grow', ...onceOf(0, 0, 0), name: 't', partitions, assignment: [], validateOnly: false })
    const controlled = new Controlled(one)
    one.do({ kind: 'topic_delete', ...onceOf(0, 0, 0), name: 't', id: '' })
    expect(controlled.run()).toEqual(['topic_sweep', 'topic_sweep'])
    expect([...controlled.planner.view.partitions()]).toEqual([])
    controlled.takeOver()
    expect(controlled.run()).toEqual([])
  })

  it('[CT8] leaves nothing that settling would change, whatever happens and whoever takes over', () => {
    const nodes = ['1', '2', '3']
    const event = fc.record({
      do: fc.constantFrom('fence', 'start', 'leave', 'boot', 'take_over', 'run', 'create', 'delete'),
      node: fc.constantFrom(...nodes),
    })
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), events => {
        const one = ScriptedTopics.withBrokers(3)
        const controlled = new Controlled(one)
        for (const [n, { do: what, node }] of events.entries()) {
          if (what === 'fence') one.fence(node)
          else if (what === 'start') one.start(node)
          else if (what === 'boot') one.boot(node)
          else if (what === 'leave' && one.isThere(node)) one.leave(node)
          else if (what === 'take_over') controlled.takeOver()
          else if (what === 'run') controlled.run(n * 1_000)
          else if (what === 'create') one.apply(createTopic(`t${n}`, { id: topicId(n + 1), partitions: 3, replicationFactor: 1 + (n % 3) }))
          else if (what === 'delete') one.apply({ kind: 'topic_delete', ...onceOf(0, 0, 0), name: `t${n - 1}`, id: '' })
        }
        controlled.run(events.length * 1_000)
        const revision = one.revision
        for (let n = 0; n < events.length; n++) if (one.topic(`t${n}`) !== undefined) one.settle(`t${n}`)
        expect(one.revision).toBe(revision)
        controlled.takeOver()
        expect(controlled.run()).toEqual([])
      }),
      { seed: 74, numRuns: 200 },
    )
  })
})
