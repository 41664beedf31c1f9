// Nodes of different versions: what they agree on, and what they then send each other. This build speaks one version,
// so the ranges and the fields that came later are made up here.
import { type Connection, nodeId, silentLogger } from '@atoll/base'
import { conversation, FrameCodec, field, flag, HandlerTable, hello, rpc, str, u8 } from '@atoll/protocol'
import { createSimHashes, createSimulation } from '@atoll/sim-ports'
import { describe, expect, it } from 'vitest'
import { Deadlines } from '../../../packages/protocol/src/deadlines.ts'
import { added } from '../../../packages/protocol/src/fields.ts'
import { acceptIntroduction, introduceOurselves, type VersionRange } from '../../../packages/protocol/src/handshake.ts'
import { Session } from '../../../packages/protocol/src/session.ts'
import { type Challenge, elapse, failureOf, identityOf, proofOf, RawPeer, SERVER_AT } from './trial.ts'

const asked: object[] = []
const grown = rpc({
  key: 0x7101,
  name: 'grown',
  doc: 'Grew with the versions.',
  idempotent: true,
  request: {
    first: field(u8(), 'Always there.'),
    second: added(2, str({ max: 9 }), 'unsaid', 'Since 2.'),
    third: added(3, u8(), 7, 'Since 3.'),
  },
  response: { first: field(u8(), 'Always there.'), late: added(3, str({ max: 9 }), 'nothing', 'Since 3.') },
  errors: [],
})
const grownConversation = conversation({ name: 'grown', doc: 'Tests.', keys: 0x71, messages: { grown } })
const handlers = new HandlerTable().serve(grownConversation, {
  grown: request => {
    asked.push(request)
    return { first: 1, late: 'said' }
  },
})

/** Introduces a caller of one range to an acceptor of another, and asks once; answers the version, the request as it arrived, the answer. */
async function meet(calling: VersionRange, accepting: VersionRange): Promise<unknown> {
  const simulation = createSimulation({ seed: 5, hashes: await createSimHashes() })
  let outcome: unknown
  asked.length = 0
  simulation.addNode(nodeId('server')).start(async ({ net, clock, compute }) => {
    const env = { clock, compute, codec: new FrameCodec(compute), versions: accepting }
    const accept = async (connection: Connection): Promise<void> => {
      const introduced = await acceptIntroduction(connection, identityOf('server'), env)
      new Session({ ...introduced, handlers, env: { clock, log: silentLogger, deadlines: new Deadlines(clock) } }).start()
    }
    await net.listen(SERVER_AT, { onConnection: connection => void accept(connection).catch(() => 'the caller is told as well') })
  })
  simulation.addNode(nodeId('caller')).start(async ({ net, clock, compute }) => {
    await elapse(clock, 1)
    const env = { clock, compute, codec: new FrameCodec(compute), versions: calling }
    const introducing = introduceOurselves(await net.connect(SERVER_AT, { timeoutMs: 100 }), identityOf('caller'), nodeId('server'), env)
    try {
      const session = new Session({ ...(await introducing), handlers, env: { clock, log: silentLogger, deadlines: new Deadlines(clock) } })
      session.start()
      const answer = await session.request(grown, { first: 5, second: 'two', third: 3 })
      outcome = [session.peer.version, asked[0], answer]
    } catch (error) {
      outcome = (error as { code: string }).code
    }
  })
  await simulation.run({ until: () => outcome !== undefined, untilMs: 10_000 })
  return outcome
}

describe('two versions', () => {
  const all = { first: 5, second: 'two', third: 3 }
  it.each([
    [{ min: 1, max: 1 }, { min: 1, max: 1 }, [1, { first: 5, second: 'unsaid', third: 7 }, { first: 1, late: 'nothing' }]],
    [{ min: 1, max: 3 }, { min: 1, max: 2 }, [2, { first: 5, second: 'two', third: 7 }, { first: 1, late: 'nothing' }]],
    [{ min: 1, max: 2 }, { min: 2, max: 9 }, [2, { first: 5, second: 'two', third: 7 }, { first: 1, late: 'nothing' }]],
    [{ min: 2, max: 3 }, { min: 3, max: 3 }, [3, all, { first: 1, late: 'said' }]],
    [{ min: 1, max: 9 }, { min: 1, max: 9 }, [9, all, { first: 1, late: 'said' }]],
    [{ min: 1, max: 1 }, { min: 2, max: 3 }, 'unsupported_version'],
    [{ min: 4, max: 9 }, { min: 2, max: 3 }, 'unsupported_version'],
    [{ min: 3, max: 2 }, { min: 1, max: 9 }, 'unsupported_version'],
  ] as const)('[HS2] %o and %o', async (calling, accepting, expected) => {
    expect(await meet(calling, accepting)).toEqual(expected)
  })

  it('[HS2] are the caller’s to refuse when the acceptor chose none of those asked for', async () => {
    const simulation = createSimulation({ seed: 5, hashes: await createSimHashes() })
    let code: string | undefined
    simulation.addNode(nodeId('server')).start(async ({ net, clock, compute }) => {
      await net.listen(SERVER_AT, {
        onConnection(connection) {
          const raw = new RawPeer(connection, clock, compute)
          void raw.received(1).then(frame => {
            const said = hello.requestCodec.fromWire(frame?.body ?? [], 1, 1)
            const { cluster, node, role, incarnation } = identityOf('server')
            const challenge = { version: 7, cluster, node, role, incarnation: incarnation(), nonce: new Uint8Array(16) }
            const proof = proofOf(compute, 'acceptor', challenge as unknown as Challenge, { nonce: said.nonce })
            raw.sendFrame(flag.response, hello.key, 1, hello.responseCodec.toWire({ ...challenge, proof }, 1, []))
          })
        },
      })
    })
    simulation.addNode(nodeId('caller')).start(async ({ net, clock, compute }) => {
      await elapse(clock, 1)
      const env = { clock, compute, codec: new FrameCodec(compute) }
      const connection = await net.connect(SERVER_AT, { timeoutMs: 100 })
      code = (await failureOf(introduceOurselves(connection, identityOf('caller'), nodeId('server'), env))).code
    })
    await simulation.run({ until: () => code !== undefined, untilMs: 10_000 })
    expect(code).toBe('unsupported_version')
  })
})
