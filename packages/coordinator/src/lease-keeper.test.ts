// Leases on the clock of a real leader.
import { nodeId, silentLogger } from '@atoll/base'
import { kvGet, kvPut, type LeaseId, leaseGrant, leaseKeepAlive, leaseRead, ProtocolError } from '@atoll/protocol'
import { describe, expect, it } from 'vitest'
import { LeaseKeeper } from './lease-keeper.ts'
import { never, put, SimulatedCoordinators } from './simulated-coordinators.ts'

/** A lease with a key. */
async function leased(scene: SimulatedCoordinators, ttlMs: number): Promise<LeaseId> {
  const { lease } = await scene.ask(scene.leader(), leaseGrant, { ...never, ttlMs })
  await scene.ask(scene.leader(), kvPut, put('leased', 'x', lease))
  return lease
}

const isThere = async (scene: SimulatedCoordinators, name = scene.leader()): Promise<boolean> => {
  const { entry } = await scene.ask(name, kvGet, { key: 'leased', revision: 0 as never, consistency: 'linearizable' })
  return entry !== undefined
}

describe('a lease', () => {
  it('[SV13] ends a term after the last sign of life, with all that hangs on it', async () => {
    const scene = await SimulatedCoordinators.ready()
    const lease = await leased(scene, 1_000)
    for (let i = 0; i < 4; i++) {
      await scene.run(600)
      expect(await scene.ask(scene.leader(), leaseKeepAlive, { leases: [lease, 999_999 as LeaseId] })).toEqual({ ttlMs: [1_000, 0] })
    }
    expect(await scene.ask(scene.leader(), leaseRead, { lease })).toMatchObject({ ttlMs: 1_000, keys: 1, session: false })
    await scene.run(800)
    expect(await isThere(scene)).toBe(true)
    await scene.run(400)
    expect(await isThere(scene)).toBe(false)
    expect(await scene.ask(scene.leader(), leaseKeepAlive, { leases: [lease] })).toEqual({ ttlMs: [0] })
    await expect(scene.ask(scene.leader(), leaseRead, { lease })).rejects.toMatchObject({ code: 'lease_not_found' })
  })

  it('[SV13] ends also when the first proposal of its end was lost sight of', async () => {
    const { simulation } = new SimulatedCoordinators()
    const ended: (readonly LeaseId[])[] = []
    const lease = { lease: 7 as LeaseId, ttlMs: 200, session: false }
    const state = { leases: new Map([[lease.lease, lease]]), weightOf: () => 1 }
    const replica = {
      isLeader: true,
      state,
      listen: () => {},
      propose: async ({ leases }: { readonly leases: readonly LeaseId[] }) => {
        ended.push(leases)
        if (ended.length === 1) throw new ProtocolError('request_timed_out')
        state.leases.clear()
      },
    }
    simulation.addNode(nodeId('keeper')).start(async ({ clock }) => {
      const keeper = new LeaseKeeper(replica as never, clock, () => silentLogger)
      keeper.happened({ kind: 'became_leader', term: 1 as never, votes: 2 })
      keeper.applied(undefined, 1)
    })
    await simulation.run({ untilMs: 2_000 })
    expect(ended).toEqual([[7], [7]])
  })

  it('[SV14] is kept alive by the leader alone', async () => {
    const scene = await SimulatedCoordinators.ready()
    const lease = await leased(scene, 60_000)
    await expect(scene.ask(scene.follower(), leaseKeepAlive, { leases: [lease] })).rejects.toMatchObject({ code: 'not_leader' })
    const old = scene.leader()
    const session = await scene.connect(old)
    scene.cutOff(old)
    // It still believes that it leads.
    expect(scene.running.get(old)?.agreement.driver?.isLeader).toBe(true)
    const kept = scene.begin(() => session.request(leaseKeepAlive, { leases: [lease] }, { timeoutMs: 5_000 }))
    await scene.until(() => kept.settled, 'an answer')
    expect(kept.error).toMatchObject({ name: 'ProtocolError' })
  })

  it('[SV15] gets a full term from a new leader', async () => {
    const scene = await SimulatedCoordinators.ready()
    await leased(scene, 4_000)
    await scene.run(3_000)
    scene.crash(scene.leader())
    await scene.run(3_000)
    expect(await isThere(scene)).toBe(true)
    await scene.run(4_000)
    expect(await isThere(scene)).toBe(false)
  })

  it('[SV16] does not lose the time in which its leader stood still', async () => {
    const scene = await SimulatedCoordinators.ready()
    const leader = scene.leader()
    const { term } = scene.running.get(leader)?.agreement.driver?.status ?? {}
    const session = await scene.connect(leader)
    const lease = await leased(scene, 200)
    scene.machine(leader).pause()
    // Sent in time, and not read before its term would be over. The pause is too short for another one to lead.
    await scene.run(100)
    const kept = scene.begin(() => session.request(leaseKeepAlive, { leases: [lease] }))
    await scene.run(120)
    scene.machine(leader).resume()
    await scene.until(() => kept.settled, 'an answer')
    expect(kept.value).toEqual({ ttlMs: [200] })
    expect(scene.running.get(scene.leader())?.agreement.driver?.status.term).toBe(term)
    await scene.run(500)
    expect(await isThere(scene)).toBe(false)
  })

  it('[SV14] B20: nothing stale is read at a leader that was paused while another one led', async () => {
    const scene = await SimulatedCoordinators.ready()
    const old = scene.leader()
    await scene.ask(old, kvPut, put('leased', 'old'))
    const session = await scene.connect(old)
    const get = { key: 'leased', revision: 0 as never, consistency: 'linearizable' as const }
    scene.machine(old).pause()
    scene.running.delete(old)
    const reads = Array.from({ length: 5 }, () => scene.begin(() => session.request(kvGet, get, { timeoutMs: 9_000 })))
    await scene.run(3_000)
    const { revision } = await scene.ask(scene.leader(), kvPut, put('leased', 'new'))
    scene.machine(old).resume()
    reads.push(...Array.from({ length: 5 }, () => scene.begin(() => session.request(kvGet, get, { timeoutMs: 9_000 }))))
    await scene.until(() => reads.every(({ settled }) => settled), 'all answers')
    for (const { value, error } of reads) if (error === undefined) expect(value?.entry?.modRevision).toBe(revision)
  })
})
