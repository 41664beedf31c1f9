// Coordinators as processes under load, broken one way after the other: no acknowledged change is lost, no answer is stale,
// no call hangs, and work goes on as soon as a majority can.
import { AtollError } from '@atoll/client/core'
import { describe, expect, it } from 'vitest'
import { ChaosCluster, NAMES } from './cluster.ts'
import { CALL_TIMEOUT_MS, Workload } from './workload.ts'

const others = (name: string): readonly string[] => NAMES.filter(other => other !== name)

/** A cluster under load; the story is told on both, then judged. */
async function under(story: (cluster: ChaosCluster, load: Workload) => Promise<void>): Promise<void> {
  await using cluster = await ChaosCluster.start()
  const load = await new Workload(cluster).start()
  await story(cluster, load)
  expect(await load.verdict()).toEqual([])
}

describe('nothing', () => {
  it('[CO4] B17: goes wrong when nothing is broken, either', () =>
    under(async (_cluster, load) => {
      await load.progress()
      await load.runFor(1_000)
      expect([...load.errors]).toEqual([])
    }))
})

describe('processes that die', () => {
  it('[CO4] B9 and B13: lose nothing when one after the other is killed and comes back, the leader among them', () =>
    under(async (cluster, load) => {
      for (const name of NAMES) {
        await cluster.kill(name)
        await load.progress()
        await cluster.restart(name)
        await load.progress()
      }
      for (let round = 0; round < 3; round++) {
        const leader = await cluster.leader()
        await cluster.kill(leader)
        await load.progress()
        await cluster.restart(leader)
        await load.progress()
      }
    }))

  it('[CO4] [CO6] refuse every call in time when two of three are gone, and go on when one is back', () =>
    under(async (cluster, load) => {
      const leader = await cluster.leader()
      await cluster.kill(...others(leader))
      const client = await cluster.client('in-vain')
      for (const act of [
        () => client.kv.put('vain', '1', { timeoutMs: CALL_TIMEOUT_MS }),
        () => client.kv.get('vain', { timeoutMs: CALL_TIMEOUT_MS }),
      ]) {
        const refused = await act().catch((error: unknown) => error)
        expect(refused).toBeInstanceOf(AtollError)
        expect(['no_leader', 'not_leader', 'leadership_lost', 'request_timed_out', 'not_connected']).toContain((refused as AtollError).code)
      }
      await cluster.restart(others(leader)[0] as string)
      await load.progress()
      await cluster.restart(others(leader)[1] as string)
    }))

  it('[CO4] [CO6] hold everything acknowledged after all were killed at once', () =>
    under(async (cluster, load) => {
      for (let round = 0; round < 2; round++) {
        await cluster.kill(...NAMES)
        await cluster.restart(...NAMES)
        await load.progress()
      }
    }))
})

describe('processes that stand still', () => {
  it('[CO4] B20: a leader stopped past every timeout answers nothing stale when it goes on', () =>
    under(async (cluster, load) => {
      for (let round = 0; round < 2; round++) {
        const leader = await cluster.leader()
        cluster.pause(leader)
        await cluster.leader(others(leader))
        await load.progress()
        cluster.resume(leader)
        await load.progress()
        await cluster.leader()
      }
    }))

  it('[CO4] B6: pauses of one pair after the other, with a kill between, leave one history', () =>
    under(async (cluster, load) => {
      for (const [first, second, third] of [NAMES, [NAMES[1], NAMES[2], NAMES[0]]] as (readonly [string, string, string])[]) {
        cluster.pause(first)
        await load.progress()
        await cluster.kill(second)
        cluster.resume(first)
        await load.progress()
        cluster.pause(third)
        await cluster.restart(second)
        await load.progress()
        cluster.resume(third)
        await load.progress()
      }
    }))
})

describe('a slow one', () => {
  it('[CO4] B29: a follower that stands still does not slow the others down', () =>
    under(async (cluster, load) => {
      const leader = await cluster.leader()
      const client = await cluster.client('stopwatch')
      const median = async (): Promise<number> => {
        const spentMs: number[] = []
        for (let put = 0; put < 100; put++) {
          const startMs = performance.now()
          await client.kv.put('stopwatch', String(put))
          spentMs.push(performance.now() - startMs)
        }
        return spentMs.toSorted((a, b) => a - b)[50] as number
      }
      const before = await median()
      cluster.pause(others(leader)[0] as string)
      // Twice as long is this machine's business; a timeout in the way of each put would be ours.
      expect(await median()).toBeLessThan(2 * before + 20)
      cluster.resume(others(leader)[0] as string)
      await load.progress()
    }))
})

describe('links that are cut', () => {
  it('[CO4] a leader that hears nobody, or that nobody hears, makes way', () =>
    under(async (cluster, load) => {
      for (const deaf of [true, false]) {
        const leader = await cluster.leader()
        await cluster.cut(...others(leader).map((other): readonly [string, string] => (deaf ? [other, leader] : [leader, other])))
        await load.progress()
        expect(await cluster.leader(others(leader))).not.toBe(leader)
        await cluster.cut()
        await load.progress()
      }
    }))

  it('[CO4] B11: a leader that is cut off on both sides adds nothing of its own', () =>
    under(async (cluster, load) => {
      const leader = await cluster.leader()
      await cluster.cut(...others(leader).flatMap(other => [[other, leader] as const, [leader, other] as const]))
      await cluster.leader(others(leader))
      await load.progress()
      await cluster.cut()
      await load.progress()
    }))

  it('[CO4] B27: with one link gone, a leader stays', () =>
    under(async (cluster, load) => {
      const leader = await cluster.leader()
      const [other] = others(leader) as [string]
      await cluster.cut([leader, other], [other, leader])
      await load.progress()
      const { term } = await cluster.statusOf(leader)
      await load.runFor(3_000)
      expect((await cluster.statusOf(leader)).term - term).toBeLessThanOrEqual(1)
      await load.progress()
      await cluster.cut()
    }))
})
