// The connections gossip travels on: which one is used, which are given up, and what their ends say of a member.
import { type ClusterId, type Incarnation, type LinkRule, type NodeId, nodeId, silentLogger } from '@atoll/base'
import { gossipConversation, HandlerTable, NativeEndpoint, type ProtocolError } from '@atoll/protocol'
import { createSimulation, type SimNode, type Simulation } from '@atoll/sim-ports'
import type { Send, SwimMessage } from '@atoll/swim'
import { describe, expect, it } from 'vitest'
import { gossipHandlers } from './gossip-messages.ts'
import { GossipSessions } from './gossip-sessions.ts'
import { GOSSIP_CALLS_MAX, GOSSIP_WAITING_MAX } from './limits.ts'
import { hashes, SECRET } from './simulated-nodes.ts'

interface Party {
  readonly name: NodeId
  readonly port: number
  readonly sessions: GossipSessions
  readonly endpoint: NativeEndpoint
  /** Whom it heard, and with which sequence. */
  readonly heard: string[]
  /** What the hooks told. */
  readonly news: string[]
}

/** Processes with nothing but gossip connections, at ports 7001 on. */
class Parties {
  readonly simulation: Simulation
  readonly #parties = new Map<string, Party>()

  constructor(seed = 1) {
    this.simulation = createSimulation({ seed, hashes })
  }

  get(name: string): Party {
    const party = this.#parties.get(name)
    if (party === undefined) throw new Error(`no party ${name}`)
    return party
  }

  machine(name: string): SimNode {
    return this.simulation.nodes.get(nodeId(name)) as SimNode
  }

  async start(name: string, options: { readonly sessionsMax?: number; readonly port?: number } = {}): Promise<void> {
    const id = nodeId(name)
    const machine = this.simulation.nodes.get(id) ?? this.simulation.addNode(id)
    const port = options.port ?? 7_000 + this.simulation.nodes.size
    machine.start(async ports => {
      const heard: string[] = []
      const news: string[] = []
      const handlers = new HandlerTable().serve(
        gossipConversation,
        gossipHandlers(
          (message, from, session) => {
            sessions.adopt(session)
            heard.push(`${from} ${'sequence' in message ? message.sequence : message.kind}`)
          },
          session => sessions.unusedByPeer(session),
        ),
      )
      const identity = {
        cluster: 'test' as ClusterId,
        node: id,
        role: 'coordinator',
        incarnation: () => 0 as Incarnation,
        secret: SECRET,
        frameBytesMax: 65_536,
      }
      const endpoint = new NativeEndpoint(identity, handlers, { ...ports, log: silentLogger })
      const hooks = {
        unreachable: (to: Send['to'], how: string) => void news.push(`${to.node} ${how}`),
        turnedAway: (_: string, { code }: ProtocolError) => void news.push(code),
        closed: (node: NodeId) => void news.push(`${node} closed`),
      }
      const sessions = new GossipSessions(id, endpoint, hooks, options.sessionsMax)
      await endpoint.listen({ host: '127.0.0.1', port })
      this.#parties.set(name, { name: id, port, sessions, endpoint, heard, news })
    })
    await this.run(10)
  }

  /** `from` sends `to` a ping of that number; `at` is the port believed right. */
  send(from: string, to: string, sequence: number, at?: number): void {
    const address = { host: '127.0.0.1', port: at ?? this.get(to).port }
    const message: SwimMessage = { kind: 'ping', reliable: false, sequence, target: nodeId(to), updates: [] }
    this.simulation.at(this.simulation.nowMs, () =>
      this.get(from).sessions.send({ to: { node: nodeId(to), address }, message, reliable: false }),
    )
  }

  async run(ms: number): Promise<void> {
    await this.simulation.run({ untilMs: this.simulation.nowMs + ms })
  }

  openAt(name: string): number {
    return Array.from(this.get(name).endpoint.sessions).length
  }
}

const cut = (from: string, to: string): LinkRule => ({ from: nodeId(from), to: nodeId(to), fault: { cut: true } })

describe('GossipSessions', () => {
  it('[GA1] uses one connection both ways, whoever made it', async () => {
    const parties = new Parties()
    for (const name of ['a', 'b']) await parties.start(name)
    for (let i = 0; i < 5; i++) {
      parties.send('a', 'b', i)
      parties.send('b', 'a', i + 10)
      await parties.run(10)
    }
    expect([parties.openAt('a'), parties.openAt('b')]).toEqual([1, 1])
    expect(parties.get('b').heard).toEqual(['a 0', 'a 1', 'a 2', 'a 3', 'a 4'])
    expect(parties.get('a').heard).toEqual(['b 10', 'b 11', 'b 12', 'b 13', 'b 14'])
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    '[GA2] of two connections made at once one is given up, with no message lost and no news (seed %i)',
    async seed => {
      const parties = new Parties(seed)
      for (const name of ['a', 'b']) await parties.start(name)
      for (let i = 0; i < 4; i++) {
        parties.send('a', 'b', i)
        parties.send('b', 'a', i + 10)
      }
      await parties.run(100)
      for (let i = 4; i < 8; i++) {
        parties.send('a', 'b', i)
        parties.send('b', 'a', i + 10)
        await parties.run(2)
      }
      await parties.run(100)
      expect([parties.openAt('a'), parties.openAt('b')]).toEqual([1, 1])
      expect(parties.get('b').heard).toHaveLength(8)
      expect(parties.get('a').heard).toHaveLength(8)
      expect([...parties.get('a').news, ...parties.get('b').news]).toEqual([])
      expect([parties.get('a').sessions.counts, parties.get('b').sessions.counts]).toEqual([
        { sessions: 1, calls: 0 },
        { sessions: 1, calls: 0 },
      ])
    },
  )

  it('[GA3] gives up the connection used longest ago for one more, and neither side takes its end for news', async () => {
    const parties = new Parties()
    await parties.start('hub', { sessionsMax: 3 })
    for (const name of ['a', 'b', 'c', 'd']) await parties.start(name)
    for (const name of ['a', 'b', 'c']) {
      parties.send('hub', name, 1)
      await parties.run(20)
    }
    // Made first, used last: it stays.
    parties.send('hub', 'a', 2)
    await parties.run(20)
    parties.send('hub', 'd', 3)
    await parties.run(50)
    expect(parties.openAt('hub')).toBe(3)
    expect(['a', 'b', 'c', 'd'].map(name => parties.openAt(name))).toEqual([1, 0, 1, 1])
    for (const name of ['hub', 'a', 'b', 'c', 'd']) expect(parties.get(name).news).toEqual([])
    // What was given up is made again when it is needed.
    parties.send('b', 'hub', 9)
    await parties.run(50)
    expect(parties.get('hub').heard).toEqual(['b 9'])
    expect(parties.openAt('hub')).toBe(3)
    for (const name of ['hub', 'a', 'b', 'c', 'd']) expect(parties.get(name).news).toEqual([])
  })

  it('[GA3] ends what it gave up when too many peers do not', async () => {
    const parties = new Parties()
    await parties.start('hub', { sessionsMax: 1 })
    const names = Array.from({ length: 80 }, (_, i) => `p${i}`)
    for (const name of names) await parties.start(name)
    for (const name of names) {
      parties.send('hub', name, 1)
      await parties.run(2)
      parties.machine(name).pause()
    }
    expect(parties.get('hub').sessions.counts.sessions).toBeLessThanOrEqual(1 + 64)
    expect(parties.get('hub').news).toEqual([])
  })

  it('[GA4] tells of a lost connection once, when the last one to the member is gone', async () => {
    const parties = new Parties()
    for (const name of ['a', 'b']) await parties.start(name)
    parties.send('a', 'b', 1)
    parties.send('b', 'a', 2)
    await parties.run(50)
    parties.machine('b').crash()
    await parties.run(50)
    expect(parties.get('a').news).toEqual(['b closed'])
  })

  it('[GA4] tells nothing once it is closed', async () => {
    const parties = new Parties()
    for (const name of ['a', 'b']) await parties.start(name)
    parties.send('a', 'b', 1)
    await parties.run(50)
    parties.simulation.at(0, () => parties.get('a').sessions.close())
    parties.machine('b').crash()
    await parties.run(50)
    expect(parties.get('a').news).toEqual([])
  })

  it('[GA5] keeps the newest messages for a connection that is being made, in order', async () => {
    const parties = new Parties()
    for (const name of ['a', 'b']) await parties.start(name)
    for (let i = 0; i < GOSSIP_WAITING_MAX + 5; i++) parties.send('a', 'b', i)
    await parties.run(50)
    expect(parties.get('b').heard).toEqual(Array.from({ length: GOSSIP_WAITING_MAX }, (_, i) => `a ${i + 5}`))
  })

  it('[GA5] makes a bounded number of connections at once', async () => {
    const parties = new Parties()
    await parties.start('a')
    await parties.start('b')
    parties.simulation.setLinks([cut('a', 'b')])
    // One address each: a port of the loopback that the cut peer listened on last.
    for (let i = 0; i < GOSSIP_CALLS_MAX + 50; i++) parties.send('a', `x${i}`, i, parties.get('b').port)
    await parties.run(5)
    expect(parties.get('a').sessions.counts.calls).toBe(GOSSIP_CALLS_MAX)
    await parties.run(2_000)
    expect(parties.get('a').sessions.counts.calls).toBe(0)
  })

  it('[GA6] a refused connection, and another node at the address, prove that the member is not there', async () => {
    const parties = new Parties()
    for (const name of ['a', 'b']) await parties.start(name)
    parties.send('a', 'gone', 1, 6_999)
    await parties.run(50)
    parties.send('a', 'gone', 1, parties.get('b').port)
    await parties.run(50)
    expect(parties.get('a').news).toEqual(['gone refused', 'gone refused'])
  })

  it('[GA6] silence proves nothing', async () => {
    const parties = new Parties()
    for (const name of ['a', 'b']) await parties.start(name)
    parties.machine('b').pause()
    parties.send('a', 'b', 1)
    await parties.run(1_500)
    expect(parties.get('a').news).toEqual(['b timed_out'])
  })

  it.each([
    ['both ways', [cut('a', 'b'), cut('b', 'a')]],
    ['towards it', [cut('a', 'b')]],
    ['from it', [cut('b', 'a')]],
  ])('[GA7] a link that is cut %s is never taken for a refusal, not even when the member dies behind it', async (_, rules) => {
    const parties = new Parties()
    for (const name of ['a', 'b']) await parties.start(name)
    const { port } = parties.get('b')
    parties.simulation.setLinks(rules)
    parties.send('a', 'b', 1)
    await parties.run(1_500)
    parties.machine('b').crash()
    parties.send('a', 'b', 2, port)
    await parties.run(1_500)
    expect(parties.get('a').news).toEqual(['b timed_out', 'b timed_out'])
    parties.simulation.setLinks([])
    parties.send('a', 'b', 3, port)
    await parties.run(50)
    expect(parties.get('a').news.at(-1)).toBe('b refused')
  })

  it('[GA8] a connection to itself is ended', async () => {
    const parties = new Parties()
    await parties.start('a')
    const { port } = parties.get('a')
    const message: SwimMessage = { kind: 'sync', sequence: 1, reply: false, joining: true, members: [] }
    parties.simulation.at(0, () =>
      parties.get('a').sessions.send({ to: { node: undefined, address: { host: '127.0.0.1', port } }, message, reliable: true }),
    )
    await parties.run(200)
    expect(parties.openAt('a')).toBe(0)
    expect(parties.get('a').news).toEqual([])
  })
})
