// What goes wrong, one row each. A fault begins, and returns how it ends; its duration is drawn by whoever fires it.

import type { SimulatedCluster } from './cluster.ts'
import { goodLinks } from './network.ts'
import type { Operator } from './operator.ts'
import { fastDisk, type SimulatedServer } from './server.ts'
import { topologies } from './topologies.ts'

interface Scene {
  readonly cluster: SimulatedCluster
  readonly operator: Operator
}

/** Undefined: it could not be fired now. */
type Fault = (scene: Scene) => (() => void) | undefined

const nothing = () => undefined
const pick = (cluster: SimulatedCluster): SimulatedServer => cluster.all[cluster.random.below(cluster.all.length)] as SimulatedServer
const leaderOr = (cluster: SimulatedCluster): SimulatedServer => cluster.leader ?? pick(cluster)

function crashing(choose: (cluster: SimulatedCluster) => readonly SimulatedServer[]): Fault {
  return ({ cluster }) => {
    const victims = choose(cluster)
    const told = cluster.random.float() < 0.5
    for (const victim of victims) {
      cluster.crash(victim)
      if (told) cluster.refuse(victim)
    }
    return () => victims.forEach(victim => cluster.restart(victim))
  }
}

function cutting(topology: string): Fault {
  return ({ cluster }) => {
    const names = cluster.all.map(({ name }) => name)
    const isCut = topologies[topology]?.(names, cluster.random, leaderOr(cluster).name)
    cluster.network.cut(isCut ?? (() => false))
    return () => cluster.network.heal()
  }
}

/** A server that lost something may be rebuilt only from others that lost nothing. */
function impairing(impair: (scene: Scene, victim: SimulatedServer) => void): Fault {
  return scene => {
    const { cluster, operator } = scene
    const voters = cluster.leader?.raft?.status.configuration.voters ?? []
    const member = voters[cluster.random.below(Math.max(1, voters.length))]
    if (operator.impaired.size > 0 || !operator.settled() || voters.length < 3 || member === undefined) return undefined
    const victim = cluster.server(member.node)
    operator.impaired.add(victim.name)
    impair(scene, victim)
    return () => cluster.restart(victim)
  }
}

export const faults: Readonly<Record<string, Fault>> = {
  crash: crashing(cluster => [pick(cluster)]),
  crash_leader: crashing(cluster => [leaderOr(cluster)]),
  crash_all: crashing(cluster => cluster.all),
  crash_two: crashing(cluster => [pick(cluster), leaderOr(cluster)]),
  pause({ cluster }) {
    const victim = pick(cluster)
    victim.pause()
    return () => victim.resume()
  },
  pause_leader({ cluster }) {
    const victim = leaderOr(cluster)
    victim.pause()
    return () => victim.resume()
  },
  slow_disks({ cluster }) {
    for (const server of cluster.all)
      server.speed = { msMin: 1, msMax: 5 + cluster.random.float() * 60, reportMsMax: cluster.random.float() * 20 }
    return () => cluster.all.forEach(server => (server.speed = fastDisk))
  },
  stuck_disk({ cluster }) {
    const victim = cluster.random.float() < 0.6 ? leaderOr(cluster) : pick(cluster)
    victim.stuck = true
    return () => victim.unstick()
  },
  full_disk({ cluster }) {
    const victim = cluster.random.float() < 0.6 ? leaderOr(cluster) : pick(cluster)
    victim.stuck = true
    victim.input({ kind: 'disk_full', full: true })
    return () => {
      victim.unstick()
      victim.input({ kind: 'disk_full', full: false })
    }
  },
  bad_links({ cluster }) {
    const { random } = cluster
    const quality = { loss: random.float() * 0.2, duplication: random.float() * 0.2, late: random.float() * 0.2 }
    cluster.network.quality = { ...quality, delayMsMin: 0.2, delayMsMax: 1 + random.float() * 30, lateMsMax: 50 + random.float() * 400 }
    return () => (cluster.network.quality = goodLinks)
  },
  ...Object.fromEntries(Object.keys(topologies).map(name => [name, cutting(name)])),
  /** One link after another goes, then they come back in another order (FoundationDB's swizzle). */
  swizzle({ cluster }) {
    const cut = new Set<string>()
    cluster.network.cut((from, to) => cut.has(from) || cut.has(to))
    const names = cluster.all.map(({ name }) => name)
    names.forEach((name, place) => {
      cluster.later(place * 60, () => cut.add(name))
      cluster.later(names.length * 60 + cluster.random.float() * 400, () => cut.delete(name))
    })
    return () => cluster.network.heal()
  },
  transfer({ cluster }) {
    cluster.leader?.input({ kind: 'transfer', to: cluster.random.float() < 0.5 ? undefined : pick(cluster).name })
    return nothing
  },
  /** Two servers are told of a death that did not happen. */
  false_alarm({ cluster }) {
    const { leader } = cluster
    if (leader === undefined) return undefined
    for (const server of [pick(cluster), pick(cluster)]) server.input({ kind: 'leader_gone', leader: leader.name })
    return nothing
  },
  remove_member({ cluster, operator }) {
    operator.unwanted = pick(cluster).name
    return nothing
  },
  remove_leader({ cluster, operator }) {
    operator.unwanted = leaderOr(cluster).name
    return nothing
  },
  resize({ cluster, operator }) {
    operator.target = 2 + cluster.random.below(cluster.all.length - 1)
    return nothing
  },
  /** Everybody's log is cut short: whoever lags needs a snapshot, and the next one soon after. */
  compact({ cluster }) {
    for (const server of cluster.all) {
      server.keepBehind = 0
      server.compact()
    }
    return nothing
  },
  crash_in_snapshot({ cluster }) {
    cluster.failAt = () => cluster.random.float() < 0.1
    return () => (cluster.failAt = () => false)
  },
  wipe: impairing(({ cluster }, victim) => cluster.wipe(victim)),
  damage: impairing(({ cluster }, victim) => cluster.damage(victim)),
}
