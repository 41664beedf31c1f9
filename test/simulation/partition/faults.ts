// What goes wrong, one row each. A fault begins, and returns how it ends; its duration is drawn by whoever fires it.
import type { NodeId } from '@atoll/base'
import type { Offset } from '@atoll/records'
import type { SimulatedBroker } from './broker.ts'
import type { SimulatedCluster } from './cluster.ts'
import { goodLinks } from './network.ts'

/** Undefined: it could not be fired now. */
type Fault = (cluster: SimulatedCluster) => (() => void) | undefined

const nothing = () => undefined
const pick = ({ brokers, random }: SimulatedCluster): SimulatedBroker => brokers[random.below(brokers.length)] as SimulatedBroker
const pickKey = ({ controller, random }: SimulatedCluster): string => controller.keys[random.below(controller.keys.length)] as string
const leaderOr = (cluster: SimulatedCluster): SimulatedBroker => cluster.leader(pickKey(cluster)) ?? pick(cluster)

function crashing(choose: (cluster: SimulatedCluster) => readonly SimulatedBroker[]): Fault {
  return cluster => {
    const victims = choose(cluster)
    for (const victim of victims) cluster.crash(victim)
    return () => victims.forEach(victim => cluster.restart(victim))
  }
}

export const faults: Readonly<Record<string, Fault>> = {
  crash: crashing(cluster => [pick(cluster)]),
  crash_leader: crashing(cluster => [leaderOr(cluster)]),
  crash_two: crashing(cluster => [pick(cluster), leaderOr(cluster)]),
  crash_all: crashing(cluster => cluster.brokers),
  /** Back before anybody noticed. */
  fast_restart(cluster) {
    const victim = leaderOr(cluster)
    cluster.crash(victim)
    cluster.restart(victim)
    return nothing
  },
  fast_restart_follower(cluster) {
    const victim = pick(cluster)
    cluster.crash(victim)
    cluster.later(cluster.random.float() * 30, () => cluster.restart(victim))
    return nothing
  },
  pause(cluster) {
    const victim = pick(cluster)
    victim.pause()
    return () => victim.resume()
  },
  pause_leader(cluster) {
    const victim = leaderOr(cluster)
    victim.pause()
    return () => victim.resume()
  },
  /** Cut off from the other brokers, but not from the controller. */
  cut_from_brokers(cluster) {
    const { node } = leaderOr(cluster)
    const names = new Set<string>(cluster.brokers.map(broker => broker.node))
    cluster.network.cut((from, to) => (from === node && names.has(to)) || (to === node && names.has(from)))
    return () => cluster.network.heal()
  },
  /** Cut off from the controller, but not from clients and brokers. */
  cut_from_controller(cluster) {
    const { node } = leaderOr(cluster)
    cluster.network.cut((from, to) => (from === node && to === 'controller') || (from === 'controller' && to === node))
    return () => cluster.network.heal()
  },
  isolate(cluster) {
    const { node } = leaderOr(cluster)
    cluster.network.cut((from, to) => from === node || to === node)
    return () => cluster.network.heal()
  },
  one_way(cluster) {
    const { node } = pick(cluster)
    cluster.network.cut(from => from === node)
    return () => cluster.network.heal()
  },
  bad_links(cluster) {
    const { random } = cluster
    const quality = { loss: random.float() * 0.2, duplication: random.float() * 0.2, late: random.float() * 0.2 }
    cluster.network.quality = { ...quality, delayMsMax: 1 + random.float() * 20, lateMsMax: 50 + random.float() * 900 }
    return () => (cluster.network.quality = goodLinks)
  },
  slow_disk(cluster) {
    const victim = cluster.random.float() < 0.5 ? leaderOr(cluster) : pick(cluster)
    victim.syncMsMax = 20 + cluster.random.float() * 200
    return () => (victim.syncMsMax = 3)
  },
  stuck_disk(cluster) {
    const victim = cluster.random.float() < 0.6 ? leaderOr(cluster) : pick(cluster)
    victim.stick()
    return () => victim.unstick()
  },
  full_disk(cluster) {
    const victim = cluster.random.float() < 0.6 ? leaderOr(cluster) : pick(cluster)
    for (const log of victim.logs.values()) log.full = true
    return () => {
      for (const log of victim.logs.values()) log.full = false
    }
  },
  move_leader(cluster) {
    cluster.controller.moveLeader(pickKey(cluster), pick(cluster).node as NodeId)
    return nothing
  },
  /** Leaders that change faster than anybody can catch up (KIP-279). */
  election_storm(cluster) {
    const key = pickKey(cluster)
    for (let round = 0; round < 8; round++)
      cluster.later(round * cluster.random.float() * 30, () => cluster.controller.moveLeader(key, pick(cluster).node as NodeId))
    return nothing
  },
  retention(cluster) {
    for (const key of cluster.controller.keys) {
      const leader = cluster.leader(key)
      const watermark = leader?.replica(key)?.highWatermark ?? 0
      leader?.step(key, { kind: 'retain', from: Math.max(0, watermark - 300) as Offset })
    }
    return nothing
  },
  /** A disk is lost, while the others have everything. */
  wipe(cluster) {
    const victim = pick(cluster)
    const { controller, brokers } = cluster
    const othersAreWell = brokers.every(other => other === victim || (other.isUp && !other.isPaused && !other.isWiped && !other.isStuck))
    const isSpare = controller.keys.every(key => controller.partition(key).isr.length === brokers.length)
    if (!othersAreWell || !isSpare) return undefined
    victim.wipe()
    cluster.count('wiped')
    return () => cluster.restart(victim)
  },
}
