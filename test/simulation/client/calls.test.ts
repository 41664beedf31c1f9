// What a client promises of single calls, at moments that were brought about on purpose.
import { describe, expect, it } from 'vitest'
import { failure } from './failure.ts'
import { ClientScene } from './scene.ts'
import { Clients } from './with-clients.ts'

describe('key-value', () => {
  it('[SD1] writes, reads and deletes', async () => {
    const scene = new ClientScene()
    const seen = await scene.withClient(async ({ kv }) => {
      await kv.put('a', '1')
      const bytes = await kv.put('b', new Uint8Array([0, 255]), { previous: true })
      const a = await kv.get('a')
      const swapped = await kv.compareAndSet('a', '1', '2')
      const refused = await kv.compareAndSet('a', '1', '3')
      const gone = await kv.delete({ prefix: '' })
      return [a?.value, bytes.previous, swapped.succeeded, refused.succeeded, refused.current?.value, gone.deleted, await kv.get('a')]
    })
    expect(seen).toEqual(['1', undefined, true, false, '2', 2, undefined])
  })
})

describe('what makes no sense', () => {
  it('[SD1] is refused as an argument, before anything is sent', async () => {
    const scene = new ClientScene()
    const codes = await scene.withClient(async ({ kv }) => {
      const refused = [
        kv.range(undefined as never),
        kv.transaction({ else: [{ frob: 'a' } as never] }),
        kv.put('', '1'),
        kv.put('a', 5 as never),
      ]
      return Promise.all(refused.map(call => failure(call)))
    })
    for (const error of codes) expect(error).toMatchObject({ code: 'invalid_argument', outcome: 'definite' })
    expect(codes.map(({ message }) => message)).toContain('kv_put.key: want key, 1 to 1024 bytes')
  })
})

describe('another cluster in the place of the one before', () => {
  it('[SD24] is found, whatever its term, and taken for another: nothing is asked in sessions or leases of the one before', async () => {
    const scene = new ClientScene()
    const seen = await scene.withClient(async client => {
      await client.kv.put('k', '0')
      const lease = await client.lease({ ttlMs: 60_000 })
      const watch = client.kv.watch('k')
      await watch.ready()
      const ended = failure(watch.next())
      for (let i = 0; i < 5; i++) scene.elect(scene.names[0])
      await client.kv.put('j', '1')
      scene.replace()
      // Somebody else's session there has the very number.
      scene.ask({ kind: 'session_open', ttlMs: 60_000 })
      const adrift = await failure(client.kv.put('k', 'whether the one before heard of this, nobody knows'))
      const { revision } = await client.kv.put('k', '2')
      return { adrift, revision, lost: lease.lost.aborted, watch: await ended }
    })
    const codes = { adrift: { code: 'session_expired', outcome: 'indefinite' }, watch: { code: 'wrong_cluster' } }
    expect(seen).toMatchObject({ ...codes, revision: 1, lost: true })
    expect(scene.opened).toBe(2)
  })
})

describe('a change', () => {
  it('[SD2] takes effect once however often its answer is lost', async () => {
    const scene = new ClientScene()
    const versions = await scene.withClient(async ({ kv }) => {
      await kv.put('k', '0')
      scene.answersToLose = 3
      await kv.put('k', '1')
      return (await kv.get('k'))?.version
    })
    expect(versions).toBe(2)
    expect(scene.answersToLose).toBe(0)
  })

  it('[SD2] takes effect once when the leader changes after it was applied and before its answer', async () => {
    const scene = new ClientScene()
    const version = await scene.withClient(async ({ kv }) => {
      await kv.put('k', '0')
      scene.answersToLose = 1
      const put = kv.put('k', '1')
      scene.simulation.at(scene.simulation.nowMs + 0.5, () => scene.elect(scene.names[2]))
      await put
      return (await kv.get('k'))?.version
    })
    expect(version).toBe(2)
  })

  it('[SD3] without a session is not repeated: its fate is told as unknown', async () => {
    const scene = new ClientScene()
    const error = await scene.withClient(
      async ({ kv }) => {
        await kv.put('k', '0')
        scene.answersToLose = 1
        return failure(kv.put('k', '1'))
      },
      { session: 'none' },
    )
    expect(error).toMatchObject({ code: 'connection_lost', outcome: 'indefinite', operation: 'kv_put', attempts: 1 })
  })

  it('[SD4] goes on in a new session when the old one ended', async () => {
    const scene = new ClientScene()
    const value = await scene.withClient(async ({ kv }) => {
      await kv.put('k', '0')
      scene.expire(1)
      await kv.put('k', '1')
      return (await kv.get('k'))?.value
    })
    expect(value).toBe('1')
  })

  it('[SD4] whose session ended while its fate was unknown says so', async () => {
    const scene = new ClientScene()
    const error = await scene.withClient(async ({ kv }) => {
      await kv.put('k', '0')
      scene.answersToLose = 1
      const put = failure(kv.put('k', '1'))
      scene.simulation.at(scene.simulation.nowMs + 0.5, () => scene.expire(1))
      return put
    })
    expect(error).toMatchObject({ code: 'session_expired', outcome: 'indefinite' })
  })

  it('[SD4] finds a session that rested let go, and opens another', async () => {
    const scene = new ClientScene()
    const seen = await scene.withClient(async ({ kv }) => {
      const pass = (ms: number) => new Promise<void>(resolve => scene.simulation.at(scene.simulation.nowMs + ms, resolve))
      await kv.put('k', '0')
      await pass(20_000)
      await kv.put('k', '1')
      const used = scene.opened
      await pass(50_000)
      const { eventCount } = scene.simulation
      await pass(1_000)
      const quiet = scene.simulation.eventCount - eventCount
      await kv.put('k', '2')
      return [used, scene.opened, (await kv.get('k'))?.value, quiet < 10]
    })
    expect(seen).toEqual([1, 2, '2', true])
  })

  it('[SD5] is refused when too many wait', async () => {
    const scene = new ClientScene()
    scene.elect(undefined)
    const codes = await scene.withClient(async ({ kv }) => {
      const calls = Array.from({ length: 17_000 }, () => failure(kv.put('k', 'v', { timeoutMs: 1_000 })))
      return (await Promise.all(calls)).map(({ code }) => code)
    })
    expect(new Set(codes)).toEqual(new Set(['no_leader', 'too_many_requests']))
    expect(codes.filter(code => code === 'too_many_requests')).toHaveLength(17_000 - 16_384)
  })

  it('[SD5] is kept within the window of the session, a thousand at once', async () => {
    const scene = new ClientScene()
    await scene.withClient(async ({ kv }) => {
      await Promise.all(Array.from({ length: 1_000 }, (_, i) => kv.put(`k${i}`, 'v')))
    })
    expect(scene.state.store.revision).toBe(1_000)
  })
})

describe('a call that nobody can answer', () => {
  it('[SD6] fails within its deadline and says what is wrong at each node', async () => {
    const scene = new ClientScene()
    for (const name of scene.names) scene.machine(name).crash()
    const [error, tookMs] = await scene.withClient(async ({ kv }) => {
      const startedMs = scene.simulation.nowMs
      return [await failure(kv.put('k', 'v', { timeoutMs: 2_000 })), scene.simulation.nowMs - startedMs] as const
    })
    expect(error).toMatchObject({ code: 'not_connected', outcome: 'definite', retriable: true })
    expect(error.troubles).toHaveLength(3)
    expect(error.message).toContain('127.0.0.1:7202')
    expect(tookMs).toBeLessThan(2_200)
  })

  it('[SD6] tells that there is no leader', async () => {
    const scene = new ClientScene()
    scene.elect(undefined)
    const error = await scene.withClient(({ kv }) => failure(kv.get('k', { timeoutMs: 1_000 })))
    expect(error).toMatchObject({ code: 'no_leader', outcome: 'definite' })
  })

  it('[SD6] tells that its secret is wrong', async () => {
    const scene = new ClientScene()
    const error = await scene.withClient(({ kv }) => failure(kv.get('k', { timeoutMs: 500 })), { secret: new Uint8Array(32).fill(8) })
    expect(error).toMatchObject({ code: 'wrong_secret', outcome: 'definite', retriable: false })
  })

  it('[SD7] says that nothing happened when it was only refused', async () => {
    const scene = new ClientScene()
    const error = await scene.withClient(async ({ kv }) => {
      await kv.put('k', '0')
      scene.elect(undefined)
      return failure(kv.put('k', '1', { timeoutMs: 500 }))
    })
    expect(error).toMatchObject({ code: 'no_leader', outcome: 'definite' })
    expect(error.attempts).toBeGreaterThan(0)
  })

  it.each([0, -1, Number.NaN])('[SD7] does not begin with a deadline of %d', async timeoutMs => {
    const error = await new ClientScene().withClient(({ kv }) => failure(kv.get('k', { timeoutMs })))
    expect(error).toMatchObject({ code: 'invalid_argument', outcome: 'definite' })
  })

  it('[SD7] ends with its signal, which leaves nothing behind', async () => {
    const scene = new ClientScene()
    scene.elect(undefined)
    const error = await scene.withClient(({ kv }) => {
      const giveUp = new AbortController()
      scene.simulation.at(scene.simulation.nowMs + 100, () => giveUp.abort())
      return failure(kv.put('k', 'v', { signal: giveUp.signal }))
    })
    expect(error).toMatchObject({ code: 'request_cancelled', outcome: 'definite' })
  })
})

describe('the way to the leader', () => {
  it.each([[0], [1], [2], [2, 0]])('[SD8] is found from coordinator %d alone, or from some', async (...seeds) => {
    const clients = await Clients.ready()
    const revision = await clients.with(async ({ kv }) => (await kv.put('k', 'v')).revision, { seeds })
    expect(revision).toBeGreaterThan(0)
  })

  it('[SD9] leads past a leader that is paused', async () => {
    const scene = new ClientScene()
    const version = await scene.withClient(async ({ kv }) => {
      await kv.put('k', '0')
      scene.machine(scene.names[0]!).pause()
      scene.elect(scene.names[1])
      await kv.put('k', '1')
      return (await kv.get('k'))?.version
    })
    expect(version).toBe(2)
  })
})

describe('leases', () => {
  it('[SD15] are all kept alive by one request, three times a term', async () => {
    const scene = new ClientScene()
    await scene.withClient(async client => {
      await Promise.all(Array.from({ length: 50 }, () => client.lease({ ttlMs: 3_000 })))
      await new Promise<void>(resolve => scene.simulation.at(scene.simulation.nowMs + 6_500, resolve))
    })
    // The session is a lease, too.
    expect(scene.keepAlives).toEqual(Array(6).fill(51))
  })

  it('[SD15] are lost when the coordinators know nothing of them', async () => {
    const scene = new ClientScene()
    const reason = await scene.withClient(async client => {
      const lease = await client.lease({ ttlMs: 3_000 })
      scene.expire(lease.id)
      return new Promise(resolve => lease.lost.addEventListener('abort', () => resolve(lease.lost.reason)))
    })
    expect(reason).toMatchObject({ code: 'lease_not_found' })
  })

  it('[SD15] are lost at the end of their term when nobody confirms them, and not before', async () => {
    const scene = new ClientScene()
    const heldMs = await scene.withClient(async client => {
      const lease = await client.lease({ ttlMs: 3_000 })
      const startedMs = scene.simulation.nowMs
      for (const name of scene.names) scene.machine(name).crash()
      await new Promise(resolve => lease.lost.addEventListener('abort', resolve))
      return scene.simulation.nowMs - startedMs
    })
    expect(heldMs).toBeGreaterThan(2_900)
    expect(heldMs).toBeLessThanOrEqual(3_000)
  })
})

describe('close', () => {
  it('[SD10] succeeds while nobody is there, and what waits is refused', async () => {
    const scene = new ClientScene()
    for (const name of scene.names) scene.machine(name).crash()
    const [waiting, later] = await scene.withClient(async client => {
      const put = failure(client.kv.put('k', 'v'))
      await client.close()
      return [await put, await failure(client.kv.get('k'))]
    })
    expect(waiting).toMatchObject({ code: 'client_closed' })
    expect(later).toMatchObject({ code: 'client_closed', outcome: 'definite' })
  })

  it('[SD10] leaves no timer and no connection behind', async () => {
    const scene = new ClientScene()
    await scene.withClient(async client => {
      await client.kv.put('k', 'v')
      await client.close()
    })
    const { eventCount } = scene.simulation
    await scene.simulation.run({ untilMs: scene.simulation.nowMs + 120_000 })
    expect(scene.simulation.eventCount - eventCount).toBeLessThan(40)
    expect(scene.state.sessions.size).toBe(0)
  })
})
