// What brokers meet besides what everybody does: a disk that is gone, one more broker, and everything dead at once.
import type { NodeId } from '@atoll/base'
import type { DrawFault, Drawing } from '../faults/fault.ts'
import type { SimCluster } from '../sim-cluster.ts'

type End = (cluster: SimCluster, name: NodeId) => void

/** The disk is gone: a new, empty one is in its place, and what was on it comes from the others. */
const brokerWiped: DrawFault = ({ fragile, names }: Drawing) => {
  const name = fragile[0] ?? (names[0] as NodeId)
  return {
    what: `lose the disk of ${name}`,
    begin(cluster) {
      const release = cluster.holdDown(name)
      cluster.crash(name)
      cluster.wipe(name)
      return release
    },
  }
}

/** All nodes of all roles end at once, and come back together. */
const everything =
  (what: string, how: End): DrawFault =>
  () => ({
    what,
    begin(cluster) {
      const up = cluster.names.filter(name => cluster.stateOf(name) !== 'down')
      const releases = up.map(name => cluster.holdDown(name))
      for (const name of up) how(cluster, name)
      return () => {
        for (const release of releases) release()
      }
    },
  })

export const brokerFaults = {
  broker_wiped: brokerWiped,
  everything_killed: everything('kill everything', (cluster, name) => cluster.crash(name)),
  /** What was not synced is dropped everywhere. */
  blackout: everything('power loss of everything', (cluster, name) => cluster.losePower(name, 'dropped')),
} as const
