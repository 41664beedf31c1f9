// What other systems lost records by, each as it happened there, against our replicas. The invariants are checked at every
// step as in the torture; each story adds what it is about.
import * as broker from '@atoll/broker'
import { describe, expect, it } from 'vitest'
import type { SimulatedBroker } from './broker.ts'
import { type ClusterOptions, SimulatedCluster } from './cluster.ts'

const KEY = 'p0'

function begin(options: Partial<ClusterOptions> = {}): SimulatedCluster {
  const cluster = new SimulatedCluster({ module: broker, seed: 11, partitions: 1, ...options })
  expect(cluster.runUntil(() => cluster.checker.acknowledged > 20 && inSync(cluster) === cluster.brokers.length, 5_000)).toBe(true)
  return cluster
}

const inSync = (cluster: SimulatedCluster) => cluster.controller.partition(KEY).isr.length
const leaderOf = (cluster: SimulatedCluster) => cluster.leader(KEY) as SimulatedBroker

/** How many batches are acknowledged meanwhile. */
function acknowledgedIn(cluster: SimulatedCluster, ms: number): number {
  const before = cluster.checker.acknowledged
  cluster.runFor(ms)
  return cluster.checker.acknowledged - before
}

/** All is well again: everything is acknowledged, everybody in sync, consumers at the end, and nothing was violated. */
function ends(cluster: SimulatedCluster): void {
  cluster.network.heal()
  for (const started of cluster.brokers) {
    started.resume()
    started.unstick()
    started.syncMsMax = 3
    cluster.restart(started)
  }
  for (const producer of cluster.producers) producer.isStopped = true
  const end = () => cluster.checker.committedEnd(KEY)
  const isOver = cluster.runUntil(() => cluster.isSettled() && cluster.checker.position(KEY) === end(), 8_000)
  expect(cluster.violations).toEqual([])
  expect(isOver).toBe(true)
}

describe('incidents', () => {
  it('[RP7] [RP11] acknowledges nothing from an in-sync set of one, whose leader then dies (Kafka 0.8)', () => {
    const cluster = begin()
    const leader = leaderOf(cluster)
    const names = new Set<string>(cluster.brokers.map(({ node }) => node))
    cluster.network.cut((from, to) => names.has(from) && names.has(to) && (from === leader.node || to === leader.node))
    expect(cluster.runUntil(() => inSync(cluster) === 1, 3_000)).toBe(true)
    expect(acknowledgedIn(cluster, 1_000)).toBe(0)
    cluster.crash(leader)
    cluster.runFor(1_000)
    // Nobody but the dead one is known to have everything.
    expect(cluster.controller.partition(KEY).leader).toBeUndefined()
    ends(cluster)
  })

  it('[RP1] [RP2] loses nothing to a follower that restarts and leads before it heard of the high watermark (KIP-101, KIP-279)', () => {
    const cluster = begin()
    for (let round = 0; round < 12; round++) {
      expect(cluster.runUntil(() => cluster.leader(KEY) !== undefined, 3_000)).toBe(true)
      const leader = leaderOf(cluster)
      const heir = cluster.brokers.find(other => other !== leader && cluster.controller.partition(KEY).isr.includes(other.node))
      if (heir !== undefined) {
        cluster.crash(heir, 0)
        cluster.restart(heir)
      }
      cluster.runUntil(() => heir === undefined || cluster.controller.partition(KEY).isr.includes(heir.node), 1_500)
      cluster.crash(leader, 0)
      cluster.runFor(round % 3 === 0 ? 500 : 30)
      cluster.restart(leader)
    }
    ends(cluster)
  })

  it('[RP14] keeps what the last replica standing had acknowledged through its power loss (KIP-966)', () => {
    const cluster = begin({ minInSyncReplicas: 1 })
    const [first, second] = cluster.brokers.filter(other => other !== leaderOf(cluster))
    cluster.crash(first as SimulatedBroker)
    cluster.crash(second as SimulatedBroker)
    expect(cluster.runUntil(() => inSync(cluster) === 1, 3_000)).toBe(true)
    expect(acknowledgedIn(cluster, 500)).toBeGreaterThan(10)
    const last = leaderOf(cluster)
    cluster.crash(last, 0)
    cluster.restart(first as SimulatedBroker)
    cluster.restart(second as SimulatedBroker)
    expect(acknowledgedIn(cluster, 1_500)).toBe(0)
    cluster.restart(last)
    expect(cluster.runUntil(() => inSync(cluster) === 3, 4_000)).toBe(true)
    ends(cluster)
  })

  it('[RP27] has everything acknowledged after the power of all failed at once (NATS 7564)', () => {
    const cluster = begin()
    for (let round = 0; round < 5; round++) {
      expect(acknowledgedIn(cluster, 1_500)).toBeGreaterThan(5)
      for (const victim of cluster.brokers) cluster.crash(victim, 0)
      cluster.runFor(100)
      for (const victim of cluster.brokers) cluster.restart(victim)
      expect(cluster.runUntil(() => inSync(cluster) === 3, 5_000)).toBe(true)
    }
    ends(cluster)
  })

  it('[RP41] survives the first failover there is, and acknowledges again soon (Redis-Raft)', () => {
    const cluster = begin()
    cluster.crash(leaderOf(cluster))
    const before = cluster.checker.acknowledged
    expect(cluster.runUntil(() => cluster.checker.acknowledged > before + 5, 2_500)).toBe(true)
    ends(cluster)
  })

  it('[RP20] [RP21] appends nothing twice when leaders are paused and killed under retries (Redpanda 3039)', () => {
    const cluster = begin()
    for (let round = 0; round < 6; round++) {
      const leader = leaderOf(cluster)
      leader.pause()
      cluster.runFor(700)
      const next = leaderOf(cluster)
      if (round % 2 === 0) cluster.crash(next)
      leader.resume()
      cluster.runFor(500)
      cluster.restart(next)
      cluster.runFor(500)
    }
    expect(cluster.coverage.get('became_leader')).toBeGreaterThan(5)
    ends(cluster)
  })

  it('[RP40] does nothing remarkable while nothing is wrong (Bufstream 0.1.0)', () => {
    const cluster = begin()
    const before = new Map(cluster.coverage)
    expect(acknowledgedIn(cluster, 20_000)).toBeGreaterThan(1_000)
    const news = [...cluster.coverage].filter(([what, times]) => times !== before.get(what) && what !== 'refused: not_leader')
    expect(news).toEqual([])
    ends(cluster)
  })

  it('[RP31] moves away from a leader whose disk hangs while its heart beats (hashicorp/raft 503, LavinMQ 2151)', () => {
    const cluster = begin()
    const leader = leaderOf(cluster)
    leader.stick()
    expect(cluster.runUntil(() => leaderOf(cluster) !== leader, 1_500)).toBe(true)
    expect(cluster.runUntil(() => inSync(cluster) === 2, 3_000)).toBe(true)
    expect(acknowledgedIn(cluster, 1_000)).toBeGreaterThan(10)
    ends(cluster)
  })

  it('[RP8] [RP14] lets a broker with an empty disk in only after it has everything (TigerBeetle)', () => {
    const cluster = begin()
    for (let round = 0; round < 4; round++) {
      const victim = round % 2 === 0 ? leaderOf(cluster) : (cluster.brokers.find(other => other !== leaderOf(cluster)) as SimulatedBroker)
      victim.wipe()
      cluster.restart(victim)
      expect(cluster.runUntil(() => !victim.isWiped && inSync(cluster) === 3, 5_000)).toBe(true)
      expect(victim.logs.get(KEY)?.logEnd).toBeGreaterThan(0)
    }
    ends(cluster)
  })

  it('[RP9] goes on without a replica that became slow, and takes it back when it is well (TigerBeetle)', () => {
    const cluster = begin()
    const slow = cluster.brokers.find(other => other !== leaderOf(cluster)) as SimulatedBroker
    slow.stick()
    expect(cluster.runUntil(() => inSync(cluster) === 2, 1_500)).toBe(true)
    expect(acknowledgedIn(cluster, 1_000)).toBeGreaterThan(20)
    slow.unstick()
    expect(cluster.runUntil(() => inSync(cluster) === 3, 3_000)).toBe(true)
    ends(cluster)
  })

  it('[RP40] shows consumers everything after hours of kills (Redpanda 21.11.2)', () => {
    const cluster = begin({ brokers: 4 })
    for (let round = 0; round < 40; round++) {
      const victim = cluster.brokers[round % cluster.brokers.length] as SimulatedBroker
      cluster.crash(victim)
      cluster.runFor(60 + ((round * 97) % 500))
      cluster.restart(victim)
      cluster.runFor(100)
    }
    ends(cluster)
  })
})
