// Coordinators on simulated ports, asked over the wire.
import { type ClusterId, type Incarnation, type NodeId, nodeId, silentLogger } from '@atoll/base'
import { HandlerTable, NativeEndpoint, nodeStatus, rpc, type Session } from '@atoll/protocol'
import { parseConfig } from '@atoll/service'
import { createSimHashes, createSimulation } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { startCoordinator } from './coordinator.ts'

const hashes = await createSimHashes()
const SECRET = new Uint8Array(32).fill(7)
const cluster = 'test' as ClusterId
const names = ['coordinator-1', 'coordinator-2', 'coordinator-3'].map(nodeId)
const at = (index: number) => ({ host: '127.0.0.1', port: 7_201 + index })

/** Three coordinators that only know the first, and what a client got from asking the last. */
async function asked<T>(ask: (session: Session) => Promise<T>): Promise<T> {
  const simulation = createSimulation({ seed: 1, hashes })
  const identity = (name: NodeId) => ({ name, role: 'coordinator', clusterId: cluster, secret: SECRET })
  names.forEach((name, index) => {
    simulation.addNode(name).start(async ports => {
      const config = parseConfig('{}', 'the test')
      const node = await startCoordinator(
        { ...ports, links: undefined },
        { ...identity(name), config, native: { ...at(index), strict: true } },
      )
      if (index > 0) node.join([at(0)])
    })
  })
  await simulation.run({ untilMs: 3_000 })
  const answers: T[] = []
  simulation.addNode(nodeId('client')).start(async ports => {
    const client = {
      cluster,
      node: nodeId('client'),
      role: 'client',
      incarnation: () => 0 as Incarnation,
      secret: SECRET,
      frameBytesMax: 65_536,
    }
    const endpoint = new NativeEndpoint(client, new HandlerTable(), { ...ports, log: silentLogger })
    answers.push(await ask(await endpoint.call(at(2), names[2], { timeoutMs: 1_000 })))
  })
  await simulation.run({ until: () => answers.length > 0, untilMs: 10_000 })
  expect(answers).toHaveLength(1)
  return answers[0] as T
}

describe('a coordinator', () => {
  it('[CO1] knows all others through the first, and says so', async () => {
    const { node, role, members } = await asked(session => session.request(nodeStatus, {}))
    expect([node, role]).toEqual(['coordinator-3', 'coordinator'])
    expect(members.map(member => `${member.node} ${member.state}`).toSorted()).toEqual(names.map(name => `${name} alive`))
  })

  it('[CO2] answers a request it does not know with an error, and the next one it knows', async () => {
    const unheardOf = rpc({
      key: 0x7f01,
      name: 'unheard_of',
      doc: 'A request of a later version.',
      idempotent: true,
      request: {},
      response: {},
      errors: [],
    })
    const [error, status] = await asked(async session => {
      const refusal = await session.request(unheardOf, {}).catch((reason: unknown) => reason)
      return [refusal, await session.request(nodeStatus, {})] as const
    })
    expect(error).toMatchObject({ code: 'unknown_message', outcome: 'definite' })
    expect(status.state).toBe('running')
  })
})
