// Real coordinator processes whose leader is killed or stopped: the others go on, and whoever comes back follows.
import { describe, expect, it } from 'vitest'
import { ChaosCluster, NAMES } from './cluster.ts'

const others = (name: string): readonly string[] => NAMES.filter(other => other !== name)

describe('three coordinators as processes', () => {
  it('[CO6] have a new leader soon after theirs was killed, again and again, and the killed one follows when it is back', async () => {
    await using cluster = await ChaosCluster.start()
    for (let round = 0; round < 4; round++) {
      const { node: leader, term } = await cluster.leadership()
      await cluster.kill(leader)
      await cluster.leadership(others(leader), term)
      await cluster.restart(leader)
      await cluster.leadership(NAMES, term)
    }
  })

  it('[CO6] go on after all were killed, in a later term and with the same founders', async () => {
    await using cluster = await ChaosCluster.start()
    const before = await cluster.leadership()
    await cluster.kill(...NAMES)
    await cluster.restart(...NAMES)
    const { voters } = await cluster.leadership(NAMES, before.term)
    expect(voters).toEqual(before.voters)
    await cluster.commitPast(before.commitIndex)
  })

  it('[CO6] depose a leader that is stopped, and it follows when it goes on', async () => {
    await using cluster = await ChaosCluster.start()
    const { node: leader, term } = await cluster.leadership()
    cluster.pause(leader)
    const successor = await cluster.leadership(others(leader), term)
    cluster.resume(leader)
    const again = await cluster.leadership(NAMES, term)
    // Whoever leads by then: processes that wait long for a busy machine may elect once more.
    expect(again.term).toBeGreaterThanOrEqual(successor.term)
  })

  it('[CO6] have no leader when two of them are gone', async () => {
    await using cluster = await ChaosCluster.start()
    const leader = await cluster.leader()
    await cluster.kill(...others(leader))
    await cluster.leaderless()
    expect((await cluster.statusOf(leader)).leader).toBeUndefined()
  })
})
