// Requests and one-way messages of an open session: every one is settled, once, and nobody is told a falsehood.
import { InvariantError, type NodeId } from '@atoll/base'
import { errorRows, flag, ProtocolError, type RequestContext, type Session } from '@atoll/protocol'
import { describe, expect, it } from 'vitest'
import { failureOf, NOTHING, openRaw, runTrial, type Trial, type TrialHandlers, trial } from './trial.ts'

const { echo, act, count, note, hint, raw } = trial.messages
const text = (value: string) => ({ text: value, attachment: NOTHING })

/** A promise and its settlers, made where it is awaited. */
function gate<T>() {
  return Promise.withResolvers<T>()
}

describe('a request', () => {
  it('[RQ1] gets its own answer, however many are under way', () =>
    runTrial({}, async ({ call }) => {
      const session = await call()
      const answers = await Promise.all(Array.from({ length: 500 }, (_, i) => session.request(echo, text(`text ${i}`))))
      expect(answers.map(answer => answer.text)).toEqual(Array.from({ length: 500 }, (_, i) => `text ${i}`))
      expect(session.busyCount).toBe(0)
    }))

  it('[RQ1] carries its attachment there and back, small and large', () =>
    runTrial({}, async ({ call }) => {
      const session = await call()
      for (const size of [0, 1, 8_192, 8_193, 300_000]) {
        const attachment = Uint8Array.from({ length: size }, (_, i) => i & 0xff)
        const answer = await session.request(echo, { text: '', attachment: attachment.slice() })
        expect([...answer.attachment]).toEqual([...attachment])
      }
    }))

  it('[RQ2] is started in the order it was sent, and may be answered in another', async () => {
    const started: string[] = []
    const gates = new Map<string, ReturnType<typeof gate<void>>>()
    const handler = async ({ what }: { what: string }) => {
      started.push(what)
      const { promise } = gates.get(what) as ReturnType<typeof gate<void>>
      await promise
      return { text: what }
    }
    await runTrial({ server: { act: handler } }, async ({ call, elapse }) => {
      for (const name of ['a', 'b', 'c']) gates.set(name, gate<void>())
      const session = await call()
      const answered: string[] = []
      const asking = ['a', 'b', 'c'].map(what => session.request(act, { what }).then(answer => answered.push(answer.text)))
      for (const name of ['c', 'a', 'b']) {
        await elapse(5)
        gates.get(name)?.resolve()
      }
      await Promise.all(asking)
      expect(started).toEqual(['a', 'b', 'c'])
      expect(answered).toEqual(['c', 'a', 'b'])
    })
  })

  it('[RQ3] carries what is left of its deadline, and the handler is told when it is over', async () => {
    let context: RequestContext | undefined
    let aborted: unknown
    const handler = (_: unknown, given: RequestContext) => {
      context = given
      given.signal.addEventListener('abort', () => {
        aborted = given.signal.reason
      })
      return new Promise<never>(() => {})
    }
    await runTrial({ server: { act: handler } }, async ({ call, nowMs, elapse, setLinks }) => {
      const session = await call()
      setLinks([{ from: 'caller' as NodeId, to: 'server' as NodeId, fault: { cut: true } }])
      // The cancel is lost on the way, so that the handler's own clock has to notice.
      setLinks([])
      const startMs = nowMs()
      const failure = failureOf(session.request(act, { what: '' }, { timeoutMs: 300 }))
      await elapse(100)
      expect(context?.remainingMs()).toBeGreaterThan(195)
      expect(context?.remainingMs()).toBeLessThan(201)
      setLinks([{ from: 'caller' as NodeId, to: 'server' as NodeId, fault: { cut: true } }])
      expect(await failure).toMatchObject({ code: 'request_timed_out', outcome: 'indefinite' })
      expect(nowMs() - startMs).toBeGreaterThanOrEqual(300)
      expect(nowMs() - startMs).toBeLessThan(300 * 1.0625 + 1)
      await elapse(30)
      expect(context?.remainingMs()).toBe(0)
      expect(aborted).toMatchObject({ code: 'request_timed_out' })
    })
  })

  it('[RQ3] is forwarded with what is left: nothing is a timeout, no deadline the longest, nonsense refused', () =>
    runTrial({}, async ({ call }) => {
      const session = await call()
      for (const timeoutMs of [0, -5])
        expect(await failureOf(session.request(act, { what: '' }, { timeoutMs }))).toMatchObject({ code: 'request_timed_out' })
      expect(await failureOf(session.request(act, { what: '' }, { timeoutMs: Number.NaN }))).toMatchObject({ code: 'invalid_argument' })
      expect(await session.request(act, { what: '' }, { timeoutMs: Number.POSITIVE_INFINITY })).toEqual({ text: 'done' })
    }))

  it('[RQ4] that its caller gives up is rejected at once, cancelled at the handler, and not answered', async () => {
    let aborted: unknown
    const done = gate<void>()
    const handler = (_: unknown, { signal }: RequestContext) => {
      signal.addEventListener('abort', () => {
        aborted = signal.reason
        done.resolve()
      })
      return done.promise.then(() => ({ text: 'too late' }))
    }
    await runTrial({ server: { act: handler } }, async ({ call, elapse, nowMs, serverSession }) => {
      const session = await call()
      const controller = new AbortController()
      const failure = failureOf(session.request(act, { what: '' }, { signal: controller.signal }))
      await elapse(10)
      const atMs = nowMs()
      controller.abort()
      expect(await failure).toMatchObject({ code: 'request_cancelled', outcome: 'indefinite' })
      expect(nowMs()).toBe(atMs)
      await elapse(10)
      expect(aborted).toMatchObject({ code: 'request_cancelled' })
      expect([session.busyCount, serverSession().busyCount]).toEqual([0, 0])
      expect(await failureOf(session.request(act, { what: '' }, { signal: controller.signal }))).toMatchObject({
        code: 'request_cancelled',
      })
    })
  })

  it('[RQ4] that was cancelled is not answered, whatever its handler does', async () => {
    const settle = Promise.withResolvers<void>()
    const handlers: Partial<TrialHandlers> = {
      act: async ({ what }) => {
        await settle.promise
        if (what === 'fail') throw new ProtocolError('wrong_state')
        return { text: 'too late' }
      },
      count: async () => {
        await settle.promise
      },
    }
    await runTrial({ server: handlers }, async trialContext => {
      const peer = await openRaw(trialContext)
      peer.sendFrame(flag.request, act.key, 1, [5_000, 'answer'])
      peer.sendFrame(flag.request, act.key, 2, [5_000, 'fail'])
      peer.sendFrame(flag.request, count.key, 3, [0, 1, 1])
      for (const id of [1, 2, 3]) peer.sendFrame(flag.cancel, act.key, id, [])
      await trialContext.elapse(5)
      settle.resolve()
      await trialContext.elapse(5)
      expect(peer.frames).toEqual([])
      expect(trialContext.serverSession().busyCount).toBe(0)
    })
  })

  it('[RQ5] of a form that its table does not give is refused in words, and the session lives on', () =>
    runTrial({}, async trialContext => {
      const peer = await openRaw(trialContext)
      const bad: (readonly [number, readonly unknown[], Uint8Array<ArrayBuffer>?])[] = [
        [echo.key, []],
        [echo.key, [1_000]],
        [echo.key, [1_000, 5]],
        [echo.key, [1_000, 'a', 'b']],
        [echo.key, [1_000, 'x'.repeat(100_001)]],
        [echo.key, [0, 'a']],
        [echo.key, [-1, 'a']],
        [echo.key, [1.5, 'a']],
        [echo.key, ['1', 'a']],
        [echo.key, [600_001, 'a']],
        [act.key, [1_000, 'a'], new Uint8Array(1)],
        [echo.key, [1_000, 'a'], new Uint8Array(8 * 1024 * 1024 + 1)],
        [raw.key, [1_000, new Uint8Array(101)]],
      ]
      for (const [key, body, attachment] of bad) {
        const answer = await peer.ask(key, body, attachment)
        expect([answer?.flags, answer?.body[0]]).toEqual([flag.response | flag.error, errorRows.malformed_message.code])
      }
      const stream = await peer.ask(count.key, ['x'])
      expect([stream?.flags, stream?.body[0]]).toEqual([flag.streamEnd | flag.error, errorRows.malformed_message.code])
      expect((await peer.ask(echo.key, [1_000, 'still here']))?.body).toEqual(['still here'])
    }))

  it('[RQ5] that nobody supports is refused in words: unknown keys, one-way messages, the hello again', () =>
    runTrial({}, async trialContext => {
      const peer = await openRaw(trialContext)
      for (const key of [0, 0x0101, 0x7fff, 0xffff, note.key]) {
        const answer = await peer.ask(key, [1_000])
        expect([answer?.flags, answer?.body[0]]).toEqual([flag.response | flag.error, errorRows.unknown_message.code])
      }
      expect((await peer.ask(act.key, [1_000, '']))?.body).toEqual(['done'])
    }))

  it('[RQ6] whose handler fails is answered with its error, or logged and answered as an internal one', async () => {
    const failures: Record<string, () => never> = {
      typed: () => {
        throw new ProtocolError('wrong_state', 'busy with something else')
      },
      plain: () => {
        throw new TypeError('cannot read it')
      },
      text: () => {
        // oxlint-disable-next-line typescript/only-throw-error -- what must not happen may happen
        throw 'just a string'
      },
    }
    const handler = ({ what }: { what: string }) => {
      const [how, when] = what.split(' ') as [string, string]
      return when === 'now' ? (failures[how] as () => never)() : Promise.resolve().then(failures[how] as () => never)
    }
    await runTrial({ server: { act: handler } }, async ({ call, server }) => {
      const session = await call()
      for (const when of ['now', 'later']) {
        expect(await failureOf(session.request(act, { what: `typed ${when}` }))).toMatchObject({
          code: 'wrong_state',
          message: 'server: busy with something else',
        })
        for (const how of ['plain', 'text'])
          expect(await failureOf(session.request(act, { what: `${how} ${when}` }))).toMatchObject({
            code: 'internal_error',
            outcome: 'indefinite',
          })
      }
      expect(server.log.map(line => line.event)).toEqual(Array.from({ length: 4 }, () => 'request_failed'))
      expect(session.isOpen).toBe(true)
    })
  })

  it('[RQ6] whose handler has much to say about its failure is told the beginning, in any peer’s smallest frame', async () => {
    const long = `\ud800${'漢'.repeat(50_000)}`
    const handler = ({ what }: { what: string }) => {
      throw what === 'typed' ? new ProtocolError('wrong_state', long) : new TypeError(long)
    }
    await runTrial({ server: { act: handler }, callerIdentity: { frameBytesMax: 4_096 } }, async ({ call }) => {
      const session = await call()
      for (const what of ['typed', 'plain']) expect((await failureOf(session.request(act, { what }))).message).toMatch(/漢{900}/)
    })
  })

  it.each([
    ['a handler that throws', { act: () => fail() }],
    ['a handler that rejects', { act: async () => fail() }],
    [
      'a handler that was cancelled',
      {
        act: (_: unknown, { signal }: RequestContext) =>
          new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(new InvariantError('a bug')))),
      },
    ],
    ['a stream', { count: async () => fail() }],
    ['a one-way message', { note: () => fail() }],
  ] as const)('[RQ6] ends the process for a bug in %s', async (_, handlers) => {
    const outcome = runTrial({ server: handlers as never }, async ({ call, elapse }) => {
      const session = await call()
      session.send(note, { text: '' })
      void Promise.allSettled([session.request(act, { what: '' }, { timeoutMs: 20 }), session.open(count, { upTo: 1, bytes: 0 }).next()])
      await elapse(1_000)
    })
    await expect(outcome).rejects.toMatchObject({ cause: expect.any(InvariantError) })
  })

  it('[RQ7] whose answer cannot be sent or read had its effect, and no error says otherwise', async () => {
    const answers: Record<string, unknown> = {
      long: { text: 'x'.repeat(21) },
      wrong: { text: 5 },
      none: undefined,
    }
    await runTrial(
      { server: { act: ({ what }) => answers[what] as never, echo: async () => ({ text: '' }) as never } },
      async ({ call, server }) => {
        const session = await call()
        for (const what of ['long', 'wrong'])
          expect(await failureOf(session.request(act, { what }))).toMatchObject({ code: 'bad_answer', outcome: 'indefinite' })
        expect(await failureOf(session.request(act, { what: 'none' }))).toMatchObject({ outcome: 'indefinite' })
        expect(await failureOf(session.request(echo, text('')))).toMatchObject({ code: 'bad_answer' })
        expect(session.isOpen).toBe(true)
        expect(server.log.length).toBeLessThanOrEqual(1)
      },
    )
    await runTrial({ callerIdentity: { frameBytesMax: 5_000 } }, async ({ call }) => {
      const session = await call()
      expect(await failureOf(session.request(echo, text('x'.repeat(6_000))))).toMatchObject({ code: 'bad_answer', outcome: 'indefinite' })
      expect(await session.request(echo, text('short'))).toMatchObject({ text: 'short' })
    })
    await runTrial({ serverIdentity: { frameBytesMax: 5_000 } }, async ({ call }) => {
      const session = await call()
      expect(await failureOf(session.request(echo, text('x'.repeat(6_000))))).toMatchObject({
        code: 'message_too_large',
        outcome: 'definite',
      })
      expect(await session.request(echo, text('short'))).toMatchObject({ text: 'short' })
    })
  })

  it('[RQ7] under way when its session ends may have had its effect, whatever ended the session', async () => {
    const stalls = { act: () => new Promise<never>(() => {}) }
    await runTrial({ server: stalls }, async trialContext => {
      for (const bytes of [Uint8Array.of(0xff, 0xff, 0xff, 0xff), Uint8Array.of(0, 0, 0, 1), new Uint8Array(40)]) {
        const peer = await openRaw(trialContext)
        const session = trialContext.serverSession()
        const failure = failureOf(session.request(act, { what: '' }))
        peer.send(bytes)
        expect(await failure).toMatchObject({ outcome: 'indefinite' })
        expect(session.isOpen).toBe(false)
      }
      const session = await trialContext.call()
      const failure = failureOf(session.request(act, { what: '' }))
      session.destroy(new ProtocolError('shutting_down'))
      expect(await failure).toMatchObject({ code: 'connection_lost', outcome: 'indefinite', cause: { code: 'shutting_down' } })
    })
  })

  it('[RQ8] answered with an error that this version does not know counts as indefinite', () =>
    runTrial({}, async trialContext => {
      for (const body of [[9_999, 'from the future'], ['x'], [], [-1, 5], [3.5, 'x'.repeat(50_000)]]) {
        const peer = await openRaw(trialContext)
        const failure = failureOf(trialContext.serverSession().request(act, { what: '' }))
        const request = await peer.next()
        peer.sendFrame(flag.response | flag.error, act.key, request?.correlationId ?? 0, body)
        const error = await failure
        expect(error).toMatchObject({ code: 'internal_error', outcome: 'indefinite' })
        expect(error.message.length).toBeLessThan(1_200)
      }
    }))

  it('[RQ9] leaves nothing behind: no listener on the caller’s signal, no entry, no timer', async () => {
    let listening = 0
    const controller = new AbortController()
    const { signal } = controller
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listening++
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listening--
      remove(...args)
    }
    await runTrial({ server: { act: () => new Promise<never>(() => {}) } }, async ({ call, elapse, serverSession }) => {
      const session = await call()
      await Promise.all(Array.from({ length: 50 }, () => session.request(echo, text(''), { signal })))
      await failureOf(session.request(act, { what: '' }, { signal, timeoutMs: 20 }))
      await failureOf(session.request(act, { what: 'x'.repeat(51) }, { signal }))
      for await (const item of session.open(count, { upTo: 3, bytes: 0 }, { signal })) if (item.n === 2) break
      for await (const _ of session.open(count, { upTo: 3, bytes: 0 }, { signal }));
      expect(listening).toBe(0)
      const open = failureOf(session.request(act, { what: '' }, { signal, timeoutMs: 600_000 }))
      expect(listening).toBe(1)
      await elapse(1)
      serverSession().destroy(new ProtocolError('connection_lost'))
      await open
      expect(listening).toBe(0)
      expect(session.busyCount).toBe(0)
    })
  })

  it('[RQ10] whose id is still being answered ends the connection; a late or strange answer is ignored or told', () =>
    runTrial({ server: { act: () => new Promise<never>(() => {}) } }, async trialContext => {
      const peer = await openRaw(trialContext)
      peer.sendFrame(flag.request, act.key, 50, [60_000, ''])
      peer.sendFrame(flag.response, act.key, 12_345, ['nobody asked'])
      peer.sendFrame(flag.cancel, act.key, 12_345, [])
      peer.sendFrame(flag.credit, count.key, 12_345, [1_000])
      peer.sendFrame(flag.streamItem, count.key, 12_345, [1, ''])
      peer.sendFrame(flag.streamEnd, count.key, 12_345, [])
      expect((await peer.ask(echo.key, [1_000, 'still here']))?.body).toEqual(['still here'])
      const failure = failureOf(trialContext.serverSession().request(act, { what: '' }))
      const request = await peer.next()
      peer.sendFrame(flag.response, echo.key, request?.correlationId ?? 0, ['something else'])
      expect(await failure).toMatchObject({ code: 'bad_answer', outcome: 'indefinite' })
      peer.sendFrame(flag.request, act.key, 50, [60_000, ''])
      await peer.over()
      expect(trialContext.server.log.at(-1)).toMatchObject({ event: 'session_cut', code: 'bad_frame' })
    }))

  it('[RQ11] is refused, definitely, once its session is over', () =>
    runTrial({}, async ({ call, crashServer, elapse }) => {
      const session = await call()
      crashServer()
      await elapse(10)
      expect((await session.closed).code).toBe('connection_lost')
      expect(await failureOf(session.request(act, { what: '' }))).toMatchObject({ code: 'not_connected', outcome: 'definite' })
      expect(await failureOf(session.open(count, { upTo: 1, bytes: 0 }).next())).toMatchObject({ code: 'not_connected' })
      expect(session.send(note, { text: '' })).toBe(false)
    }))

  it('[RQ11] with a value that breaks its bounds is refused before anything is sent', () =>
    runTrial({}, async ({ call }) => {
      const session = await call()
      expect(await failureOf(session.request(act, { what: 'x'.repeat(51) }))).toMatchObject({
        code: 'invalid_argument',
        outcome: 'definite',
      })
      expect(await failureOf(session.request(echo, { text: '' } as never))).toMatchObject({ code: 'invalid_argument' })
      expect(await failureOf(session.open(count, { upTo: -1, bytes: 0 }).next())).toMatchObject({ code: 'invalid_argument' })
      expect(() => session.send(note, { text: 5 as never })).toThrow(/note\.text/)
      expect(session.busyCount).toBe(0)
    }))
})

describe('the end of a session', () => {
  it('[RQ1] settles everything, on both sides, however it comes', async () => {
    const ends: ((trialContext: Trial, session: Session) => void)[] = [
      (_, session) => session.end(),
      (_, session) => session.destroy(new ProtocolError('slow_peer')),
      ({ serverSession }) => serverSession().end(),
      ({ serverSession }) => serverSession().destroy(new ProtocolError('bad_frame')),
      ({ server }) => server.endpoint.close(),
      ({ crashServer }) => crashServer(),
    ]
    for (const end of ends) {
      const seen: string[] = []
      const handlers = {
        act: (_: unknown, { signal }: RequestContext) =>
          new Promise<never>((_resolve, reject) =>
            signal.addEventListener('abort', () => {
              seen.push('handler')
              reject(signal.reason as Error)
            }),
          ),
        count: async (_: unknown, { signal }: RequestContext, sink: { send(item: object): Promise<void> }) => {
          signal.addEventListener('abort', () => seen.push('stream'))
          for (;;) await sink.send({ n: 1, note: '', attachment: new Uint8Array(10_000) })
        },
      }
      await runTrial({ server: handlers as never }, async trialContext => {
        const { call, elapse, caller } = trialContext
        const session = await call()
        const failures = [failureOf(session.request(act, { what: '' })), failureOf(drain(session.open(count, { upTo: 1, bytes: 0 })))]
        await elapse(5)
        end(trialContext, session)
        for (const failure of failures) expect((await failure).outcome).toBe('indefinite')
        await elapse(5)
        expect([session.isOpen, session.busyCount, [...caller.endpoint.sessions].length]).toEqual([false, 0, 0])
        if (end !== ends.at(-1)) expect(seen.toSorted()).toEqual(['handler', 'stream'])
      })
    }
  })
})

describe('a one-way message', () => {
  it('[OW1] arrives in order, and one whose handler fails is logged and does no harm', async () => {
    const notes: string[] = []
    const handler = ({ text: said }: { text: string }) => {
      notes.push(said)
      if (said === 'b') throw new ProtocolError('invalid_argument', 'not that')
      if (said === 'c') throw new TypeError('nor that')
    }
    await runTrial({ server: { note: handler } }, async ({ call, elapse, server }) => {
      const session = await call()
      for (const said of ['a', 'b', 'c', 'd']) expect(session.send(note, { text: said })).toBe(true)
      await elapse(5)
      expect(notes).toEqual(['a', 'b', 'c', 'd'])
      expect(server.log.map(line => line.event)).toEqual(['message_failed', 'message_failed'])
      expect(session.isOpen).toBe(true)
    })
  })

  it('[OW2] that nobody supports is ignored; one of the wrong form ends the session', () =>
    runTrial({}, async trialContext => {
      const peer = await openRaw(trialContext)
      for (let i = 0; i < 1_000; i++) peer.sendFrame(flag.oneWay, 0x7fff, i, [i])
      peer.sendFrame(flag.oneWay, echo.key, 1, ['a'])
      expect((await peer.ask(echo.key, [1_000, 'still here']))?.body).toEqual(['still here'])
      for (const body of [[], [5], ['a', 'b']]) {
        const other = await openRaw(trialContext)
        other.sendFrame(flag.oneWay, note.key, 0, body)
        await other.over()
        expect(trialContext.server.log.at(-1)).toMatchObject({ event: 'session_cut', code: 'malformed_message' })
      }
    }))

  it('[OW3] that is a datagram is lost, doubled and overtaken by faulty links, and nothing else is', async () => {
    const hints: string[] = []
    const notes: string[] = []
    const server = {
      hint: ({ text: said }: { text: string }) => void hints.push(said),
      note: ({ text: said }: { text: string }) => void notes.push(said),
    }
    await runTrial({ server }, async ({ call, elapse, setLinks }) => {
      const session = await call()
      const fault = { lossProbability: 0.2, duplicateProbability: 0.2, reorderProbability: 0.2 }
      setLinks([{ from: '*', to: '*', fault }])
      const names = Array.from({ length: 200 }, (_, i) => `${i}`)
      for (const name of names) {
        session.send(hint, { text: name })
        session.send(note, { text: name })
      }
      await elapse(100)
      expect(notes).toEqual(names)
      const copies = new Map<string, number>()
      for (const said of hints) copies.set(said, (copies.get(said) ?? 0) + 1)
      expect(copies.size).toBeLessThan(190)
      expect(copies.size).toBeGreaterThan(120)
      expect([...copies.values()]).toContain(2)
      expect(hints).not.toEqual(hints.toSorted((a, b) => Number(a) - Number(b)))
    })
  })

  it('[OW3] that is too large is refused where it was sent, also when its copies would leave later', () =>
    runTrial({}, async ({ call, elapse, setLinks }) => {
      const session = await call()
      setLinks([{ from: '*', to: '*', fault: { reorderProbability: 1 } }])
      expect(() => session.send(hint, { text: 'x'.repeat(18_000_000) })).toThrow(/frame of/)
      expect(session.send(hint, { text: 'x' })).toBe(true)
      session.end()
      await elapse(100)
    }))
})

async function drain(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}

function fail(): never {
  throw new InvariantError('a bug')
}
