// Noticing one's own pauses: counted once, told to gossip once, said in the log.
import { describe, expect, it } from 'vitest'
import { STALL_LOOK_MS } from './limits.ts'
import { SimulatedNodes } from './simulated-nodes.ts'

async function paused(pauseMs: number, options: { readonly seed?: number; readonly stallWarnMs?: number } = {}): Promise<SimulatedNodes> {
  const nodes = new SimulatedNodes(3, { seed: options.seed ?? 1, config: { stallWarnMs: options.stallWarnMs ?? 250 } })
  const [a] = nodes.names as [never]
  nodes.start(...nodes.names)
  await nodes.run(2_000)
  nodes.machine(a).pause()
  await nodes.run(pauseMs)
  nodes.machine(a).resume()
  await nodes.run(3_000)
  return nodes
}

const events = (nodes: SimulatedNodes, event: string) => nodes.log(nodes.names[0] as never).filter(line => line.event === event)

const metricsOf = (nodes: SimulatedNodes) => nodes.doing(() => nodes.node(nodes.names[0] as never).context.metrics.text())

describe('StallDetector', () => {
  it('[SD1] counts a pause past the threshold, and how long it was', async () => {
    const nodes = await paused(STALL_LOOK_MS + 800)
    const metrics = await metricsOf(nodes)
    expect(metrics).toContain('atoll_process_stalls_total 1\n')
    const [, seconds] = /^atoll_process_stalled_seconds_total (\S+)/m.exec(metrics) ?? []
    // Up to the time between two looks of the pause is not late.
    expect(Number(seconds)).toBeGreaterThan(0.79)
    expect(Number(seconds)).toBeLessThanOrEqual((STALL_LOOK_MS + 800) / 1_000)
    expect(events(nodes, 'stalled')).toHaveLength(1)
  })

  it('[SD1] says nothing of a pause below the threshold', async () => {
    const nodes = await paused(240)
    expect(events(nodes, 'stalled')).toEqual([])
    expect(await metricsOf(nodes)).toContain('atoll_process_stalls_total 0\n')
  })

  it('[SD1] keeps to the threshold that the operator set', async () => {
    expect(events(await paused(STALL_LOOK_MS + 250, { stallWarnMs: 100 }), 'stalled')).toHaveLength(1)
    expect(events(await paused(STALL_LOOK_MS + 250, { stallWarnMs: 2_000 }), 'stalled')).toEqual([])
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('[SD2] one pause is one stall for gossip, whoever notices it first (seed %i)', async seed => {
    const nodes = await paused(600, { seed })
    expect(events(nodes, 'own_stall')).toHaveLength(1)
    expect(events(nodes, 'own_stall')[0]?.['stalledMs']).toBeLessThanOrEqual(600)
  })

  it('[SD3] stops looking when the node stops', async () => {
    const nodes = new SimulatedNodes(1)
    nodes.start(...nodes.names)
    await nodes.run(1_000)
    nodes.machine(nodes.names[0] as never).stop()
    const { reason } = await nodes.simulation.run()
    expect(reason).toBe('idle')
  })
})
