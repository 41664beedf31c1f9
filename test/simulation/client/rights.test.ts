// Leases, locks, elections and watches of real coordinators, while those are killed and clients stand still.
import type { Client, WatchEvent } from '@atoll/client/core'
import { describe, expect, it } from 'vitest'
import { failure } from './failure.ts'
import { Clients } from './with-clients.ts'

/** The next `count` events of a watch. */
async function take(watch: AsyncIterable<WatchEvent>, count: number): Promise<WatchEvent[]> {
  const events: WatchEvent[] = []
  for await (const event of watch) if (events.push(event) === count) break
  return events
}

describe('a client of coordinators that die', () => {
  it('[SD2] [SD11] writes exactly once, and a watch tells every write once, through three changes of leader', async () => {
    const clients = await Clients.ready()
    const { cluster } = clients
    const seen: WatchEvent[] = []
    let watching = false
    clients.start(async ({ kv }) => {
      const watch = kv.watch({ prefix: 'k' })
      await watch.ready()
      watching = true
      seen.push(...(await take(watch, 300)))
    })
    await clients.until(() => watching)
    const killed = new Set<string>()
    const kill = (): void => {
      const name = clients.leader()
      if (name === undefined) return clients.in(50, kill)
      killed.add(`${name} ${clients.nowMs}`)
      cluster.crash(name)
      clients.in(1_500, () => cluster.start(name))
    }
    clients.start(async ({ kv }) => {
      for (let i = 0; i < 300; i++) {
        if (i === 50 || i === 150 || i === 250) kill()
        const { revision, previous } = await kv.put(`k${i % 7}`, String(i), { previous: true, timeoutMs: 20_000 })
        expect(previous?.value ?? String(i % 7)).toBe(String(i < 7 ? i : i - 7))
        expect(revision).toBeGreaterThan(0)
      }
    })
    await clients.done()
    expect(killed.size).toBe(3)
    expect(seen.map(event => event.kind === 'put' && event.value)).toEqual(Array.from({ length: 300 }, (_, i) => String(i)))
    const revisions = seen.map(({ revision }) => revision)
    expect(revisions).toEqual(revisions.toSorted((a, b) => a - b))
  })

  it('[SD6] is told within its deadline that two of three are dead', async () => {
    const clients = await Clients.ready()
    const { cluster } = clients
    const [error, tookMs] = await clients.with(async ({ kv }) => {
      await kv.put('k', '0')
      for (const name of cluster.names.slice(0, 2)) cluster.crash(name)
      const startedMs = clients.nowMs
      return [await failure(kv.put('k', '1', { timeoutMs: 3_000 })), clients.nowMs - startedMs] as const
    })
    expect(error.code).toBe('no_leader')
    expect(error.troubles.map(({ node }) => node)).toEqual([...cluster.names])
    expect(tookMs).toBeLessThan(3_300)
  })

  it('[SD2] goes on when all were killed and came back', async () => {
    const clients = await Clients.ready()
    const { cluster } = clients
    const version = await clients.with(async ({ kv }) => {
      await kv.put('k', '0')
      for (const name of cluster.names) cluster.crash(name)
      clients.in(1_000, () => cluster.startAll())
      await kv.put('k', '1', { timeoutMs: 10_000 })
      return (await kv.get('k'))?.version
    })
    expect(version).toBe(2)
  })
})

describe('a watch', () => {
  it('[SD12] whose revision is compacted says from where on the past is there', async () => {
    const clients = await Clients.ready()
    const error = await clients.with(async ({ kv }) => {
      let last = 0
      for (let i = 0; i < 5; i++) last = (await kv.put('k', String(i))).revision
      await kv.compact(last)
      return [await failure(kv.watch('k', { fromRevision: 2 }).ready()), last] as const
    })
    expect(error[0]).toMatchObject({ code: 'compacted', revision: error[1], outcome: 'definite' })
  })

  it('[SD13] hands a revision on whole, however many items it takes', async () => {
    const clients = await Clients.ready()
    const value = 'v'.repeat(8_000)
    const events = await clients.with(async ({ kv }) => {
      const watch = kv.watch({ prefix: '' }, { previous: true })
      await watch.ready()
      const then = Array.from({ length: 100 }, (_, i) => ({ put: `k${String(i).padStart(3, '0')}`, value }))
      // oxlint-disable-next-line unicorn/no-thenable -- a list, which nothing takes for a promise
      await kv.transaction({ then })
      await kv.delete({ prefix: 'k' })
      return take(watch, 200)
    })
    expect(new Set(events.map(({ revision }) => revision)).size).toBe(2)
    expect(events.filter(({ kind }) => kind === 'delete').map(({ previous }) => previous?.value)).toEqual(Array(100).fill(value))
  })

  it('[SD13] hands nothing of a revision on that broke off with its coordinator', async () => {
    const clients = await Clients.ready()
    const keys = Array.from({ length: 100 }, (_, i) => `k${String(i).padStart(3, '0')}`)
    const told = await clients.with(async ({ kv }) => {
      const watch = kv.watch({ prefix: '' })
      await watch.ready()
      // oxlint-disable-next-line unicorn/no-thenable -- a list, which nothing takes for a promise
      await kv.transaction({ then: keys.map(key => ({ put: key, value: 'v'.repeat(8_000) })) })
      const first = await watch.next()
      clients.cluster.crash(clients.leader()!)
      return [...(first.done === true ? [] : [first.value]), ...(await take(watch, 99))].map(({ key }) => key)
    })
    expect(told).toEqual(keys)
  })

  it('[SD14] ends with its signal and with its client', async () => {
    const clients = await Clients.ready()
    const ends = await clients.with(async client => {
      const stop = new AbortController()
      const [one, two] = [client.kv.watch('a', { signal: stop.signal }), client.kv.watch('a')]
      await Promise.all([one.ready(), two.ready()])
      const next = [one.next(), two.next()]
      stop.abort()
      const first = await next[0]
      await client.close()
      return [first?.done, (await next[1])?.done]
    })
    expect(ends).toEqual([true, true])
  })
})

describe('a lease', () => {
  it('[SD15] lasts while its client does, through a change of leader, and takes its keys with it', async () => {
    const clients = await Clients.ready()
    const { cluster } = clients
    const [lost, during, after] = await clients.with(async client => {
      const lease = await client.lease({ ttlMs: 2_000 })
      await client.kv.put('k', 'v', { lease })
      cluster.crash(clients.leader()!)
      await new Promise<void>(resolve => clients.in(10_000, resolve))
      const still = await client.kv.get('k')
      await lease.revoke()
      return [lease.lost.aborted, still?.value, await client.kv.get('k')]
    })
    expect([lost, during, after]).toEqual([false, 'v', undefined])
  })
})

describe('a lock', () => {
  it('[SD10] is not won by a client that was closed while it asked', async () => {
    const clients = await Clients.ready()
    const outcome = await clients.with(async client => {
      const held = await client.lock('door').acquire()
      const asked = failure(client.lock('door').acquire())
      await client.close()
      return { lost: held.lost.aborted, asked: await asked }
    })
    expect(outcome).toMatchObject({ lost: true, asked: { code: 'client_closed' } })
  })

  it('[SD16] goes to who waits longest, with a greater token each time', async () => {
    const clients = await Clients.ready()
    const order: { readonly who: number; readonly token: number }[] = []
    for (let who = 0; who < 4; who++) {
      clients.start(async client => {
        await client.ready()
        await new Promise<void>(resolve => clients.in(200 + who * 100, resolve))
        const lock = await client.lock('l').acquire()
        order.push({ who, token: lock.token })
        await new Promise<void>(resolve => clients.in(1_000, resolve))
        await lock.release()
      })
    }
    await clients.done()
    expect(order.map(({ who }) => who)).toEqual([0, 1, 2, 3])
    expect(order.map(({ token }) => token)).toEqual(order.map(({ token }) => token).toSorted((a, b) => a - b))
  })

  it('[SD17] is given up by a caller that stops waiting', async () => {
    const clients = await Clients.ready()
    const seen = await clients.with(async client => {
      const lock = client.lock('l')
      const held = await lock.acquire()
      const late = await failure(lock.acquire({ timeoutMs: 500 }))
      const stop = new AbortController()
      clients.in(100, () => stop.abort())
      const stopped = await failure(lock.acquire({ signal: stop.signal }))
      const busy = await lock.acquire({ wait: false })
      await new Promise<void>(resolve => clients.in(500, resolve))
      const { waiting } = await lock.holder()
      await held.release()
      return [late.code, stopped.code, busy, waiting, (await lock.holder()).holder]
    })
    expect(seen).toEqual(['request_timed_out', 'request_cancelled', undefined, 0, undefined])
  })

  // Whether timers or the network come first after a pause is drawn from the seed.
  it.each([1, 2, 3, 4])('[SD18] is lost by a client that stood still, before that does anything else (seed %i)', async seed => {
    const clients = await Clients.ready(seed)
    const tokens: number[] = []
    const seen: string[] = []
    let holds = false
    const paused = clients.start(async client => {
      const lock = await client.lock('l').acquire({ ttlMs: 1_000 })
      tokens.push(lock.token)
      lock.lost.addEventListener('abort', () => seen.push('lost'))
      holds = true
      // An answer that was on its way while it stood still is the first thing it reads.
      await client.kv.get('k', { timeoutMs: 60_000 })
      seen.push('read')
    })
    await clients.until(() => holds)
    paused.pause()
    clients.start(async client => {
      const lock = await client.lock('l').acquire()
      tokens.push(lock.token)
      paused.resume()
    })
    await clients.done()
    expect(seen).toEqual(['lost', 'read'])
    expect(tokens[1]).toBeGreaterThan(tokens[0]!)
  })

  it('[SD18] is lost when its client was closed', async () => {
    const clients = await Clients.ready()
    const [reason, holder] = await clients.with(async client => {
      const lock = await client.lock('l').acquire()
      await client.close()
      return [lock.lost.reason as { readonly code: string }, undefined]
    })
    expect(reason).toMatchObject({ code: 'client_closed' })
    expect(holder).toBeUndefined()
    const free = await clients.with(async client => (await client.lock('l').acquire({ wait: false })) !== undefined)
    expect(free).toBe(true)
  })
})

describe('an election', () => {
  it('[SD19] has one leader at a time, whom everybody can follow', async () => {
    const clients = await Clients.ready()
    const { cluster } = clients
    const seen: (string | undefined)[] = []
    clients.start(async client => {
      for await (const holder of client.election('e').observe()) {
        seen.push(holder?.value)
        if (holder?.value === 'two') break
      }
    })
    const stand = (value: string, ms: number) => async (client: Client) => {
      await client.ready()
      await new Promise<void>(resolve => clients.in(ms, resolve))
      const leadership = await client.election('e').campaign(value)
      await leadership.proclaim(value)
      if (value === 'one') cluster.crash(clients.leader()!)
      await new Promise<void>(resolve => clients.in(3_000, resolve))
      await leadership.resign()
    }
    clients.start(stand('one', 500))
    clients.start(stand('two', 600))
    await clients.done()
    expect(seen).toEqual([undefined, 'one', 'two'])
  })
})

describe('services', () => {
  it('[SD20] are the nodes that registered and are there, and are followed', async () => {
    const clients = await Clients.ready()
    const { cluster } = clients
    const lists: string[][] = []
    await clients.run(3_000)
    await clients.with(async client => {
      for await (const list of client.services.watch('coordinator')) {
        lists.push(list.map(({ name }) => name))
        if (lists.length === 1) cluster.crash(cluster.names.find(name => name !== clients.leader())!)
        else break
      }
    })
    expect(lists[0]).toEqual([...cluster.names])
    expect(lists[1]).toHaveLength(2)
  })
})
