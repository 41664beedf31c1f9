// Short stories with a known end, each from a bug that other systems had. They return what went wrong, so that the same
// stories show planted bugs.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ClusterOptions, type RaftModule, SimulatedCluster } from './cluster.ts'
import { rerun } from './script.ts'
import type { SimulatedServer } from './server.ts'
import { topologies } from './topologies.ts'

type Scenario = (module: RaftModule) => readonly string[]

/** From any trouble to the next acknowledged write, in milliseconds: two election timeouts, and one more split vote. */
const FAILOVER_MS = 2_500

/** A cluster with a leader and some history. */
function established(module: RaftModule, voters: number, options: Partial<ClusterOptions> = {}): SimulatedCluster {
  const cluster = new SimulatedCluster({ module, seed: 11, voters, ...options }).startAll()
  cluster.runUntil(() => cluster.leader !== undefined, 2_000)
  busy(cluster, 500)
  return cluster
}

/** Clients write and read at whoever leads, for a while. */
function busy(cluster: SimulatedCluster, ms: number): void {
  for (let passed = 0; passed < ms && cluster.violations.length === 0; passed += 20) {
    cluster.write(cluster.leader)
    cluster.read(cluster.all[(passed / 20) % cluster.all.length])
    cluster.runFor(20)
  }
}

/** Writes until one is acknowledged. */
function mustAcknowledge(cluster: SimulatedCluster, why: string, withinMs = FAILOVER_MS): void {
  const before = cluster.acknowledged
  for (let passed = 0; passed < withinMs && cluster.acknowledged === before && cluster.violations.length === 0; passed += 20) {
    for (const server of cluster.all) if (server.raft?.isLeader && !server.isPaused) cluster.write(server)
    cluster.runFor(20)
  }
  if (cluster.acknowledged === before) cluster.checker.violated('the cluster', `acknowledges nothing ${why}`)
}

function mustCatchUp(cluster: SimulatedCluster, servers: readonly SimulatedServer[], withinMs = 3_000): void {
  const goal = cluster.checker.committed.index
  if (cluster.runUntil(() => servers.every(({ machine }) => machine.index >= goal), withinMs)) return
  for (const { name, machine } of servers) if (machine.index < goal) cluster.checker.violated(name, `stays at ${machine.index} of ${goal}`)
}

const leaderOf = (cluster: SimulatedCluster): SimulatedServer => {
  cluster.runUntil(() => cluster.leader !== undefined, FAILOVER_MS)
  const { leader } = cluster
  if (leader === undefined) throw new Error(`no leader at ${cluster.now} ms`)
  return leader
}
const followersOf = (cluster: SimulatedCluster) => cluster.all.filter(server => server !== cluster.leader)

/** B6 (NATS 7567): two are paused while a third loses what it had not synced; later another pair is. Nobody may disagree. */
export const pausesAndPowerLoss: Scenario = module => {
  for (const voters of [3, 5]) {
    const cluster = established(module, voters)
    for (let round = 0; round < 4; round++) {
      const [first, second, third] = [0, 1, 2].map(place => cluster.all[(round + place) % voters] as SimulatedServer)
      if (first === undefined || second === undefined || third === undefined) throw new Error('three servers at least')
      first.pause()
      busy(cluster, 300)
      cluster.crash(second, 0)
      busy(cluster, 300)
      first.resume()
      third.pause()
      cluster.restart(second)
      busy(cluster, 1_500)
      third.resume()
      mustAcknowledge(cluster, 'after pauses and a power loss')
    }
    mustCatchUp(cluster, cluster.all)
    if (cluster.violations.length > 0) return cluster.violations
  }
  return []
}

/** B8 (NATS 7556): one server's snapshot and log are gone, its vote is not. Nobody deletes anything for that; it is refilled. */
export const damagedSnapshot: Scenario = module => {
  const cluster = established(module, 3)
  for (const server of cluster.all) server.compact()
  const victim = followersOf(cluster)[0] as SimulatedServer
  cluster.crash(victim, 1)
  const { recordedEnd, hardState } = victim.disk
  cluster.wipe(victim)
  victim.diskId = cluster.configurationMember(victim.name).disk
  victim.disk.hardState = hardState
  victim.disk.recordedEnd = recordedEnd
  cluster.restart(victim)
  busy(cluster, 1_000)
  mustCatchUp(cluster, cluster.all)
  if (victim.raft?.status.damaged !== false) cluster.checker.violated(victim.name, 'is not repaired')
  return cluster.violations
}

/** B10 (NATS 7545, RedisRaft 17): servers come and go while links are cut and processes killed. */
export const changesUnderFire: Scenario = module => {
  const cluster = established(module, 3, { spares: 1 })
  for (let round = 0; round < 6; round++) {
    const [, , , spare] = cluster.all
    if (spare === undefined) throw new Error('there is a spare')
    cluster.change(cluster.leader, { kind: 'add_learner', member: spare.member })
    cluster.crash(leaderOf(cluster))
    mustAcknowledge(cluster, 'after a crash during a change')
    cluster.all.forEach(server => cluster.restart(server))
    cluster.change(cluster.leader, { kind: 'promote', node: spare.name })
    cluster.network.cut((from, to) => (from === cluster.all[round % 4]?.name) !== (to === cluster.all[round % 4]?.name))
    busy(cluster, 1_000)
    cluster.network.heal()
    mustAcknowledge(cluster, 'after a cut during a change')
    cluster.change(cluster.leader, { kind: 'remove', node: spare.name })
    busy(cluster, 300)
  }
  return cluster.violations
}

/** B11 (RedisRaft 28, 44): the old leader, paused or cut off, wakes up beside the new one. */
export const twoLeaders: Scenario = module => {
  const cluster = established(module, 5)
  for (let round = 0; round < 4; round++) {
    const old = leaderOf(cluster)
    if (round % 2 === 0) old.pause()
    else cluster.network.cut((from, to) => from === old.name || to === old.name)
    for (let step = 0; step < 100; step++) {
      cluster.write(old)
      cluster.read(old)
      for (const server of cluster.all) if (server.raft?.isLeader) cluster.write(server)
      cluster.runFor(20)
    }
    old.resume()
    cluster.network.heal()
    mustAcknowledge(cluster, 'after the old leader came back')
  }
  mustCatchUp(cluster, cluster.all)
  return cluster.violations
}

/** B12 (RedisRaft 43): a crash at each step of taking and of installing a snapshot. */
export const crashesInSnapshots: Scenario = module => {
  for (const point of ['snapshot_taken', 'log_discarded', 'chunk_kept', 'install_queued', 'install_durable'] as const) {
    const cluster = established(module, 3, { settings: { snapshotChunkBytes: 40 } })
    const victim = followersOf(cluster)[0] as SimulatedServer
    let crashes = 0
    cluster.failAt = (server, passed) => server === victim && passed === point && crashes++ < 2
    cluster.crash(victim, 1)
    busy(cluster, 400)
    for (const server of cluster.all) {
      server.snapshotEvery = 10
      server.compact()
    }
    cluster.restart(victim)
    busy(cluster, 3_000)
    if (crashes === 0) cluster.checker.violated(victim.name, `never came to ${point}`)
    mustCatchUp(cluster, cluster.all)
    if (cluster.violations.length > 0) return cluster.violations
  }
  return []
}

/** B20 (etcd 20418): a leader is stopped with reads under way, and asked again when it continues. */
export const pausedReader: Scenario = module => {
  const cluster = established(module, 3)
  for (let round = 0; round < 6; round++) {
    const old = leaderOf(cluster)
    cluster.read(old)
    cluster.runFor(0.1)
    old.pause()
    cluster.runUntil(() => cluster.leader !== undefined, FAILOVER_MS)
    busy(cluster, 200)
    cluster.network.cut((from, to) => from === old.name || to === old.name)
    for (let tries = 0; tries < 5; tries++) cluster.read(old)
    old.resume()
    for (let tries = 0; tries < 20; tries++) {
      cluster.read(old)
      cluster.write(cluster.leader)
      cluster.runFor(10)
    }
    cluster.network.heal()
    mustAcknowledge(cluster, 'after a paused reader')
  }
  return cluster.violations
}

/** B25 (etcd 18055): a follower cut off until it needs a snapshot, and again before it is done with it. */
export const twoSnapshots: Scenario = module => {
  const cluster = established(module, 3, { settings: { snapshotChunkBytes: 16, snapshotChunksInflightMax: 1 } })
  const victim = followersOf(cluster)[0] as SimulatedServer
  victim.speed = { msMin: 20, msMax: 60, reportMsMax: 30 }
  for (let round = 0; round < 5; round++) {
    cluster.network.cut((from, to) => from === victim.name || to === victim.name)
    busy(cluster, 200)
    followersOf(cluster)
      .concat(leaderOf(cluster))
      .forEach(server => server !== victim && server.compact())
    cluster.network.heal()
    busy(cluster, 60)
    leaderOf(cluster).compact()
    busy(cluster, 60)
  }
  mustCatchUp(cluster, cluster.all)
  if ((cluster.coverage.get('install_durable') ?? 0) < 2) cluster.checker.violated(victim.name, 'was not sent two snapshots')
  return cluster.violations
}

/** B26: the leader's disk hangs, or is full, while its heartbeats go on. */
export const zombieLeader: Scenario = module => {
  for (const how of ['stuck', 'full'] as const) {
    const cluster = established(module, 3)
    const zombie = leaderOf(cluster)
    zombie.stuck = true
    if (how === 'full') zombie.input({ kind: 'disk_full', full: true })
    cluster.write(zombie)
    cluster.runFor(how === 'full' ? 1_000 : cluster.settings.diskStuckMs + 1_000)
    if (zombie.raft?.isLeader) cluster.checker.violated(zombie.name, `leads with a disk that is ${how}`)
    mustAcknowledge(cluster, `with the old leader's disk ${how}`)
    zombie.unstick()
    zombie.input({ kind: 'disk_full', full: false })
    mustCatchUp(cluster, cluster.all)
    if (cluster.violations.length > 0) return cluster.violations
  }
  return []
}

/** B27 (Cloudflare 2020): whoever still has a majority leads, and then stays. */
export const partialPartitions: Scenario = module => {
  for (const name of ['leader_deaf', 'leader_mute', 'bridge', 'chain', 'ring', 'star'] as const) {
    for (const voters of [3, 4, 5]) {
      // In a longer chain nobody has a majority beside itself.
      if (name === 'chain' && voters > 4) continue
      const cluster = established(module, voters)
      const isCut = topologies[name]?.(
        cluster.all.map(server => server.name as string),
        cluster.random,
        leaderOf(cluster).name,
      )
      cluster.network.cut(isCut ?? (() => false))
      cluster.runFor(1_500)
      mustAcknowledge(cluster, `in a ${name} of ${voters}`, 5_000)
      const elected = cluster.checker.leadersElected
      busy(cluster, 5_000)
      if (cluster.checker.leadersElected > elected + 1)
        cluster.checker.violated('the cluster', `changes its leader again and again in a ${name} of ${voters}`)
      if (cluster.violations.length > 0) return cluster.violations
    }
  }
  return []
}

/** B28 (TigerBeetle, Jepsen): a voter's directory is deleted. Its old identity has to be replaced. */
export const wipedVoter: Scenario = module => {
  const cluster = established(module, 3)
  const victim = followersOf(cluster)[0] as SimulatedServer
  cluster.wipe(victim)
  cluster.restart(victim)
  busy(cluster, 500)
  if ((victim.raft?.commit ?? 0) > 0) cluster.checker.violated(victim.name, 'follows under an identity that is gone')
  cluster.change(cluster.leader, { kind: 'remove', node: victim.name })
  busy(cluster, 200)
  cluster.change(cluster.leader, { kind: 'add_learner', member: victim.member })
  busy(cluster, 200)
  cluster.change(cluster.leader, { kind: 'promote', node: victim.name })
  busy(cluster, 200)
  cluster.crash(followersOf(cluster).find(server => server !== victim) as SimulatedServer)
  mustAcknowledge(cluster, 'with the replaced voter')
  return cluster.violations
}

/** A server in a later term, unable to win, while the others have a leader: it must find its way back. */
export const stuckInLaterTerm: Scenario = module => {
  const cluster = established(module, 3)
  const leader = leaderOf(cluster)
  const victim = followersOf(cluster)[0] as SimulatedServer
  cluster.network.cut(from => from === victim.name)
  leader.input({ kind: 'transfer', to: victim.name })
  cluster.runFor(100)
  cluster.network.cut((from, to) => from === victim.name || to === victim.name)
  cluster.runFor(1_000)
  busy(cluster, 500)
  cluster.network.heal()
  busy(cluster, 1_500)
  mustCatchUp(cluster, [victim])
  return cluster.violations
}

/** The last entry of a cluster of two removes its leader, and is only on the leader's disk. */
export const removalLeftOpen: Scenario = module => {
  const cluster = established(module, 2)
  const leader = leaderOf(cluster)
  cluster.network.cut(() => true)
  cluster.change(leader, { kind: 'remove', node: leader.name })
  cluster.runFor(2_000)
  cluster.network.heal()
  mustAcknowledge(cluster, 'while a removal is open')
  return cluster.violations
}

const scripts = join(import.meta.dirname, 'scripts')
const scripted = readdirSync(scripts)
  .filter(name => name.endsWith('.txt'))
  .map((name): [string, Scenario] => [name, module => rerun(module, readFileSync(join(scripts, name), 'utf8')).violations])

export const scenarios: Readonly<Record<string, Scenario>> = {
  ...Object.fromEntries(scripted),
  pausesAndPowerLoss,
  damagedSnapshot,
  changesUnderFire,
  twoLeaders,
  crashesInSnapshots,
  pausedReader,
  twoSnapshots,
  zombieLeader,
  partialPartitions,
  wipedVoter,
  stuckInLaterTerm,
  removalLeftOpen,
}
