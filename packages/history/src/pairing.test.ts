// Rules HI1 to HI3: what a history must be before a checker looks at it.
import type { MonotonicMs } from '@atoll/base'
import { describe, expect, it } from 'vitest'
import { HistoryError } from './history-error.ts'
import { PROBLEMS_MAX } from './limits.ts'
import type { HistoryRecord } from './operation.ts'
import { pairRecords } from './pairing.ts'

function record(
  type: HistoryRecord['type'],
  operation: number,
  t0: number,
  t1: number | null,
  more: Partial<HistoryRecord> = {},
): HistoryRecord {
  const times = { t0: t0 as MonotonicMs, t1: t1 as MonotonicMs | null }
  return { process: 0, operation, type, f: 'read', key: 'k', value: null, node: null, ...times, error: null, ...more }
}
const invoke = (operation: number, t0: number, more: Partial<HistoryRecord> = {}) => record('invoke', operation, t0, null, more)
const ok = (operation: number, t0: number, t1: number, more: Partial<HistoryRecord> = {}) => record('ok', operation, t0, t1, more)

describe('pairing', () => {
  it('[HI1] pairs invocations with completions, in order of invocation', () => {
    const history = [invoke(0, 5, { process: 1 }), invoke(1, 3), ok(1, 3, 4, { value: 'x' }), ok(0, 5, 6, { process: 1 })]
    expect(pairRecords(history)).toMatchObject([
      { operation: 1, process: 0, outcome: 'ok', input: null, output: 'x', t0: 3, t1: 4 },
      { operation: 0, process: 1, outcome: 'ok', t0: 5, t1: 6 },
    ])
  })

  it('[HI1] takes what never completed, or completed with info, as able to happen at any later time', () => {
    const info = record('info', 0, 1, 9, { process: 1, error: 'timed out' })
    expect(pairRecords([invoke(0, 1, { process: 1 }), info, invoke(1, 2)])).toMatchObject([
      { operation: 0, outcome: 'info', t1: Number.POSITIVE_INFINITY, error: 'timed out' },
      { operation: 1, outcome: 'info', t1: Number.POSITIVE_INFINITY, error: null },
    ])
  })

  it.each<{ name: string; records: HistoryRecord[]; problem: RegExp }>([
    {
      name: 'two things at a time',
      records: [invoke(0, 1), invoke(1, 2)],
      problem: /record 2 \(invoke of operation 1, process 0\): operation 0 of this process is still outstanding/,
    },
    { name: 'an id used twice', records: [invoke(0, 1), ok(0, 1, 2), invoke(0, 3)], problem: /the operation id was used before/ },
    { name: 'a completion of nothing', records: [ok(0, 1, 2)], problem: /completes what was not invoked; no operation is outstanding/ },
    { name: 'a completion of another', records: [invoke(0, 1), ok(7, 1, 2)], problem: /the outstanding operation is 0/ },
    {
      name: 'a second completion',
      records: [invoke(0, 1), ok(0, 1, 2), ok(0, 1, 3)],
      problem: /record 3 .*completes what was not invoked/,
    },
    { name: 'a return before the call', records: [invoke(0, 5), ok(0, 5, 4)], problem: /returned at 4 ms, not after its call at 5 ms/ },
    { name: 'a return at the call', records: [invoke(0, 5), ok(0, 5, 5)], problem: /not after its call/ },
    {
      name: 'time that goes back',
      records: [invoke(0, 5), ok(0, 5, 9), invoke(1, 8)],
      problem: /invoked at 8 ms, before the operation of this process before it completed/,
    },
    {
      name: 'a process after an unknown outcome',
      records: [invoke(0, 1), record('info', 0, 1, 2), invoke(1, 3)],
      problem: /retired by the unknown outcome of operation 0/,
    },
    {
      name: 'a completion that says otherwise',
      records: [invoke(0, 1), ok(0, 1, 2, { key: 'other' })],
      problem: /its key is other, the invocation says k/,
    },
    { name: 'an invocation that returned', records: [record('invoke', 0, 1, 2)], problem: /an invocation has no completion time/ },
    { name: 'a time that is none', records: [invoke(0, Number.NaN)], problem: /its time is not a number/ },
  ])('[HI2] refuses $name', ({ records, problem }) => {
    expect(() => pairRecords(records)).toThrow(HistoryError)
    expect(() => pairRecords(records)).toThrow(problem)
  })

  it('[HI3] tells every problem at once, up to a bound', () => {
    const records = Array.from({ length: PROBLEMS_MAX + 5 }, (_, operation) => ok(operation, 1, 2))
    const error = (() => {
      try {
        return pairRecords(records)
      } catch (thrown) {
        return thrown
      }
    })() as HistoryError
    expect(error.problems).toHaveLength(PROBLEMS_MAX + 5)
    expect(error.message).toMatch(/; and 5 more$/)
  })
})
