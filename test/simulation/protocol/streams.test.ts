// Streams and back-pressure over whole sessions: bounded whatever either side does.
import type { RequestContext } from '@atoll/protocol'
import { errorRows, flag, KiB, MiB, ProtocolError } from '@atoll/protocol'
import { describe, expect, it } from 'vitest'
import { failureOf, NOTHING, openRaw, runTrial, type TrialHandlers, trial } from './trial.ts'

const { echo, act, count, note } = trial.messages
const WINDOW_BYTES = 256 * KiB
const QUEUED_BYTES_MAX = 32 * MiB

type Sink = Parameters<TrialHandlers['count']>[2]

describe('a stream', () => {
  it('[ST1] gives its items in order and then its end', () =>
    runTrial({}, async ({ call }) => {
      const session = await call()
      for (const size of [0, 100, 20_000, 1_000_000]) {
        const seen: number[] = []
        for await (const { n, attachment } of session.open(count, { upTo: 30, bytes: size })) {
          expect([attachment.byteLength, attachment[0]]).toEqual([size, size === 0 ? undefined : n])
          seen.push(n)
        }
        expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
      }
      expect(session.busyCount).toBe(0)
    }))

  it('[ST1] of bodies alone, large ones, flows as well', async () => {
    const handler = async (_: unknown, _context: unknown, sink: Sink) => {
      for (let n = 0; n < 100; n++) await sink.send({ n, note: 'x'.repeat(40_000), attachment: NOTHING })
    }
    await runTrial({ server: { count: handler } }, async ({ call, elapse }) => {
      const session = await call()
      let items = 0
      for await (const { note: padding } of session.open(count, { upTo: 0, bytes: 0 })) {
        expect(padding).toHaveLength(40_000)
        if (items++ % 10 === 0) await elapse(20)
      }
      expect(items).toBe(100)
    })
  })

  it('[ST1] ends with the error of its handler, after the items before it', async () => {
    const handler = async (_: unknown, _context: unknown, sink: Sink) => {
      await sink.send({ n: 1, note: '', attachment: NOTHING })
      throw new ProtocolError('wrong_state', 'no more')
    }
    await runTrial({ server: { count: handler } }, async ({ call }) => {
      const stream = (await call()).open(count, { upTo: 0, bytes: 0 })
      expect((await stream.next()).value).toMatchObject({ n: 1 })
      expect(await failureOf(stream.next())).toMatchObject({ code: 'wrong_state', message: 'server: no more' })
    })
  })

  it('[ST2] whose reader stops holds its sender within the window and one item', async () => {
    let sent = 0
    const handler = async (_: unknown, _context: unknown, sink: Sink) => {
      for (;;) {
        await sink.send({ n: sent, note: '', attachment: new Uint8Array(10_000) })
        sent++
      }
    }
    await runTrial({ server: { count: handler } }, async ({ call, elapse }) => {
      const session = await call()
      const stream = session.open(count, { upTo: 0, bytes: 0 })
      await elapse(1_000)
      expect(sent).toBeLessThanOrEqual(Math.ceil(WINDOW_BYTES / 10_000) + 1)
      const stalled = sent
      await stream.next()
      await elapse(100)
      expect(sent).toBe(stalled)
      for (let i = 0; i < 20; i++) await stream.next()
      await elapse(100)
      expect(sent).toBeGreaterThan(stalled)
      // Other requests are not held up by it.
      expect(await session.request(act, { what: '' })).toEqual({ text: 'done' })
      await stream.return()
    })
  })

  it('[ST3] that its reader leaves stops its sender; one may leave by breaking, returning or disposing', async () => {
    const stopped: string[] = []
    const handler = async (_: unknown, { signal }: RequestContext, sink: Sink) => {
      signal.addEventListener('abort', () => stopped.push('signal'))
      const failure = await failureOf(
        (async () => {
          for (let n = 1; ; n++) await sink.send({ n, note: '', attachment: new Uint8Array(50_000) })
        })(),
      )
      stopped.push(failure.code)
    }
    await runTrial({ server: { count: handler } }, async ({ call, elapse, serverSession }) => {
      const session = await call()
      const open = () => session.open(count, { upTo: 0, bytes: 0 })
      for await (const { n } of open()) if (n === 3) break
      await open().return()
      {
        await using stream = open()
        await stream.next()
      }
      await elapse(10)
      expect(stopped.toSorted()).toEqual([...Array(3).fill('request_cancelled'), ...Array(3).fill('signal')])
      expect([session.busyCount, serverSession().busyCount]).toEqual([0, 0])
      expect(session.isOpen).toBe(true)
    })
  })

  it('[ST4] whose connection dies gives what came, then the error, and its sender stops', async () => {
    let failure: ProtocolError | undefined
    const handler = async (_: unknown, _context: unknown, sink: Sink) => {
      failure = await failureOf(
        (async () => {
          for (let n = 1; ; n++) await sink.send({ n, note: '', attachment: new Uint8Array(50_000) })
        })(),
      )
    }
    await runTrial({ server: { count: handler } }, async ({ call, elapse, serverSession }) => {
      const stream = (await call()).open(count, { upTo: 0, bytes: 0 })
      await elapse(20)
      serverSession().destroy(new ProtocolError('connection_lost'))
      await elapse(20)
      const seen: number[] = []
      const error = await failureOf(
        (async () => {
          for await (const { n } of stream) seen.push(n)
        })(),
      )
      expect(seen.slice(0, 3)).toEqual([1, 2, 3])
      expect(error).toMatchObject({ code: 'connection_lost', outcome: 'indefinite' })
      expect(failure?.code).toBe('connection_lost')
    })
  })

  it('[ST5] whose sender ignores its credit ends the connection', () =>
    runTrial({}, async context => {
      const peer = await openRaw(context)
      const session = context.serverSession()
      const stream = session.open(count, { upTo: 0, bytes: 0 })
      const request = await peer.next()
      for (let n = 0; n < 30; n++) peer.sendFrame(flag.streamItem, count.key, request?.correlationId ?? 0, [n, ''], new Uint8Array(10_000))
      expect((await session.closed).code).toBe('bad_frame')
      let items = 0
      const failure = await failureOf(
        (async () => {
          for await (const _ of stream) items++
        })(),
      )
      expect(items * 10_000).toBeLessThan(WINDOW_BYTES + 10_000)
      expect(failure.code).toBe('bad_frame')
    }))

  it('[ST6] believes no credit that was not spent, nor any that makes no sense', async () => {
    let sent = 0
    const handler = async (_: unknown, _context: unknown, sink: Sink) => {
      for (;;) {
        await sink.send({ n: sent, note: '', attachment: new Uint8Array(10_000) })
        sent++
      }
    }
    await runTrial({ server: { count: handler } }, async context => {
      const peer = await openRaw(context)
      const credits = [[1e15], [Number.POSITIVE_INFINITY], [-5], [Number.NaN], ['x'], [], [null], [1e300]]
      for (const body of credits) peer.sendFrame(flag.credit, count.key, 1, body)
      peer.sendFrame(flag.request, count.key, 1, [0, 0, 0])
      await context.elapse(50)
      const least = sent
      for (let i = 0; i < 3; i++) for (const body of credits) peer.sendFrame(flag.credit, count.key, 1, body)
      await context.elapse(50)
      // A lie is worth at most the window, each time.
      expect(sent).toBeLessThan(least + 30 * 12)
      expect(least).toBeLessThan(30)
      for (let i = 0; i < 2_000; i++) peer.sendFrame(flag.cancel, count.key, i, [])
      await context.elapse(50)
      expect(context.serverSession().busyCount).toBe(0)
    })
  })

  it('[ST7] whose caller aborts ends with an error, never as if it were complete', () =>
    runTrial({}, async ({ call, caller, serverSession, elapse }) => {
      const session = await call()
      const controller = new AbortController()
      caller.ports.clock.after(5, () => controller.abort())
      let items = 0
      const failure = await failureOf(
        (async () => {
          for await (const _ of session.open(count, { upTo: 1_000_000, bytes: 1_000 }, { signal: controller.signal })) items++
        })(),
      )
      expect(failure.code).toBe('request_cancelled')
      expect(items).toBeGreaterThan(0)
      await elapse(10)
      expect(serverSession().busyCount).toBe(0)
      expect(await failureOf(session.open(count, { upTo: 1, bytes: 0 }, { signal: controller.signal }).next())).toMatchObject({
        code: 'request_cancelled',
      })
    }))

  it('[ST8] with an item of the wrong form is given up, and the session lives on', () =>
    runTrial({}, async context => {
      const peer = await openRaw(context)
      const session = context.serverSession()
      for (const [body, attachment] of [
        [[1], NOTHING],
        [['x', ''], NOTHING],
        [[1, ''], new Uint8Array(8 * MiB + 1)],
      ] as const) {
        const failure = failureOf(session.open(count, { upTo: 0, bytes: 0 }).next())
        const request = await peer.next()
        peer.sendFrame(flag.streamItem, count.key, request?.correlationId ?? 0, body, attachment)
        expect(await failure).toMatchObject({ code: 'bad_answer', outcome: 'indefinite' })
        expect((await peer.next())?.flags).toBe(flag.cancel)
      }
      expect(session.isOpen).toBe(true)
      expect(session.busyCount).toBe(0)
    }))

  it('[ST9] sends nothing after its end, and an item that breaks its bounds is no fault of the caller', async () => {
    let kept: Sink | undefined
    const handler = async ({ upTo }: { upTo: number }, _context: unknown, sink: Sink) => {
      kept = sink
      if (upTo === 1) await sink.send({ n: -1, note: '', attachment: NOTHING })
    }
    await runTrial({ server: { count: handler } }, async ({ call }) => {
      const session = await call()
      expect(await session.open(count, { upTo: 0, bytes: 0 }).next()).toEqual({ value: undefined, done: true })
      expect((await failureOf(kept!.send({ n: 2, note: '', attachment: NOTHING }))).code).toBe('request_cancelled')
      expect(await failureOf(session.open(count, { upTo: 1, bytes: 0 }).next())).toMatchObject({
        code: 'bad_answer',
        outcome: 'indefinite',
      })
    })
  })
})

describe('back-pressure', () => {
  it('[BP2] reads no further while so many requests of one peer are being answered', async () => {
    let started = 0
    const release = Promise.withResolvers<void>()
    const handler = () => {
      started++
      return release.promise.then(() => ({ text: '' }))
    }
    await runTrial({ server: { act: handler } }, async ({ call, elapse, serverSession }) => {
      const session = await call()
      const asked = Array.from({ length: 6_000 }, () => session.request(act, { what: '' }, { timeoutMs: 60_000 }))
      await elapse(100)
      expect(started).toBe(4_096)
      expect(serverSession().busyCount).toBe(4_096)
      release.resolve()
      expect(await Promise.all(asked)).toHaveLength(6_000)
      expect(started).toBe(6_000)
    })
  })

  it('[BP3] reads no further, and lets streams wait, while much is queued for one peer', async () => {
    let answered = 0
    const begin = Promise.withResolvers<void>()
    const handlers: Partial<TrialHandlers> = {
      echo: () => {
        answered++
        return { text: '', attachment: new Uint8Array(MiB) }
      },
      count: async (_request, _context, sink) => {
        await begin.promise
        for (let n = 0; ; n++) await sink.send({ n, note: '', attachment: new Uint8Array(200_000) })
      },
    }
    await runTrial({ server: handlers }, async context => {
      const peer = await openRaw(context)
      const session = context.serverSession()
      for (let id = 0; id < 100; id++) peer.sendFrame(flag.request, count.key, id, [0, 1_000_000, 200_000])
      await context.elapse(10)
      expect(session.busyCount).toBe(100)
      peer.pauseReading()
      begin.resolve()
      await context.elapse(10)
      expect(session.queuedBytes).toBeLessThan(9 * MiB)
      for (let id = 100; id < 200; id++) peer.sendFrame(flag.request, echo.key, id, [5_000, ''])
      await context.elapse(100)
      // The frame at which it noticed is still handled.
      expect(answered).toBeLessThanOrEqual(1)
      expect(session.queuedBytes).toBeLessThan(10 * MiB)
      // Once it reads again, everything goes on.
      peer.resumeReading()
      for (let id = 0; id < 100; id++) peer.sendFrame(flag.cancel, count.key, id, [])
      while (answered < 100) await context.elapse(10)
    })
  })

  it('[BP4] bounds what is queued for one peer: requests are refused, notes too, answers replaced', async () => {
    const release = Promise.withResolvers<void>()
    const handler = () => release.promise.then(() => ({ text: '', attachment: new Uint8Array(MiB) }))
    await runTrial({ server: { echo: handler } }, async context => {
      const peer = await openRaw(context)
      const session = context.serverSession()
      for (let id = 0; id < 100; id++) peer.sendFrame(flag.request, echo.key, id, [60_000, ''])
      await context.elapse(50)
      peer.pauseReading()
      release.resolve()
      await context.elapse(50)
      expect(session.queuedBytes).toBeGreaterThan(QUEUED_BYTES_MAX)
      expect(session.queuedBytes).toBeLessThan(QUEUED_BYTES_MAX + 2 * MiB)
      expect(await failureOf(session.request(act, { what: '' }))).toMatchObject({ code: 'too_many_requests', outcome: 'definite' })
      expect(session.send(note, { text: '' })).toBe(false)
      peer.resumeReading()
      while (peer.frames.length < 100) await context.elapse(10)
      const errors = peer.frames.filter(frame => (frame.flags & flag.error) !== 0)
      expect(errors.length).toBeGreaterThan(60)
      for (const error of errors) expect(error.body[0]).toBe(errorRows.answer_dropped.code)
      expect(await failureOf(session.request(act, { what: '' }, { timeoutMs: 10 }))).toMatchObject({ code: 'request_timed_out' })
    })
  })

  it('[BP5] lets so many requests wait for their answers and refuses one more', () =>
    runTrial({ server: { act: () => new Promise<never>(() => {}) } }, async ({ call }) => {
      const session = await call()
      const waiting = Array.from({ length: 16_384 }, () => session.request(act, { what: '' }))
      expect(await failureOf(session.request(act, { what: '' }))).toMatchObject({ code: 'too_many_requests', outcome: 'definite' })
      session.end()
      expect((await Promise.allSettled(waiting)).every(one => one.status === 'rejected')).toBe(true)
    }))

  it('[BP6] cuts a peer that takes nothing for ten seconds, and tells everyone', () =>
    runTrial({}, async context => {
      const peer = await openRaw(context)
      const session = context.serverSession()
      peer.pauseReading()
      const failure = failureOf(session.request(echo, { text: '', attachment: new Uint8Array(4 * MiB) }, { timeoutMs: 60_000 }))
      const startMs = context.nowMs()
      expect(await failure).toMatchObject({ code: 'slow_peer', outcome: 'indefinite' })
      expect(context.nowMs() - startMs).toBeLessThan(21_000)
      expect(context.server.log.at(-1)).toMatchObject({ event: 'session_cut', code: 'slow_peer' })
    }))

  it('[BP7] ends a session after what was queued, also towards a peer that is slow', async () => {
    const notes: string[] = []
    await runTrial(
      { server: { note: ({ text }) => void notes.push(text) }, windowBytes: 20_000 },
      async ({ call, elapse, pauseServer, resumeServer }) => {
        const session = await call()
        pauseServer()
        for (let i = 0; i < 20; i++) session.send(note, { text: 'x'.repeat(40_000) })
        session.end()
        await elapse(1_000)
        resumeServer()
        await elapse(1_000)
        expect(notes).toHaveLength(20)
      },
    )
  })

  it('[BP8] leaves no timer and no event behind once both sides are gone', async () => {
    const { quietAfterMs } = await runTrial({}, async ({ call, server, caller, connectRaw, elapse }) => {
      const session = await call()
      await session.request(act, { what: '' }, { timeoutMs: 600_000 })
      for await (const _ of session.open(count, { upTo: 10, bytes: 100_000 }));
      const refused = await connectRaw()
      refused.send(Uint8Array.of(0, 0, 0, 0))
      await elapse(1)
      session.end()
      server.endpoint.close()
      caller.endpoint.close()
    })
    expect(quietAfterMs).toBeLessThan(5)
  })
})
