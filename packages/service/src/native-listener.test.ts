// Which port a node gets, and when it gets none.
import { type Listener, NetError, nodeId } from '@atoll/base'
import { createSimulation, type SimPorts } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { PORT_MAX, PORT_MIN, PORT_TRIES_MAX } from './limits.ts'
import { listenNative, PortTakenError } from './native-listener.ts'
import { startNode } from './node.ts'
import { hashes, SimulatedNodes } from './simulated-nodes.ts'

async function inProcess<T>(act: (ports: SimPorts) => Promise<T>): Promise<T> {
  const simulation = createSimulation({ seed: 1, hashes })
  const outcomes: T[] = []
  simulation.addNode(nodeId('a')).start(async ports => {
    outcomes.push(await act(ports))
  })
  await simulation.run()
  expect(outcomes).toHaveLength(1)
  return outcomes[0] as T
}

const at = (port: number, strict = false) => ({ host: '127.0.0.1', port, strict })
const listenWith = (ports: SimPorts) => (endpoint: { readonly host: string; readonly port: number } | { readonly path: string }) =>
  ports.net.listen(endpoint, { onConnection: connection => connection.open({ onData() {}, onDrain() {}, onClose() {} }) })

describe('listenNative', () => {
  it('[NL1] listens at the port it was asked for', async () => {
    const { endpoint } = await inProcess(ports => listenNative(listenWith(ports), at(7201, true), ports.random))
    expect(endpoint).toEqual({ host: '127.0.0.1', port: 7201 })
  })

  it('[NL2] replaces a taken port by a free one below every ephemeral range', () =>
    inProcess(async ports => {
      const listen = listenWith(ports)
      await listen({ host: '127.0.0.1', port: 7201 })
      const taken = new Set([7201])
      for (let i = 0; i < 20; i++) {
        const { endpoint } = await listenNative(listen, at(7201), ports.random)
        const port = 'port' in endpoint ? endpoint.port : 0
        expect(port).toBeGreaterThanOrEqual(PORT_MIN)
        expect(port).toBeLessThanOrEqual(PORT_MAX)
        expect(taken.has(port)).toBe(false)
        taken.add(port)
      }
    }))

  it('[NL3] fails with the port’s number when it must be that one', () =>
    inProcess(async ports => {
      const listen = listenWith(ports)
      await listen({ host: '127.0.0.1', port: 7201 })
      await expect(listenNative(listen, at(7201, true), ports.random)).rejects.toThrow(
        expect.objectContaining({ name: 'PortTakenError', port: 7201, message: 'port 7201 on 127.0.0.1 is taken' }),
      )
    }))

  it('[NL3] gives up after a bounded number of ports that are all taken', () =>
    inProcess(async ports => {
      let tries = 0
      const listen = (): Promise<Listener> => {
        tries++
        return Promise.reject(new NetError('address_in_use', 'taken'))
      }
      await expect(listenNative(listen, at(7201), ports.random)).rejects.toThrow(PortTakenError)
      expect(tries).toBe(PORT_TRIES_MAX + 1)
    }))

  it('[NL4] does not look for another port when the trouble is not the port', () =>
    inProcess(async ports => {
      const refusal = new NetError('permission', 'not allowed')
      await expect(listenNative(() => Promise.reject(refusal), at(80), ports.random)).rejects.toBe(refusal)
    }))
})

describe('a node', () => {
  it('[NL2] tells the cluster the port it got, not the one it wanted', async () => {
    const nodes = new SimulatedNodes(2)
    const [a, b] = nodes.names as [never, never]
    const simulation = nodes.simulation
    simulation.addNode(nodeId('squatter')).start(async ports => {
      await listenWith(ports)({ host: '127.0.0.1', port: nodes.portOf(b) })
    })
    await nodes.run(1)
    nodes.start(a)
    nodes.machine(b).start(async ports => {
      const options = nodes.optionsOf(b)
      const node = await startNode({ ...ports, links: undefined }, { ...options, native: { ...options.native, strict: false } })
      expect(node.endpoints).toEqual([expect.objectContaining({ protocol: 'native', wanted: nodes.portOf(b) })])
      node.join([{ host: '127.0.0.1', port: nodes.portOf(a) }])
    })
    await nodes.run(3_000)
    expect(nodes.view(a)).toBe('a alive, b alive')
    const [seen] = nodes
      .node(a)
      .gossip.members()
      .filter(({ node }) => node === b)
    expect(seen?.meta.endpoints[0]?.port).toBeGreaterThanOrEqual(PORT_MIN)
  })
})
