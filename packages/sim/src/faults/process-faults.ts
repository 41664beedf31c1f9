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

/** Long enough for some writes to be under way, in virtual milliseconds. */
const SYNC_DELAY_MS = 100

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

/** The power goes while syncs are under way: a disk that answers at once would have nothing to lose. */
function losingPower(cluster: SimCluster, names: readonly NodeId[]): EndFault | undefined {
  const { simulation } = cluster
  const up = names.filter(name => cluster.stateOf(name) !== 'down')
  if (up.length === 0) return undefined
  const heals = up.map(name => cluster.breakDisk(name, { syncDelayMs: SYNC_DELAY_MS }))
  let end: EndFault | undefined
  let isOver = false
  simulation.at(simulation.nowMs + SYNC_DELAY_MS, () => {
    for (const heal of heals) heal()
    if (!isOver) end = downing(cluster, up, (_, name) => cluster.losePower(name))
  })
  return () => {
    isOver = true
    for (const heal of heals) heal()
    end?.()
  }
}

const powerLoss: DrawFault = drawing => {
  const victim = drawVictim(drawing)
  return { what: `power loss of ${victim.text}`, begin: cluster => losingPower(cluster, [victim.in(cluster)]) }
}

const powerLossOfAll: DrawFault = ({ names }) => ({ what: 'power loss of all', begin: cluster => losingPower(cluster, names) })

export const powerFaults = { power_loss: powerLoss, power_loss_of_all: powerLossOfAll } as const
