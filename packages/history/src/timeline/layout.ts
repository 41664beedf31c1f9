// Where everything stands on a timeline page. The horizontal axis is the order of events, not the clock: what decides is who
// overlaps whom, and a history spends most of its time waiting. Columns widen so that a bar can hold its text.
import { DRAWN_OPERATIONS_MAX } from '../limits.ts'
import type { PartitionResult, Told } from '../linearizability/check.ts'

/** Distances in CSS pixels. */
export const ROW_HEIGHT = 34
const STEP = 9
const CHARACTER_WIDTH = 6.6
const BAR_PADDING = 22
const BAR_WIDTH_MAX = 190

export interface Bar extends Told {
  readonly row: number
  readonly left: number
  readonly right: number
  /** Place in the order found, from 1; undefined when it has none. */
  readonly place: number | undefined
  /** State after it, when it has a place. */
  readonly state: string | undefined
  /** Where its effect is drawn: within the bar, and right of the one before it in the order. */
  readonly point: number | undefined
}

export interface Layout {
  readonly processes: readonly number[]
  readonly bars: readonly Bar[]
  readonly width: number
  /** Operations left out before and after what is drawn. */
  readonly before: number
  readonly after: number
}

export function layOut(result: PartitionResult): Layout {
  const { drawn, before, after } = aroundStuck(result)
  const places = new Map(result.order.map((placed, index) => [placed.operation.operation, { placed, place: index + 1 }]))
  const processes = [...new Set(drawn.map(({ operation }) => operation.process))].sort((a, b) => a - b)
  const columns = columnsOf(drawn)
  const points = pointsOf(result, columns)
  const bars = drawn.map((told): Bar => {
    const { operation } = told
    const { left, right } = columns.of(told)
    const found = places.get(operation.operation)
    const row = processes.indexOf(operation.process)
    return { ...told, row, left, right, place: found?.place, state: found?.placed.state, point: points.get(operation.operation) }
  })
  return { processes, bars, width: columns.width, before, after }
}

/** What led to the failure matters more than what came after it. */
function aroundStuck({ operations, stuck }: PartitionResult): { drawn: readonly Told[]; before: number; after: number } {
  const center = operations.findIndex(({ operation }) => operation === stuck?.operation)
  const wanted = center - Math.floor(DRAWN_OPERATIONS_MAX * 0.8)
  const from = Math.max(0, Math.min(wanted, operations.length - DRAWN_OPERATIONS_MAX))
  const drawn = operations.slice(from, from + DRAWN_OPERATIONS_MAX)
  return { drawn, before: from, after: operations.length - from - drawn.length }
}

interface Columns {
  readonly width: number
  holds(told: Told): boolean
  of(told: Told): { readonly left: number; readonly right: number }
}

function columnsOf(drawn: readonly Told[]): Columns {
  const events = drawn.flatMap(told => [
    { told, time: told.operation.t0, isReturn: false },
    ...(told.operation.t1 === Number.POSITIVE_INFINITY ? [] : [{ told, time: told.operation.t1, isReturn: true }]),
  ])
  events.sort((a, b) => a.time - b.time || Number(a.isReturn) - Number(b.isReturn))
  // By operation id: the order found tells an operation in an object of its own.
  const lefts = new Map<number, number>()
  const rights = new Map<number, number>()
  const leftOf = ({ operation }: Told) => lefts.get(operation.operation) ?? 0
  let x = 0
  for (const { told, isReturn } of events) {
    x += STEP
    if (isReturn) {
      x = Math.max(x, leftOf(told) + barWidth(told))
      rights.set(told.operation.operation, x)
    } else lefts.set(told.operation.operation, x)
  }
  const width = Math.max(x, ...drawn.map(told => leftOf(told) + barWidth(told))) + 6 * STEP
  return {
    width,
    holds: ({ operation }) => lefts.has(operation.operation),
    of: told => ({ left: leftOf(told), right: rights.get(told.operation.operation) ?? width }),
  }
}

function barWidth({ text }: Told): number {
  return Math.min(BAR_WIDTH_MAX, text.length * CHARACTER_WIDTH + BAR_PADDING)
}

/** One instant per placed operation, in the order found. Between call and return there is always one that fits. */
function pointsOf({ order }: PartitionResult, columns: Columns): ReadonlyMap<number, number> {
  const points = new Map<number, number>()
  let last = 0
  for (const placed of order) {
    if (!columns.holds(placed)) continue
    const { left, right } = columns.of(placed)
    last = Math.min(Math.max(last + 2, left + 5), Math.max(last, right - 3))
    points.set(placed.operation.operation, last)
  }
  return points
}
