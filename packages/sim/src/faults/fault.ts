// What may be broken. A fault is planned before the run, as a function of the seed alone, so that a plan can be printed and
// replayed; whom it really met is known when it begins.
import { type NodeId, type SeededRandom, shuffle } from '@atoll/base'
import type { SimCluster } from '../sim-cluster.ts'

/** Ends the fault, whatever happened meanwhile. */
export type EndFault = () => void

/** A fault as it was drawn. */
export interface DrawnFault {
  /** Whom it is to meet, for a person. */
  readonly what: string
  /** Undefined when there is nothing to break: the node is down already, say. */
  readonly begin: (cluster: SimCluster) => EndFault | undefined
}

export interface Drawing {
  readonly names: readonly NodeId[]
  /** Nodes whose disks may lose what they hold: so few that every entry has a copy on a majority of the others. */
  readonly fragile: readonly NodeId[]
  /** Machines of applications, if there are any. */
  readonly clients: readonly NodeId[]
  readonly random: SeededRandom
  /** How long it will last, in virtual milliseconds. */
  readonly durationMs: number
}

export type DrawFault = (drawing: Drawing) => DrawnFault

export interface Victim {
  readonly text: string
  in(cluster: SimCluster): NodeId
}

/** Whom a fault meets: somebody, or whoever leads when it begins. */
export function drawVictim({ names, random }: Drawing, leaderShare = 0.4): Victim {
  const name = names[random.below(names.length)] as NodeId
  if (random.float() >= leaderShare) return { text: name, in: () => name }
  return { text: `the leader, or ${name}`, in: cluster => cluster.leader() ?? name }
}

/** Some of the names, at least one and never all. */
export function drawSome({ names, random }: Drawing): readonly NodeId[] {
  if (names.length === 1) return names
  const count = 1 + random.below(names.length - 1)
  return shuffle([...names], random).slice(0, count)
}
