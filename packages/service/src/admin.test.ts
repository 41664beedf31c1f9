// What a node answers about itself, and what it lets an operator do, over the wire.
import { type LinkRule, nodeId } from '@atoll/base'
import { HandlerTable, NativeEndpoint, nodeMetrics, nodeSetLinks, nodeSetLogLevel, nodeStatus, type Session } from '@atoll/protocol'
import { describe, expect, it } from 'vitest'
import { cutLink, linkRuleOf } from './link-rules.ts'
import { SECRET, SimulatedNodes, type SimulatedNodesOptions } from './simulated-nodes.ts'

/** Runs `ask` as a client of node `a` in a cluster of two that knows itself. */
async function asking<T>(
  ask: (session: Session) => Promise<T>,
  options: SimulatedNodesOptions = {},
): Promise<{ answer: T; nodes: SimulatedNodes }> {
  const nodes = new SimulatedNodes(2, options)
  nodes.start(...nodes.names)
  await nodes.run(3_000)
  const answers: T[] = []
  nodes.simulation.addNode(nodeId('client')).start(async ports => {
    const silent = { error() {}, warn() {}, info() {}, debug() {} }
    const identity = {
      ...nodes.node(nodes.names[0] as never).context.identity,
      node: nodeId('client'),
      role: 'client',
      incarnation: () => 0 as never,
      secret: SECRET,
    }
    const endpoint = new NativeEndpoint(identity, new HandlerTable(), { ...ports, log: silent })
    const session = await endpoint.call({ host: '127.0.0.1', port: nodes.portOf(nodes.names[0] as never) }, undefined, { timeoutMs: 1_000 })
    answers.push(await ask(session))
  })
  await nodes.simulation.run({ until: () => answers.length > 0, untilMs: nodes.simulation.nowMs + 10_000 })
  expect(answers).toHaveLength(1)
  return { answer: answers[0] as T, nodes }
}

describe('admin requests', () => {
  it('[AD1] node_status says how the node is and what it believes of every member', async () => {
    const { answer } = await asking(session => session.request(nodeStatus, {}))
    expect(answer).toMatchObject({ node: 'a', role: 'coordinator', state: 'running', stalls: 0 })
    expect(answer.uptimeMs).toBeGreaterThan(2_900)
    expect(answer.members.map(({ node, state, address }) => `${node} ${state} ${address}`)).toEqual([
      'a alive 127.0.0.1:7201',
      'b alive 127.0.0.1:7202',
    ])
  })

  it('[AD2] node_metrics answers all metrics as text', async () => {
    const { answer } = await asking(session => session.request(nodeMetrics, {}))
    expect(answer.text).toContain('atoll_members_count{state="alive"} 2')
  })

  it('[AD2] node_metrics asks the system at most ten times a second, however often it is asked itself', async () => {
    let reads = 0
    const adapt: SimulatedNodesOptions['adapt'] = ports => ({
      ...ports,
      process: {
        ...ports.process,
        usage: () => {
          reads++
          return ports.process.usage()
        },
      },
    })
    const texts = (session: Session) => Promise.all(Array.from({ length: 1_000 }, () => session.request(nodeMetrics, {})))
    await asking(
      async session => {
        const before = reads
        const first = await texts(session)
        // One text reads it a few times.
        expect(reads - before).toBeLessThan(20)
        expect(new Set(first.map(({ text }) => text)).size).toBeLessThanOrEqual(2)
      },
      { adapt },
    )
  })

  it('[AD3] node_set_links refuses when the cluster was started without faults', async () => {
    const { answer } = await asking(session =>
      session.request(nodeSetLinks, { rules: [cutLink(nodeId('a'), '*')] }).catch((error: unknown) => error),
    )
    expect(answer).toMatchObject({ code: 'faults_not_enabled', outcome: 'definite' })
  })

  it('[AD3] node_set_links replaces the whole table and says so in the log', async () => {
    const tables: (readonly LinkRule[])[] = []
    const links = { rules: [], replaceRules: (rules: readonly LinkRule[]) => void tables.push(rules) }
    const { nodes } = await asking(
      async session => {
        await session.request(nodeSetLinks, { rules: [cutLink(nodeId('a'), '*'), cutLink('*', nodeId('a'))] })
        await session.request(nodeSetLinks, { rules: [] })
      },
      { links },
    )
    expect(tables).toEqual([
      [
        { from: 'a', to: '*', fault: { cut: true } },
        { from: '*', to: 'a', fault: { cut: true } },
      ],
      [],
    ])
    expect(
      nodes
        .log(nodes.names[0] as never)
        .filter(({ event }) => event === 'link_faults')
        .map(({ rules }) => rules),
    ).toEqual([2, 0])
  })

  it.each([
    [{ lossProbability: 1.01 }, /lossProbability is 1\.01, want 0 to 1/],
    [{ corruptProbability: -0.1 }, /corruptProbability/],
    [{ duplicateProbability: Number.NaN }, /duplicateProbability is NaN/],
    [{ from: 'not a name' as never }, /want a node's name or \*/],
    [{ to: '' as never }, /want a node's name or \*/],
  ])('[AD3] a rule with %j is refused whole', (change, message) => {
    expect(() => linkRuleOf({ ...cutLink(nodeId('a'), nodeId('b')), ...change })).toThrow(message)
  })

  it('[AD4] node_set_log_level changes what is logged from then on', async () => {
    const { nodes } = await asking(session => session.request(nodeSetLogLevel, { level: 'error' }))
    nodes.machine(nodes.names[1] as never).crash()
    await nodes.run(5_000)
    expect(nodes.view(nodes.names[0] as never)).toBe('a alive, b dead')
    expect(nodes.log(nodes.names[0] as never).filter(({ event }) => event === 'member_dead')).toEqual([])
  })
})
