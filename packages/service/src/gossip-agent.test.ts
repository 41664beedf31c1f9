// The driver of the membership core: when it ticks, whom it hears, and how it leaves.
import { type Clock, nodeId, silentLogger } from '@atoll/base'
import { HandlerTable, NativeEndpoint, swimGossip } from '@atoll/protocol'
import { describe, expect, it } from 'vitest'
import { TICK_MS_MIN } from './limits.ts'
import { startNode } from './node.ts'
import { SECRET, SimulatedNodes } from './simulated-nodes.ts'

describe('GossipAgent', () => {
  it('[GA9] never sets a timer for less than a tick, and never works without an end in one moment', async () => {
    const shortest = { ms: Number.POSITIVE_INFINITY }
    const adaptClock = (clock: Clock): Clock => ({
      ...clock,
      after: (delayMs, task) => {
        shortest.ms = Math.min(shortest.ms, delayMs)
        return clock.after(delayMs, task)
      },
    })
    const config = { gossip: { probeIntervalMs: 20 } }
    const nodes = new SimulatedNodes(3, { config, adapt: ports => ({ ...ports, clock: adaptClock(ports.clock) }) })
    nodes.start(...nodes.names)
    await nodes.run(2_000)
    // A paused node comes back far behind its deadlines.
    nodes.machine(nodes.names[0] as never).pause()
    await nodes.run(5_000)
    nodes.machine(nodes.names[0] as never).resume()
    const { events } = await nodes.simulation.run({ untilMs: nodes.simulation.nowMs + 1_000, eventsMax: 20_000 })
    expect(events).toBeLessThan(20_000)
    expect(shortest.ms).toBeGreaterThanOrEqual(TICK_MS_MIN)
    await nodes.run(2_000)
    expect(nodes.view(nodes.names[1] as never)).toBe('a alive, b alive, c alive')
  })

  it('[GA9] a node alone, and one with nobody to gossip with, does nothing without end', async () => {
    const nodes = new SimulatedNodes(1)
    nodes.start(...nodes.names)
    const { events } = await nodes.simulation.run({ untilMs: 10_000 })
    expect(events).toBeLessThan(1_000)
    expect(nodes.view(nodes.names[0] as never)).toBe('a alive')
  })

  it('[GA10] does not believe what a client says', async () => {
    const nodes = new SimulatedNodes(2)
    const [a, b] = nodes.names as [never, never]
    nodes.start(...nodes.names)
    await nodes.run(2_000)
    let done = false
    nodes.simulation.addNode(nodeId('client')).start(async ports => {
      const identity = {
        ...nodes.node(a).context.identity,
        node: nodeId('client'),
        role: 'client',
        incarnation: () => 0 as never,
        secret: SECRET,
      }
      const endpoint = new NativeEndpoint(identity, new HandlerTable(), { ...ports, log: silentLogger })
      const session = await endpoint.call({ host: '127.0.0.1', port: nodes.portOf(a) }, undefined, { timeoutMs: 1_000 })
      const claim = { node: b, state: 'suspect', incarnation: 0 as never, by: nodeId('c'), refused: true, meta: undefined } as const
      session.send(swimGossip, { updates: [claim] })
      session.end()
      done = true
    })
    await nodes.run(1_000)
    expect(done).toBe(true)
    expect(nodes.log(a).filter(({ event }) => event === 'member_suspect')).toEqual([])
    expect(nodes.view(a)).toBe('a alive, b alive')
  })

  it('[GA11] leaving twice is leaving once', async () => {
    const nodes = new SimulatedNodes(2)
    const [a, b] = nodes.names as [never, never]
    nodes.start(...nodes.names)
    await nodes.run(2_000)
    await nodes.doing(async () => {
      await Promise.all([nodes.node(a).gossip.leave(), nodes.node(a).gossip.leave()])
      await nodes.node(a).gossip.leave()
    })
    await nodes.run(500)
    expect(nodes.view(b)).toBe('a left, b alive')
    expect(nodes.log(a).filter(({ event }) => event === 'farewell_said')).toHaveLength(1)
  })

  it('[GA12] says in the log, and not at every try, that another secret keeps it out', async () => {
    const nodes = new SimulatedNodes(2)
    const [a, b] = nodes.names as [never, never]
    nodes.start(a)
    nodes.machine(b).start(async ports => {
      const node = await startNode({ ...ports, links: undefined }, { ...nodes.optionsOf(b), secret: new Uint8Array(32).fill(8) })
      node.join([{ host: '127.0.0.1', port: nodes.portOf(a) }])
    })
    await nodes.run(50_000)
    const said = nodes.log(b).filter(({ event }) => event === 'turned_away')
    expect(said).toEqual([expect.objectContaining({ level: 'warn', code: 'wrong_secret', address: '127.0.0.1:7201' })])
    expect(nodes.view(a)).toBe('a alive')
  })
})
