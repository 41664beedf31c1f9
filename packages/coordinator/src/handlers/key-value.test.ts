// The key-value conversation, asked over the wire.

import type { NodeId } from '@atoll/base'
import { coordinatorStatus, kvCompact, kvDelete, kvGet, kvKeepHistory, kvPut, kvRange, kvTransaction, sessionOpen } from '@atoll/protocol'
import { describe, expect, it } from 'vitest'
import { allWith, oneKey } from '../core/index.ts'
import { SCAN_VISITS_MAX } from '../core/limits.ts'
import { bytesOf, never, noLease, SimulatedCoordinators, textOf } from '../simulated-coordinators.ts'

const put = (key: string, value: string) => ({ ...never, key, value: bytesOf(value), lease: noLease, wantPrevious: true })
const get = (key: string, consistency: 'linearizable' | 'local' = 'linearizable') => ({ key, revision: 0 as never, consistency })
const range = (prefix: string) => ({
  selection: allWith(prefix),
  from: '',
  revision: 0 as never,
  limit: 0,
  keysOnly: false,
  countOnly: false,
  consistency: 'linearizable' as const,
})

const keyed = (key: string) => ({
  selection: oneKey(key),
  value: bytesOf(''),
  lease: noLease,
  wantPrevious: false,
  limit: 0,
  keysOnly: false,
})

async function valueAt(scene: SimulatedCoordinators, name: NodeId, key: string): Promise<string | undefined> {
  const { entry } = await scene.ask(name, kvGet, get(key))
  return entry && textOf(entry.value)
}

describe('a coordinator asked for keys', () => {
  it('[SV1] changes what the leader is asked to change, and reads it at any', async () => {
    const scene = await SimulatedCoordinators.ready()
    const leader = scene.leader()
    const { revision } = await scene.ask(leader, kvPut, put('a', 'one'))
    expect(await scene.ask(leader, kvPut, put('a', 'two'))).toMatchObject({ revision: revision + 1, previous: { key: 'a', version: 1 } })
    for (const name of scene.names) expect(await valueAt(scene, name, 'a')).toBe('two')
    const page = await scene.ask(scene.follower(), kvRange, range('a'))
    const entry = { key: 'a', modRevision: revision + 1, version: 2 }
    expect(page).toMatchObject({ revision: revision + 1, at: revision + 1, count: 1, entries: [entry], next: undefined })
    const operation = { selection: oneKey('ab'), value: bytesOf('three'), lease: noLease, wantPrevious: false, limit: 0, keysOnly: false }
    const answer = await scene.ask(leader, kvTransaction, {
      ...never,
      compares: [{ key: 'a', target: 'version', is: 'equal', number: 2, value: bytesOf('') }],
      success: [{ kind: 'put', ...operation }],
      failure: [],
    })
    expect(answer).toMatchObject({ revision: revision + 2, succeeded: true, results: [{ count: 1 }] })
    const gone = await scene.ask(leader, kvDelete, { ...never, selection: allWith('a'), wantPrevious: false })
    expect(gone).toMatchObject({ revision: revision + 3, deleted: 2 })
    expect(await valueAt(scene, leader, 'a')).toBeUndefined()
    const kept = await scene.ask(leader, kvKeepHistory, { ...never, revisions: 100, bytes: 1_000_000 })
    expect(kept).toEqual({ revision: revision + 3, compactRevision: 0 })
    const compacted = await scene.ask(leader, kvCompact, { ...never, revision: (revision + 2) as never })
    expect(compacted).toEqual({ revision: revision + 3, compactRevision: revision + 2 })
    await expect(scene.ask(leader, kvGet, { ...get('a'), revision: 1 as never })).rejects.toMatchObject({ code: 'compacted' })
  })

  it('[SV1] counts more keys than a page looks at, in slices', async () => {
    const scene = await SimulatedCoordinators.ready()
    for (let i = 0; i < 210; i++) {
      const operations = Array.from({ length: 100 }, (_, j) => ({ ...keyed(`n${i}/${j}`), kind: 'put' as const }))
      await scene.ask(scene.leader(), kvTransaction, { ...never, compares: [], success: operations, failure: [] })
    }
    expect(21_000).toBeGreaterThan(SCAN_VISITS_MAX)
    const counted = await scene.ask(scene.leader(), kvRange, { ...range('n'), countOnly: true })
    expect(counted).toMatchObject({ count: 21_000, entries: [], next: undefined })
  })

  it('[SV2] sends whoever asks a follower for a change to the leader, by name', async () => {
    const scene = await SimulatedCoordinators.ready()
    await expect(scene.ask(scene.follower(), kvPut, put('a', 'one'))).rejects.toMatchObject({
      code: 'not_leader',
      outcome: 'definite',
      message: expect.stringContaining(scene.leader()),
    })
    expect(await scene.ask(scene.follower(), coordinatorStatus, {})).toMatchObject({ leader: scene.leader(), watches: 0 })
  })

  it('[SV3] refuses without a majority, within the deadline', async () => {
    const scene = await SimulatedCoordinators.ready()
    const [leader, one, other] = [scene.leader(), ...scene.names.filter(name => name !== scene.leader())] as [NodeId, NodeId, NodeId]
    await scene.ask(leader, kvPut, put('a', 'one'))
    scene.crash(one)
    scene.crash(other)
    await expect(scene.ask(leader, kvPut, put('a', 'two'), 500)).rejects.toMatchObject({ outcome: 'indefinite' })
    await scene.run(5_000)
    await expect(scene.ask(leader, kvPut, put('a', 'three'))).rejects.toMatchObject({ code: 'no_leader' })
    await expect(scene.ask(leader, kvGet, get('a'))).rejects.toMatchObject({ outcome: expect.any(String) })
    expect(await scene.ask(leader, kvGet, get('a', 'local'))).toMatchObject({ entry: { key: 'a', version: 1 } })
  })

  it('[SV4] answers a request repeated in its session as the first time, at the next leader too', async () => {
    const scene = await SimulatedCoordinators.ready()
    const { session } = await scene.ask(scene.leader(), sessionOpen, { ttlMs: 60_000 })
    const request = { ...put('a', 'one'), session, sequence: 1, answeredBelow: 1 }
    const first = await scene.ask(scene.leader(), kvPut, request)
    await scene.ask(scene.leader(), kvPut, put('a', 'two'))
    scene.crash(scene.leader())
    await scene.run(3_000)
    expect(await scene.ask(scene.leader(), kvPut, request)).toEqual(first)
    expect(await valueAt(scene, scene.leader(), 'a')).toBe('two')
  })
})
