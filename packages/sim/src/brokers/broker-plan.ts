// What is broken when in a cluster with brokers: the faults of everybody, meeting mostly brokers, and those of brokers alone.
import { type NodeId, type SeededRandom, seededRandom } from '@atoll/base'
import type { PlannedFault } from '../fault-plan.ts'
import { clockFaults } from '../faults/clock-faults.ts'
import { diskFaults } from '../faults/disk-faults.ts'
import type { Drawing } from '../faults/fault.ts'
import { linkFaults } from '../faults/link-faults.ts'
import { powerFaults, processFaults } from '../faults/process-faults.ts'
import { brokerFaults } from './broker-faults.ts'

const faults = { ...processFaults, ...powerFaults, ...linkFaults, ...diskFaults, ...clockFaults, ...brokerFaults } as const
type Kind = keyof typeof faults
export const brokerFaultKinds = Object.keys(faults) as readonly Kind[]

export interface BrokerPlanOptions {
  readonly coordinators: readonly NodeId[]
  readonly brokers: readonly NodeId[]
  readonly fromMs: number
  /** All faults end by then, in virtual milliseconds. */
  readonly untilMs: number
  /** From one beginning to the next, in virtual milliseconds, on the average. */
  readonly everyMs: number
}

const FAULT_MS_MIN = 200
const FAULT_MS_MAX = 6_000
/** Of the faults, so many meet brokers alone. */
const BROKER_SHARE = 0.6

/** A seed breaks the same things in the same order, whatever else is drawn from its generator. */
export function planBrokerFaults(random: SeededRandom, options: BrokerPlanOptions): readonly PlannedFault[] {
  const { coordinators, brokers, fromMs, untilMs: overMs, everyMs } = options
  const own = seededRandom(random.u32())
  const all = [...brokers, ...coordinators]
  // What one of three loses, the others still have.
  const fragile = brokers.slice(0, 1)
  // Swarm testing (Groce et al. 2012): a seed that leaves some kinds out goes further with the others.
  const inUse = brokerFaultKinds.filter(() => own.float() < 0.7)
  const chosen = inUse.length === 0 ? brokerFaultKinds : inUse
  const plan: PlannedFault[] = []
  for (let atMs = fromMs; atMs < overMs; atMs += everyMs * (0.3 + 1.4 * own.float())) {
    const kind = chosen[own.below(chosen.length)] as Kind
    const untilMs = Math.min(overMs, atMs + FAULT_MS_MIN + own.float() ** 2 * FAULT_MS_MAX)
    const names = own.float() < BROKER_SHARE ? brokers : all
    const drawing: Drawing = { names, fragile, clients: [], random: own, durationMs: untilMs - atMs }
    plan.push({ kind, atMs, untilMs, ...faults[kind](drawing) })
  }
  return plan
}
