// The ordered stop: last started, first stopped, once, and within its deadline.
import { type Clock, nodeId, silentLogger } from '@atoll/base'
import { createSimulation, type SimPorts } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { DrainTimeoutError, Lifecycle } from './lifecycle.ts'
import { hashes, SimulatedNodes } from './simulated-nodes.ts'

/** Runs `act` as the program of a simulated process, to its end. */
async function inProcess(act: (ports: SimPorts) => Promise<void>): Promise<void> {
  const simulation = createSimulation({ seed: 1, hashes })
  let done = false
  simulation.addNode(nodeId('a')).start(async ports => {
    await act(ports)
    done = true
  })
  await simulation.run()
  expect(done).toBe(true)
}

const passing = (clock: Clock, ms: number): Promise<void> => new Promise(resolve => void clock.after(ms, resolve))

describe('Lifecycle', () => {
  it('[LC5] stops in the opposite order of the start, each step after the one before has ended', () =>
    inProcess(async ({ clock }) => {
      const lifecycle = new Lifecycle(clock, silentLogger)
      const steps: string[] = []
      for (const name of ['listener', 'gossip', 'log'])
        lifecycle.onStop(name, async () => {
          steps.push(`${name} begins`)
          await passing(clock, 10)
          steps.push(`${name} ended`)
        })
      expect(lifecycle.state).toBe('starting')
      lifecycle.running()
      expect(lifecycle.state).toBe('running')
      const stopped = lifecycle.stop('SIGTERM', 1_000)
      expect(lifecycle.state).toBe('draining')
      await stopped
      expect(steps).toEqual(['log begins', 'log ended', 'gossip begins', 'gossip ended', 'listener begins', 'listener ended'])
    }))

  it('[LC6] gives up at the deadline of the whole stop and names the step it waited for', () =>
    inProcess(async ({ clock }) => {
      const lifecycle = new Lifecycle(clock, silentLogger)
      lifecycle.onStop('never reached', () => expect.unreachable())
      lifecycle.onStop('the stuck one', () => new Promise(() => {}))
      lifecycle.onStop('the slow one', () => passing(clock, 700))
      const startedMs = clock.monotonicMs()
      await expect(lifecycle.stop('SIGTERM', 1_000)).rejects.toThrow(new DrainTimeoutError('stopping the stuck one took too long'))
      expect(clock.monotonicMs() - startedMs).toBeCloseTo(1_000, 1)
    }))

  it('[LC6] fails with what a step throws', () =>
    inProcess(async ({ clock }) => {
      const lifecycle = new Lifecycle(clock, silentLogger)
      lifecycle.onStop('broken', () => {
        throw new RangeError('broken')
      })
      await expect(lifecycle.stop('SIGTERM', 1_000)).rejects.toThrow(RangeError)
    }))

  it('[LC7] stops once, however often it is asked', () =>
    inProcess(async ({ clock }) => {
      const lifecycle = new Lifecycle(clock, silentLogger)
      let stops = 0
      lifecycle.onStop('counted', async () => {
        stops++
        await passing(clock, 10)
      })
      await Promise.all([lifecycle.stop('SIGTERM', 1_000), lifecycle.stop('SIGHUP', 1), lifecycle.stop('SIGTERM', 1)])
      expect(stops).toBe(1)
      lifecycle.running()
      expect(lifecycle.state).toBe('draining')
    }))
})

describe('a node that stops', () => {
  it('[LC5] says farewell while it still answers, and is gone from every view without being called dead', async () => {
    const nodes = new SimulatedNodes(3)
    const [a, b, c] = nodes.names as [never, never, never]
    nodes.start(...nodes.names)
    await nodes.run(2_000)
    expect(nodes.view(a)).toBe('a alive, b alive, c alive')
    nodes.machine(b).stop()
    await nodes.run(5_000)
    expect(nodes.machine(b).exitCode).toBe(0)
    for (const name of [a, c]) {
      expect(nodes.view(name)).toBe('a alive, b left, c alive')
      expect(nodes.log(name).filter(({ event }) => event === 'member_dead' || event === 'member_suspect')).toEqual([])
    }
    expect(
      nodes
        .log(b)
        .map(({ event }) => event)
        .slice(-3),
    ).toEqual(['stopping', 'farewell_said', 'stopped'])
  })

  it('[LC5] can be asked what it believed until it is gone', async () => {
    const nodes = new SimulatedNodes(2)
    const [a] = nodes.names as [never]
    nodes.start(...nodes.names)
    await nodes.run(2_000)
    await nodes.doing(() => nodes.node(a).stop('the test'))
    expect(nodes.view(a)).toBe('a left, b alive')
    expect(nodes.node(a).gossip.incarnation).toBeGreaterThan(0)
  })
})
