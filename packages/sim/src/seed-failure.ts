// A seed that failed: what went wrong, how to run it again, what was broken when, and the newest of what happened.
import type { PartitionResult } from '@atoll/history'
import type { FaultRun } from './fault-run.ts'
import type { SimCluster } from './sim-cluster.ts'

export class SeedFailure extends Error {
  override readonly name = 'SeedFailure'
  /** What cannot be brought into an order, if that is what failed. */
  readonly history: PartitionResult | undefined

  constructor(message: string, { history, ...options }: ErrorOptions & { readonly history?: PartitionResult | undefined }) {
    super(message, options)
    this.history = history
  }
}

const LOG_LINES = 40

export function failureText(seed: number, kind: string, faults: FaultRun, cluster: SimCluster, error: unknown): string {
  const lines = [
    `seed ${seed}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    `again: npm run simulate -- --kind ${kind} --seed ${seed}`,
    'faults:',
    ...faults.lines,
  ]
  for (const name of cluster.names) lines.push(`log of ${name}, the newest:`, ...cluster.logOf(name).slice(-LOG_LINES))
  if (cluster.simulation.trace.length > 0) lines.push('trace:', ...cluster.simulation.trace)
  return lines.join('\n')
}
