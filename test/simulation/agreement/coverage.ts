// What seeds of one kind went through together: a simulation that finds nothing may have been nowhere.
import type { AgreementRunReport } from '@atoll/sim'

export class Coverage {
  /** How operations ended, what was logged, and what happened to disks. */
  readonly events = new Map<string, number>()
  readonly faults = new Map<string, number>()
  /** Interleavings: no two seeds have the same. */
  readonly traces = new Set<string>()

  add({ coverage, faults, traceHash }: AgreementRunReport): void {
    for (const [event, times] of coverage) this.events.set(event, (this.events.get(event) ?? 0) + times)
    for (const [kind, times] of faults) this.faults.set(kind, (this.faults.get(kind) ?? 0) + times)
    this.traces.add(traceHash)
  }

  /** A seed that amounts to less proves too little. */
  readonly isThick = ({ virtualMs, operations, faults, acknowledged }: AgreementRunReport): boolean =>
    virtualMs >= 60_000 && operations >= 1_000 && acknowledged >= 100 && [...faults.values()].reduce((sum, times) => sum + times, 0) >= 20
}
