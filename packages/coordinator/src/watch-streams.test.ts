// Watches of real coordinators, over the wire.
import type { NodeId } from '@atoll/base'
import { coordinatorStatus, type ItemOf, kvCompact, kvWatch, type RequestOf } from '@atoll/protocol'
import { describe, expect, it } from 'vitest'
import { allWith } from './core/index.ts'
import { never, noLease, put, SimulatedCoordinators, textOf } from './simulated-coordinators.ts'

const all = (fromRevision = 0, progressMs = 0): RequestOf<typeof kvWatch> => ({
  selection: allWith('k'),
  fromRevision: fromRevision as never,
  puts: true,
  deletes: true,
  wantPrevious: false,
  progressMs,
})
const numbered = (count: number, size = 1) =>
  Array.from({ length: count }, (_, i) => ({ ...never, key: `k${i}`, value: new Uint8Array(size), lease: noLease, wantPrevious: false }))
const keys = (items: readonly ItemOf<typeof kvWatch>[]) => items.flatMap(({ events }) => events.map(({ entry }) => entry.key))
const namesOf = (requests: readonly { readonly key: string }[]) => requests.map(({ key }) => key)

describe('a watch', () => {
  it('[SV5] is told of every change in order, whichever coordinator serves it', async () => {
    const scene = await SimulatedCoordinators.ready()
    const watches = []
    for (const name of scene.names) watches.push(scene.collect(await scene.connect(name), kvWatch, all()))
    await scene.run(100)
    await scene.putAll([put('k1', 'one'), put('k2', 'two'), put('k1', 'three')])
    await scene.run(500)
    const last = watches[0]?.items.at(-1)?.throughRevision ?? 0
    for (const { items } of watches) {
      expect(items[0]).toEqual({ throughRevision: last - 3, complete: true, events: [] })
      expect(items.flatMap(({ events }) => events.map(({ entry }) => `${entry.key} ${textOf(entry.value)}`))).toEqual([
        'k1 one',
        'k2 two',
        'k1 three',
      ])
      expect(items.at(-1)?.throughRevision).toBe(last)
    }
    const again = scene.collect(await scene.connect(scene.follower()), kvWatch, all(last - 1))
    await scene.run(500)
    expect(keys(again.items)).toEqual(['k2', 'k1'])
  })

  it('[SV5] is sent a progress mark when nothing happened for as long as it said', async () => {
    const scene = await SimulatedCoordinators.ready()
    const { items } = scene.collect(await scene.connect(scene.leader()), kvWatch, { ...all(0, 200), selection: allWith('watched/') })
    await scene.run(100)
    await scene.putAll([put('other')])
    await scene.run(1_000)
    expect(items.at(-1)).toEqual({ throughRevision: (items[0]?.throughRevision ?? 0) + 1, complete: true, events: [] })
    expect(items.length).toBeGreaterThan(3)
    expect(items.length).toBeLessThan(8)
  })

  it('[SV5] of what is compacted is refused', async () => {
    const scene = await SimulatedCoordinators.ready()
    await scene.putAll(numbered(5))
    const { revision } = await scene.ask(scene.leader(), coordinatorStatus, {})
    await scene.ask(scene.leader(), kvCompact, { ...never, revision })
    const refused = scene.collect(await scene.connect(scene.leader()), kvWatch, all(revision - 1))
    await scene.run(100)
    expect(refused.error).toMatchObject({ code: 'compacted' })
  })

  it('[SV6] that nobody reads holds up nothing, ends with slow_watcher, and resumes', async () => {
    const scene = await SimulatedCoordinators.ready()
    const session = await scene.connect(scene.leader())
    const stream = await scene.doing(async () => session.open(kvWatch, all()))
    const first = await scene.doing(() => stream.next())
    expect(first.value).toMatchObject({ complete: true, events: [] })
    const puts = numbered(5_000, 512)
    for (let i = 0; i < puts.length; i += 500) await scene.putAll(puts.slice(i, i + 500))
    expect(stream.bufferedCount).toBeLessThan(1_000)
    const { items, error } = await scene.doing(async () => {
      const read: ItemOf<typeof kvWatch>[] = []
      try {
        for await (const item of stream) read.push(item)
      } catch (reason) {
        return { items: read, error: reason }
      }
      return { items: read, error: undefined }
    })
    expect(error).toMatchObject({ code: 'slow_watcher', outcome: 'definite' })
    const through = items.at(-1)?.throughRevision ?? 0
    expect(keys(items)).toEqual(namesOf(puts).slice(0, keys(items).length))
    const rest = scene.collect(await scene.connect(scene.leader()), kvWatch, all(through + 1))
    await scene.run(2_000)
    expect([...keys(items), ...keys(rest.items)]).toEqual(namesOf(puts))
  })

  it('[SV7] goes on when its coordinator takes over a snapshot', async () => {
    const scene = await SimulatedCoordinators.ready({ snapshotEntries: 50 })
    const follower = scene.follower()
    const { items } = scene.collect(await scene.connect(follower), kvWatch, all())
    const puts = numbered(610)
    await scene.putAll(puts.slice(0, 10))
    await scene.run(200)
    scene.cutOff(follower)
    await scene.run(5_000)
    for (let i = 10; i < puts.length; i += 20) await scene.putAll(puts.slice(i, i + 20))
    scene.cutOff()
    await scene.until(() => keys(items).length === puts.length, 'all of them')
    expect(scene.machine(follower).logLines.some(line => line.includes('snapshot_installed'))).toBe(true)
    expect(keys(items)).toEqual(namesOf(puts))
  })

  it('[SV8] ends when its coordinator is cut off from the others', async () => {
    const scene = await SimulatedCoordinators.ready()
    const leader = scene.leader()
    const watches = new Map<NodeId, { readonly error?: unknown }>()
    for (const name of scene.names) watches.set(name, scene.collect(await scene.connect(name), kvWatch, all()))
    scene.cutOff(leader)
    await scene.run(10_000)
    expect(watches.get(leader)?.error).toMatchObject({ code: 'no_leader' })
    for (const name of scene.names) if (name !== leader) expect(watches.get(name)?.error).toBeUndefined()
    const refused = scene.collect(await scene.connect(leader), kvWatch, all())
    await scene.run(100)
    expect(refused.error).toMatchObject({ code: 'no_leader' })
    scene.cutOff()
    await scene.run(2_000)
    const served = scene.collect(await scene.connect(leader), kvWatch, all())
    await scene.run(100)
    expect(served.items).toHaveLength(1)
  })

  it('[SV8] ends with shutting_down when its coordinator stops in order', async () => {
    const scene = await SimulatedCoordinators.ready()
    const watch = scene.collect(await scene.connect(scene.follower()), kvWatch, all())
    await scene.run(100)
    scene.machine(scene.follower()).stop()
    await scene.run(3_000)
    expect(watch.error).toMatchObject({ code: 'shutting_down' })
  })
})
