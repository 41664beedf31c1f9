// What is broken when: a list that is a function of the seed alone. Faults of all kinds overlap; each ends by itself.
import { type NodeId, type SeededRandom, seededRandom } from '@atoll/base'
import { clientFaults } from './faults/client-faults.ts'
import { clockFaults } from './faults/clock-faults.ts'
import { diskFaults } from './faults/disk-faults.ts'
import type { Drawing, DrawnFault } from './faults/fault.ts'
import { linkFaults } from './faults/link-faults.ts'
import { powerFaults, processFaults } from './faults/process-faults.ts'

const nodeFaults = { ...processFaults, ...powerFaults, ...linkFaults, ...diskFaults, ...clockFaults } as const
const faults = { ...nodeFaults, ...clientFaults } as const

export type FaultKind = keyof typeof faults
/** What coordinators can meet. */
export const faultKinds = Object.keys(nodeFaults) as readonly FaultKind[]
/** What applications can meet besides. */
export const clientFaultKinds = Object.keys(clientFaults) as readonly FaultKind[]

/** Faults that a cluster without disks, or without agreement, can have. */
export const gossipFaultKinds: readonly FaultKind[] = [
  'kill',
  'restarts',
  'pause',
  'pause_some',
  ...(Object.keys(linkFaults) as (keyof typeof linkFaults)[]),
  'clock_jump',
]

export interface PlannedFault extends DrawnFault {
  readonly kind: string
  readonly atMs: number
  readonly untilMs: number
}

export interface PlanOptions {
  readonly kinds: readonly FaultKind[]
  /** Machines of applications. */
  readonly clients?: readonly NodeId[]
  /** All faults end by then, in virtual milliseconds. */
  readonly durationMs: number
  /** From one beginning to the next, in virtual milliseconds, on the average. */
  readonly everyMs: number
}

/** Nothing is broken before this, in virtual milliseconds: a cluster has to come up once. */
const QUIET_MS = 2_000
const FAULT_MS_MIN = 200
const FAULT_MS_MAX = 4_000

/** A seed breaks the same things in the same order, whatever else is drawn from its generator. */
export function planFaults(
  names: readonly NodeId[],
  random: SeededRandom,
  { kinds, clients = [], durationMs, everyMs }: PlanOptions,
): readonly PlannedFault[] {
  const own = seededRandom(random.u32())
  // What a minority loses, the others still have.
  const fragile = names.slice(0, Math.floor((names.length - 1) / 2))
  // Swarm testing (Groce et al. 2012): a seed that leaves some kinds out goes further with the others.
  const inUse = kinds.filter(() => own.float() < 0.8)
  const chosen = inUse.length === 0 ? kinds : inUse
  const plan: PlannedFault[] = []
  for (let atMs = QUIET_MS; atMs < durationMs; atMs += everyMs * (0.3 + 1.4 * own.float())) {
    const kind = chosen[own.below(chosen.length)] as FaultKind
    // Mostly short, now and then long: long ones alone would leave a cluster that does nothing.
    const untilMs = Math.min(durationMs, atMs + FAULT_MS_MIN + own.float() ** 2 * FAULT_MS_MAX)
    const drawing: Drawing = { names, fragile, clients, random: own, durationMs: untilMs - atMs }
    plan.push({ kind, atMs, untilMs, ...faults[kind](drawing) })
  }
  return plan
}
