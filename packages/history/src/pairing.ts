// From records to operations. The checkers assume much about a history: one thing at a time per process, ids used once, time
// that goes forward. A history that breaks this would give a verdict that means nothing, so every assumption is checked here
// first (etcd's robustness tests, validate.go).
import { HistoryError } from './history-error.ts'
import type { HistoryRecord, Operation } from './operation.ts'

/** What is known of a process while its records are read. */
interface ProcessProgress {
  open: HistoryRecord | undefined
  /** Completion of the operation before. */
  lastT1: number
  retiredBy: number | undefined
}

/**
 * The operations of a history in order of invocation. One that never completed is `info`. Records of several recorders may
 * follow each other in any order, as long as those of one process are in order and all clocks have one origin.
 * Throws a HistoryError that lists every assumption that does not hold.
 */
export function pairRecords(records: readonly HistoryRecord[]): Operation[] {
  const problems: string[] = []
  const operations: Operation[] = []
  const processes = new Map<number, ProcessProgress>()
  const ids = new Set<number>()
  for (const [index, record] of records.entries()) {
    const at = `record ${index + 1} (${record.type} of operation ${record.operation}, process ${record.process})`
    const process = processes.get(record.process) ?? { open: undefined, lastT1: -Infinity, retiredBy: undefined }
    processes.set(record.process, process)
    if (record.type === 'invoke') {
      problems.push(...invocationProblems(record, process, ids).map(problem => `${at}: ${problem}`))
      ids.add(record.operation)
      process.open = record
      continue
    }
    const { open } = process
    if (open === undefined || open.operation !== record.operation) {
      const outstanding = open === undefined ? 'no operation is outstanding' : `the outstanding operation is ${open.operation}`
      problems.push(`${at}: completes what was not invoked; ${outstanding}`)
      continue
    }
    problems.push(...completionProblems(open, record).map(problem => `${at}: ${problem}`))
    operations.push(pair(open, record))
    process.open = undefined
    process.lastT1 = record.t1 ?? open.t0
    if (record.type === 'info') process.retiredBy = record.operation
  }
  for (const { open } of processes.values()) if (open !== undefined) operations.push(pair(open, undefined))
  if (problems.length > 0) throw new HistoryError(problems)
  return operations.sort((a, b) => a.t0 - b.t0 || a.operation - b.operation)
}

function invocationProblems(record: HistoryRecord, process: ProcessProgress, ids: ReadonlySet<number>): string[] {
  const problems: string[] = []
  if (!Number.isFinite(record.t0)) problems.push('its time is not a number')
  if (record.t1 !== null) problems.push('an invocation has no completion time')
  if (ids.has(record.operation)) problems.push('the operation id was used before')
  if (process.open !== undefined) problems.push(`operation ${process.open.operation} of this process is still outstanding`)
  if (process.retiredBy !== undefined) problems.push(`the process was retired by the unknown outcome of operation ${process.retiredBy}`)
  if (record.t0 < process.lastT1) problems.push(`invoked at ${record.t0} ms, before the operation of this process before it completed`)
  return problems
}

function completionProblems(open: HistoryRecord, record: HistoryRecord): string[] {
  const problems: string[] = []
  const repeated = ['f', 'key', 'node', 't0'] as const
  for (const field of repeated)
    if (record[field] !== open[field]) problems.push(`its ${field} is ${String(record[field])}, the invocation says ${String(open[field])}`)
  if (record.t1 === null || !Number.isFinite(record.t1)) problems.push('a completion has a time')
  else if (record.t1 <= open.t0) problems.push(`returned at ${record.t1} ms, not after its call at ${open.t0} ms`)
  return problems
}

function pair(invocation: HistoryRecord, completion: HistoryRecord | undefined): Operation {
  const { process, operation, f, key, node, value: input, t0 } = invocation
  const outcome = completion === undefined || completion.type === 'invoke' ? 'info' : completion.type
  const t1 = outcome === 'info' ? Number.POSITIVE_INFINITY : (completion?.t1 ?? Number.POSITIVE_INFINITY)
  const output = outcome === 'ok' ? completion?.value : null
  return { process, operation, f, key, node, input, output, outcome, t0, t1, error: completion?.error ?? null }
}
