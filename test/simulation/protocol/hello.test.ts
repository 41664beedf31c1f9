// The hello: who gets in, who does not, and what a stranger may cost.
import { nodeId } from '@atoll/base'
import {
  FRAME_BYTES_MAX_BEFORE_HELLO,
  flag,
  HELLO_TIMEOUT_MS,
  hello,
  PROTOCOL_VERSION_MAX,
  prove,
  UNAUTHENTICATED_CONNECTIONS_MAX,
} from '@atoll/protocol'
import { describe, expect, it } from 'vitest'
import {
  type Challenge,
  challenged,
  failureOf,
  helloBody,
  NOTHING,
  proofOf,
  proving,
  type RawPeer,
  runTrial,
  SERVER_AT,
  trial,
} from './trial.ts'

const { echo, note } = trial.messages

const errorCode = (body: readonly unknown[] | undefined): unknown => body?.[0]

describe('the hello', () => {
  it('[HS1] tells each side who the other is, and then both may ask', () =>
    runTrial({}, async ({ call, serverSession }) => {
      const session = await call()
      expect(session.peer).toMatchObject({ node: 'server', role: 'coordinator', incarnation: 3, version: PROTOCOL_VERSION_MAX })
      const other = serverSession()
      expect(other.peer).toMatchObject({ node: 'caller', role: 'coordinator', incarnation: 3 })
      const [there, back] = await Promise.all([
        session.request(echo, { text: 'there', attachment: NOTHING }),
        other.request(echo, { text: 'back', attachment: NOTHING }),
      ])
      expect([there.text, back.text]).toEqual(['there', 'back'])
    }))

  it('[HS1] comes first: anything else is refused, told why, and closed', () =>
    runTrial({}, async ({ connectRaw, server }) => {
      const firsts: ((raw: RawPeer) => Uint8Array)[] = [
        raw => raw.frame(flag.request, echo.key, 1, [1_000, '']),
        raw => raw.frame(flag.request, prove.key, 1, [1_000, new Uint8Array(32), 5_000]),
        raw => raw.frame(flag.request, hello.key, 1, helloBody(), new Uint8Array(9)),
      ]
      for (const first of firsts) {
        const raw = await connectRaw()
        raw.send(first(raw))
        expect(errorCode((await raw.received(1))?.body)).toBe(25)
        raw.end()
        await raw.over()
      }
      for (const flags of [flag.oneWay, flag.response, flag.cancel, flag.credit, flag.streamItem, flag.streamEnd]) {
        const raw = await connectRaw()
        raw.send(raw.frame(flags, hello.key, 1, helloBody()))
        await raw.over()
        expect(raw.frames).toEqual([])
      }
      expect([...server.endpoint.sessions]).toEqual([])
      expect(server.log.map(line => line['code'])).toContain('hello_expected')
    }))

  it('[HS1] is said once: a second one in place of the proof is refused', () =>
    runTrial({}, async ({ connectRaw }) => {
      const raw = await connectRaw()
      await challenged(raw)
      raw.send(raw.frame(flag.request, hello.key, 2, helloBody()))
      expect(errorCode((await raw.received(2))?.body)).toBe(25)
    }))

  it('[HS3] refuses another cluster and another node, in words to both sides', () =>
    runTrial({}, async ({ caller, call, connectRaw, server }) => {
      const wrong = await failureOf(caller.endpoint.call(SERVER_AT, nodeId('other'), { timeoutMs: 1_000 }))
      expect([wrong.code, wrong.message]).toEqual(['wrong_node', expect.stringContaining('this is server, not other')])
      const raw = await connectRaw()
      raw.send(raw.frame(flag.request, hello.key, 1, helloBody({ cluster: 'elsewhere' })))
      expect(errorCode((await raw.received(1))?.body)).toBe(20)
      expect(server.log.map(line => line['code'])).toEqual(['wrong_node', 'wrong_cluster'])
      expect((await call()).isOpen).toBe(true)
    }))

  it('[HS4] lets in nobody without the secret, on either side', async () => {
    await runTrial({ callerIdentity: { secret: new Uint8Array(32).fill(8) } }, async ({ call, server, elapse }) => {
      // The acceptor proves itself first, so that it is the caller who notices.
      expect((await failureOf(call())).code).toBe('wrong_secret')
      await elapse(3_000)
      expect([...server.endpoint.sessions]).toEqual([])
    })
    await runTrial({}, async ({ connectRaw, server }) => {
      const raw = await connectRaw()
      await challenged(raw)
      raw.send(proving(raw, new Uint8Array(32)))
      expect(errorCode((await raw.received(2))?.body)).toBe(21)
      expect(server.log.map(line => line['code'])).toEqual(['wrong_secret'])
    })
  })

  it('[HS4] accepts the proof that belongs to it, and not one that was reflected, replayed or cut', () =>
    runTrial({}, async context => {
      const { connectRaw, server } = context
      const honest = await connectRaw()
      const challenge = await challenged(honest)
      const proof = proofOf(context.caller.ports.compute, 'caller', challenge)
      honest.send(proving(honest, proof))
      expect((await honest.received(2))?.flags).toBe(flag.response)

      const lies: ((challenge: Challenge) => Uint8Array)[] = [
        again => again.proof,
        () => proof,
        again => proofOf(context.caller.ports.compute, 'acceptor', again),
        again => proofOf(context.caller.ports.compute, 'caller', again).subarray(0, 16),
        () => NOTHING,
      ]
      for (const lie of lies) {
        const raw = await connectRaw()
        raw.send(proving(raw, lie(await challenged(raw))))
        expect(errorCode((await raw.received(2))?.body)).toBe(21)
      }
      expect([...server.endpoint.sessions]).toHaveLength(1)
    }))

  it('[HS4] challenges with sixteen bytes, never the same, and takes no shorter challenge', () =>
    runTrial({}, async ({ connectRaw }) => {
      const nonces = new Set<string>()
      for (let i = 0; i < 5; i++) {
        const { nonce } = await challenged(await connectRaw())
        expect(nonce.byteLength).toBe(16)
        nonces.add(String(nonce))
      }
      expect(nonces.size).toBe(5)
      const raw = await connectRaw()
      raw.send(raw.frame(flag.request, hello.key, 1, helloBody({ nonce: NOTHING })))
      expect(errorCode((await raw.received(1))?.body)).toBe(7)
    }))

  it('[HS5] signs all that was said: a changed version, name or role breaks the proof', () =>
    runTrial({}, async context => {
      for (const changes of [{ versionMax: 2 }, { versionMin: 0 }, { expected: '' }]) {
        const raw = await context.connectRaw()
        const challenge = await challenged(raw)
        raw.send(proving(raw, proofOf(context.caller.ports.compute, 'caller', challenge, changes)))
        expect(errorCode((await raw.received(2))?.body)).toBe(21)
      }
    }))

  it('[HS6] is done within two seconds, however slowly it drips', () =>
    runTrial({}, async ({ connectRaw, elapse, nowMs, server }) => {
      const silent = await connectRaw()
      const dripping = await connectRaw()
      const bytes = dripping.frame(flag.request, hello.key, 1, helloBody())
      for (let at = 0; at < 4; at++) {
        dripping.send(bytes.subarray(at, at + 1))
        await elapse(450)
      }
      expect([silent.closed, dripping.closed]).toEqual([false, false])
      await Promise.all([silent.over(), dripping.over()])
      expect(nowMs()).toBeLessThan(HELLO_TIMEOUT_MS + 100)
      expect(server.log.map(line => line['code'])).toEqual(['hello_timed_out'])
    }))

  it('[HS7] takes small frames only: a large or senseless one is cut at once', () =>
    runTrial({}, async ({ connectRaw, elapse, server }) => {
      const attacks = [
        Uint8Array.of(0xff, 0xff, 0xff, 0xff),
        Uint8Array.of(0, 0, 0, 0),
        Uint8Array.of(0, 0, (FRAME_BYTES_MAX_BEFORE_HELLO - 3) >>> 8, (FRAME_BYTES_MAX_BEFORE_HELLO - 3) & 0xff),
        new TextEncoder().encode('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n'),
        new Uint8Array(100),
        Uint8Array.from({ length: 3_000 }, (_, i) => (i * 7919) & 0xff),
      ]
      for (const bytes of attacks) {
        const raw = await connectRaw()
        raw.send(bytes)
        await elapse(5)
        expect(raw.closed).toBe(true)
      }
      expect([...server.endpoint.sessions]).toEqual([])
    }))

  it('[HS7] holds what is sent behind it, and the session takes it up in order', async () => {
    const notes: string[] = []
    await runTrial({ server: { note: ({ text }) => void notes.push(text) } }, async context => {
      const raw = await context.connectRaw()
      const challenge = await challenged(raw)
      const behind = ['one', 'two', 'x'.repeat(2 * FRAME_BYTES_MAX_BEFORE_HELLO)].map(text => raw.frame(flag.oneWay, note.key, 0, [text]))
      const all = Uint8Array.from(
        [proving(raw, proofOf(context.caller.ports.compute, 'caller', challenge)), ...behind].flatMap(bytes => [...bytes]),
      )
      raw.send(all)
      await context.elapse(10)
      expect(notes.map(text => text.length)).toEqual([3, 3, 2 * FRAME_BYTES_MAX_BEFORE_HELLO])
    })
  })

  it('[HS8] is owed by so many connections and no more, the refused ones that linger among them', () =>
    runTrial({}, async ({ connectRaw, call, elapse, server }) => {
      const silent: RawPeer[] = []
      for (let i = 0; i < UNAUTHENTICATED_CONNECTIONS_MAX + 50; i++) {
        const raw = await connectRaw()
        if (i % 2 === 0) silent.push(raw)
        else {
          // Refused at once, and deaf to it: its own side stays open.
          raw.pauseReading()
          raw.send(raw.frame(flag.request, echo.key, 1, [1_000, '']))
        }
      }
      await elapse(10)
      expect(silent.map(raw => raw.closed)).toEqual(silent.map((_, i) => i < 25))
      expect(server.log.filter(line => line['code'] === 'unauthenticated_connections_max')).toHaveLength(1)
      expect((await call()).isOpen).toBe(true)
      await elapse(5_000)
      expect(silent.every(raw => raw.closed)).toBe(true)
    }))

  it('[HS9] fails a call with a definite error that says how', () =>
    runTrial({}, async ({ caller, crashServer, pauseServer, nowMs, elapse }) => {
      const call = (timeoutMs: number, signal?: AbortSignal) =>
        failureOf(caller.endpoint.call(SERVER_AT, nodeId('server'), { timeoutMs, signal }))
      const aborted = new AbortController()
      aborted.abort()
      expect(await call(500, aborted.signal)).toMatchObject({ code: 'not_connected', cause: { code: 'aborted' } })
      pauseServer()
      expect(await call(500)).toMatchObject({ code: 'hello_timed_out', outcome: 'definite' })
      expect(nowMs()).toBeLessThan(600)
      const later = new AbortController()
      caller.ports.clock.after(100, () => later.abort())
      expect(await call(5_000, later.signal)).toMatchObject({
        code: 'not_connected',
        outcome: 'definite',
        cause: { code: 'request_cancelled' },
      })
      expect(nowMs()).toBeLessThan(800)
      caller.ports.clock.after(100, () => crashServer())
      expect(await call(5_000)).toMatchObject({ code: 'not_connected', cause: { code: 'connection_lost' } })
      await elapse(10)
      expect(await call(500)).toMatchObject({ code: 'not_connected', cause: { code: 'refused' } })
    }))

  it('[HS9] is given up when the endpoint closes, and none is begun after', () =>
    runTrial({}, async ({ caller, pauseServer, nowMs }) => {
      pauseServer()
      const call = () => failureOf(caller.endpoint.call(SERVER_AT, nodeId('server'), { timeoutMs: 5_000 }))
      const waiting = call()
      caller.ports.clock.after(50, () => caller.endpoint.close())
      expect((await waiting).code).toBe('not_connected')
      expect((await call()).code).toBe('not_connected')
      expect(nowMs()).toBeLessThan(100)
    }))

  it('[HS10] is refused by a peer to which not even an error could be sent', () =>
    runTrial({}, async context => {
      const raw = await context.connectRaw()
      raw.send(proving(raw, proofOf(context.caller.ports.compute, 'caller', await challenged(raw)), 100))
      expect(errorCode((await raw.received(2))?.body)).toBe(7)
      expect([...context.server.endpoint.sessions]).toEqual([])
    }))

  it('[HS11] refused again and again costs a log line a second', () =>
    runTrial({}, async ({ connectRaw, elapse, server }) => {
      for (let i = 0; i < 200; i++) {
        const raw = await connectRaw()
        raw.send(Uint8Array.of(0, 0, 0, 0))
      }
      await elapse(2_000)
      expect(server.log.filter(line => line['code'] === 'bad_frame').map(line => [line.event, line['count']])).toEqual([
        ['connection_refused', undefined],
        ['connection_refused_again', 199],
      ])
    }))

  it('[HS12] leaves a closed endpoint without connections and without log lines', () =>
    runTrial({}, async ({ call, connectRaw, elapse, server, caller }) => {
      const session = await call()
      const stranger = await connectRaw()
      server.endpoint.close()
      await elapse(5)
      expect([session.isOpen, stranger.closed]).toEqual([false, true])
      const late = await connectRaw()
      await elapse(5)
      expect(late.closed).toBe(true)
      expect([...server.endpoint.sessions, ...caller.endpoint.sessions]).toEqual([])
      expect(server.log).toEqual([])
    }))

  it('[HS4] needs a secret that is one', async () => {
    await expect(runTrial({ serverIdentity: { secret: new Uint8Array(15) } }, async () => {})).rejects.toThrow(/16 bytes/)
  })
})
