// How one broker's replicas copy from another's: a fetcher on one side, a session on the other.
import { describe, expect, it } from 'vitest'
import type { FetchResponse, ReceivedResponse } from './fetch-messages.ts'
import { type ColdRead, FetchSession } from './fetch-session.ts'
import { FetchSessions } from './fetch-sessions.ts'
import type { FetchPosition } from './inputs.ts'
import type { Read } from './replica.ts'
import { type FetcherSettings, ReplicaFetcher } from './replica-fetcher.ts'
import { at, batchOf, epoch, node, ScriptedReplica } from './scripted-replica.ts'

const settings: FetcherSettings = { fetchBytesMax: 1_000, fetchWaitMs: 500, fetchBackoffMs: 50 }

const position = (end: number, durableEnd = end): FetchPosition => ({
  leaderEpoch: epoch(1),
  fetchOffset: at(end),
  lastFetchedEpoch: end === 0 ? undefined : epoch(1),
  durableEnd: at(durableEnd),
  logStart: at(0),
})

/** A fetcher of partitions whose positions are set by hand. */
function fetching(...keys: readonly string[]) {
  const positions = new Map(keys.map(key => [key, position(0) as FetchPosition | undefined]))
  const replicas = {
    position: (key: string) => positions.get(key),
    durableReport: (key: string) => {
      const found = positions.get(key)
      return found && { leaderEpoch: found.leaderEpoch, durableEnd: found.durableEnd }
    },
  }
  const fetcher = new ReplicaFetcher<string>(node(2), replicas, settings)
  for (const key of keys) fetcher.add(key)
  return { fetcher, positions }
}

const empty = { kind: 'records', records: new Uint8Array(), highWatermark: at(0), logStart: at(0) } as const
const answer = (sequence: number, keys: readonly string[], session = 1): ReceivedResponse<string> => ({
  session,
  sequence,
  unknownSession: false,
  partitions: keys.map(key => ({ key, result: empty })),
})

describe('a fetcher', () => {
  it('[RP32] asks for all partitions of a leader at once, then only for those that changed', () => {
    const { fetcher, positions } = fetching('a', 'b', 'c')
    expect(fetcher.next(0)?.changed.map(({ key }) => key)).toEqual(['a', 'b', 'c'])
    expect(fetcher.next(0)).toBeUndefined()
    positions.set('b', position(1))
    const answered = fetcher.answered(answer(0, ['b']), 1)
    expect(answered).toEqual([{ key: 'b', fetched: { kind: 'fetched', from: node(2), position: position(0), result: empty } }])
    const next = fetcher.next(1)
    expect(next).toMatchObject({ sequence: 1, changed: [{ key: 'b', position: position(1) }], forgotten: [] })
  })

  it('[RP32] has one request in flight, and takes the answer to that one only', () => {
    const { fetcher } = fetching('a')
    fetcher.next(0)
    expect(fetcher.answered(answer(1, ['a']), 0)).toEqual([])
    expect(fetcher.answered(answer(0, ['a'], 2), 0)).toEqual([])
    expect(fetcher.answered(answer(0, ['a']), 0)).toHaveLength(1)
    expect(fetcher.answered(answer(0, ['a']), 0)).toEqual([])
  })

  it('[RP32] asks once for the answer that is held when there is something else to ask, but not for a sync', () => {
    const { fetcher, positions } = fetching('a')
    fetcher.next(0)
    positions.set('a', position(0, 0))
    fetcher.synced('a')
    fetcher.changed('a')
    expect(fetcher.takeImpatience()).toBe(false)
    positions.set('b', position(0))
    fetcher.add('b')
    expect([fetcher.takeImpatience(), fetcher.takeImpatience()]).toEqual([true, false])
    fetcher.answered(answer(0, []), 1)
    expect(fetcher.next(1)?.changed.map(({ key }) => key)).toEqual(['a', 'b'])
    positions.set('a', { ...position(0), leaderEpoch: epoch(2) })
    fetcher.changed('a')
    expect(fetcher.takeImpatience()).toBe(true)
    positions.set('a', undefined)
    fetcher.answered(answer(1, []), 2)
    fetcher.changed('a')
    expect(fetcher.takeImpatience()).toBe(false)
  })

  it('[RP32] begins anew, after a while, when no answer comes or its session is not known', () => {
    const { fetcher } = fetching('a', 'b')
    const first = fetcher.next(0)
    expect(first && fetcher.waitsFor(first)).toBe(true)
    fetcher.failed(100)
    expect(fetcher.next(149)).toBeUndefined()
    expect(fetcher.nextAt).toBe(150)
    expect(fetcher.next(150)).toMatchObject({ session: 2, sequence: 0, changed: [{ key: 'a' }, { key: 'b' }] })
    fetcher.answered({ session: 2, sequence: 0, unknownSession: true, partitions: [] }, 200)
    expect(fetcher.next(250)).toMatchObject({ session: 3, sequence: 0, changed: [{ key: 'a' }, { key: 'b' }] })
  })

  it('[RP32] forgets a partition that is followed here no more, or cannot be for now', () => {
    const { fetcher, positions } = fetching('a', 'b', 'c')
    fetcher.next(0)
    fetcher.answered(answer(0, []), 1)
    fetcher.remove('a')
    positions.set('b', undefined)
    fetcher.changed('b')
    expect(fetcher.next(2)).toMatchObject({ changed: [], forgotten: ['a', 'b'] })
    fetcher.answered(answer(1, []), 3)
    positions.set('b', position(4))
    fetcher.changed('b')
    expect(fetcher.next(4)?.changed.map(({ key }) => key)).toEqual(['b'])
  })

  it('[RP32] reports syncs beside a request that is held, each once', () => {
    const { fetcher, positions } = fetching('a', 'b')
    fetcher.synced('a')
    expect(fetcher.takeReports()).toEqual([])
    fetcher.next(0)
    positions.set('a', position(0, 3))
    fetcher.synced('a')
    fetcher.synced('b')
    expect(fetcher.takeReports()).toEqual([{ key: 'a', leaderEpoch: 1, durableEnd: 3 }])
    fetcher.synced('a')
    expect(fetcher.takeReports()).toEqual([])
  })
})

describe('a session', () => {
  const reads = new Map<string, Read>()
  const emptyRead: Read = { kind: 'batches', batches: [], highWatermark: at(0), logStart: at(0) }
  const begin = () => {
    reads.clear()
    const asked: string[] = []
    const replicas = {
      check: () => ({ kind: 'accepted' }) as const,
      read: (key: string) => {
        asked.push(key)
        return reads.get(key) ?? emptyRead
      },
    }
    return { session: new FetchSession<string>(1, replicas), asked }
  }
  const request = (sequence: number, keys: readonly string[], end = 0) => ({
    session: 1,
    sequence,
    changed: keys.map(key => ({ key, position: position(end) })),
    forgotten: [],
    bytesMax: 100,
    maxWaitMs: 500,
  })
  const keysOf = (response: FetchResponse<string> | undefined) => response?.partitions.map(({ key }) => key)
  const has = (key: string) => reads.set(key, { ...emptyRead, kind: 'batches', batches: [batchOf()] })

  it('[RP32] is held until there is something, and looks only where something happened', () => {
    const { session, asked } = begin()
    expect(session.receive(request(0, ['a', 'b', 'c']), 0)).toBe(true)
    expect(session.answer(1, [])).toBeUndefined()
    asked.length = 0
    has('b')
    session.advanced('b')
    expect(keysOf(session.answer(2, []))).toContain('b')
    expect(asked.filter(key => key !== 'b' && key !== 'a' && key !== 'c')).toEqual([])
  })

  it('[RP32] is answered when its time is up, with the high watermarks that moved', () => {
    const { session } = begin()
    session.receive(request(0, ['a', 'b']), 0)
    expect(keysOf(session.answer(500, []))).toEqual(['a', 'b'])
    session.receive(request(1, []), 500)
    reads.set('b', { ...emptyRead, highWatermark: at(7) })
    session.committed('b')
    expect(session.answer(600, [])).toBeUndefined()
    expect(session.deadlineMs).toBe(1_000)
    expect(session.answer(1_000, [])?.partitions).toEqual([
      { key: 'b', answer: { kind: 'records', batches: [], highWatermark: 7, logStart: 0 } },
    ])
  })

  it('[RP32] is answered at once when the follower has something else to ask', () => {
    const { session } = begin()
    session.receive(request(0, ['a']), 0)
    session.answer(500, [])
    session.receive(request(1, []), 500)
    expect(session.answer(501, [])).toBeUndefined()
    session.letGo()
    expect(session.answer(502, [])).toMatchObject({ sequence: 1, partitions: [] })
    session.letGo()
    session.receive(request(2, []), 502)
    expect(session.answer(503, [])).toBeUndefined()
  })

  it('[RP32] shares its bytes fairly: who was left out comes first the next time', () => {
    const { session } = begin()
    for (const key of ['a', 'b', 'c']) has(key)
    session.receive(request(0, ['a', 'b', 'c']), 0)
    expect(keysOf(session.answer(0, []))).toEqual(['a', 'b'])
    session.receive(request(1, ['a', 'b'], 1), 0)
    expect(keysOf(session.answer(0, []))?.[0]).toBe('c')
  })

  it('[RP32] sends nothing again before it hears where the follower stands', () => {
    const { session } = begin()
    has('a')
    session.receive(request(0, ['a']), 0)
    expect(keysOf(session.answer(0, []))).toEqual(['a'])
    session.receive(request(1, []), 0)
    session.advanced('a')
    expect(session.answer(0, [])).toBeUndefined()
  })

  it('[RP32] waits for what has to be read from the disk, and for nothing else meanwhile', () => {
    const { session } = begin()
    const cold: Read = { kind: 'cold', end: at(9), highWatermark: at(0), logStart: at(0) }
    reads.set('a', cold)
    session.receive(request(0, ['a']), 0)
    const colds: ColdRead<string>[] = []
    expect(session.answer(0, colds)).toBeUndefined()
    expect(colds).toEqual([{ key: 'a', from: 0, end: 9, bytesMax: 100 }])
    session.advanced('a')
    expect(session.answer(1, colds)).toBeUndefined()
    expect(colds).toHaveLength(1)
    session.loaded('a', at(0), [batchOf()])
    expect(keysOf(session.answer(2, colds))).toEqual(['a'])
  })

  it('[RP32] is one per follower, and the newest', () => {
    const leader = new ScriptedReplica().lead()
    const sessions = new FetchSessions<string>(() => ({
      check: () => ({ kind: 'accepted' }),
      read: () => leader.replica.readForFollower(epoch(1), at(0), 10),
    }))
    const unknown = { unknownSession: true }
    expect(sessions.receive(node(2), 20, request(1, []), 0)).toMatchObject(unknown)
    expect(sessions.receive(node(2), 20, request(0, ['a']), 0)).toBeUndefined()
    expect(sessions.receive(node(2), 20, request(1, []), 0)).toMatchObject(unknown)
    expect(sessions.receive(node(2), 20, { ...request(0, ['a']), session: 2 }, 0)).toBeUndefined()
    expect(sessions.receive(node(2), 20, request(0, ['a']), 0)).toMatchObject(unknown)
    expect(sessions.receive(node(2), 21, request(0, ['a']), 0)).toBeUndefined()
    expect(sessions.of(node(2))?.session).toBe(1)
  })
})
