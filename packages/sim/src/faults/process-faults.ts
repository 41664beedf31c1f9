// Processes that die, stop, stand still, and machines that lose power.
import type { NodeId } from '@atoll/base'
import type { SimCluster } from '../sim-cluster.ts'
import { type DrawFault, drawSome, drawVictim, type EndFault } from './fault.ts'

type End = (cluster: SimCluster, name: NodeId) => void

/** Ends processes by `how`, and keeps them down for as long as the fault lasts. */
function downing(cluster: SimCluster, names: readonly NodeId[], how: End): EndFault | undefined {
  const up = names.filter(name => cluster.stateOf(name) !== 'down')
  if (up.length === 0) return undefined
  const releases = up.map(name => cluster.holdDown(name))
  for (const name of up) how(cluster, name)
  return () => {
    for (const release of releases) release()
  }
}

const one =
  (verb: string, how: End): DrawFault =>
  drawing => {
    const victim = drawVictim(drawing)
    return { what: `${verb} ${victim.text}`, begin: cluster => downing(cluster, [victim.in(cluster)], how) }
  }

const all =
  (verb: string, how: End): DrawFault =>
  ({ names }) => ({ what: verb, begin: cluster => downing(cluster, names, how) })

const crash: End = (cluster, name) => cluster.crash(name)
const losePower: End = (cluster, name) => cluster.losePower(name)

/** Some die shortly one after the other, and each is back soon: whoever comes back meets others that do. */
const restarts: DrawFault = drawing => {
  const victims = drawSome(drawing)
  const gapMs = drawing.durationMs / (victims.length + 1)
  return {
    what: `restart ${victims.join(', ')} one after the other`,
    begin(cluster) {
      const { simulation } = cluster
      let isOver = false
      for (const [place, name] of victims.entries())
        simulation.at(simulation.nowMs + place * gapMs, () => {
          const end = isOver ? undefined : downing(cluster, [name], crash)
          simulation.at(simulation.nowMs + gapMs / 2, () => end?.())
        })
      return () => {
        isOver = true
      }
    },
  }
}

const pause: DrawFault = drawing => {
  const victim = drawVictim(drawing)
  return {
    what: `pause ${victim.text}`,
    begin(cluster) {
      const name = victim.in(cluster)
      if (cluster.stateOf(name) !== 'running') return undefined
      cluster.pause(name)
      return () => {
        if (cluster.stateOf(name) === 'paused') cluster.resume(name)
      }
    },
  }
}

/** Two at once: of three a majority stands still and comes back with its clocks run on. */
const pauseSome: DrawFault = drawing => {
  const victims = drawSome(drawing)
  return {
    what: `pause ${victims.join(', ')}`,
    begin(cluster) {
      const running = victims.filter(name => cluster.stateOf(name) === 'running')
      if (running.length === 0) return undefined
      for (const name of running) cluster.pause(name)
      return () => {
        for (const name of running) if (cluster.stateOf(name) === 'paused') cluster.resume(name)
      }
    },
  }
}

const transfer: DrawFault = drawing => {
  const to = drawVictim(drawing, 0)
  return {
    what: `hand over the leadership to ${to.text}`,
    begin(cluster) {
      const leader = cluster.leader()
      if (leader === undefined) return undefined
      cluster.coordinator(leader)?.agreement.driver?.transfer(to.in(cluster))
      return () => {}
    },
  }
}

export const processFaults = {
  kill: one('kill', crash),
  kill_all: all('kill all', crash),
  stop: one('stop', (cluster, name) => cluster.stop(name)),
  restarts,
  pause,
  pause_some: pauseSome,
  transfer,
} as const

export const powerFaults = {
  power_loss: one('power loss', losePower),
  power_loss_of_all: all('power loss of all', losePower),
} as const
