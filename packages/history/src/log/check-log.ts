// What a partitioned log may not do to those who write and read it, after Jepsen's checker for Kafka and what it looks for
// (jepsen.tests.kafka). Linear but for sorting. Some of it is allowed in some modes: a producer that is not idempotent may
// send twice, a consumer that is one of a group may be given something again. So a mode says what it allows.
import { VIOLATIONS_MAX } from '../limits.ts'
import type { Operation } from '../operation.ts'
import { groupBy } from '../partition.ts'
import { greatestBefore } from '../real-time.ts'
import { type LogHistory, logHistory, type Poll, type Send } from './log-history.ts'

export type LogRule =
  /** Two values at one offset. */
  | 'inconsistent offsets'
  /** One value at two offsets. */
  | 'duplicate'
  /** Acknowledged, below what some consumer was given, and given to nobody. */
  | 'lost'
  /** Acknowledged, and not given to anybody even by the last polls. */
  | 'unseen'
  /** Sent after another was acknowledged, and before it in the log. */
  | 'reordered'
  /** A consumer was given an offset at or below the one before. */
  | 'offset went back'
  /** A consumer was not given a record between two that it was given. */
  | 'poll skipped'
  /** A consumer was given what nobody sent, or what was certainly refused. */
  | 'never written'

export interface LogViolation {
  readonly rule: LogRule
  readonly partition: string
  readonly message: string
  readonly operations: readonly Operation[]
}

export interface LogReport {
  /** The first ones found, partition by partition. */
  readonly violations: readonly LogViolation[]
  /** Of all that were found. */
  readonly count: number
  /** What was found of what the mode allows. */
  readonly allowed: ReadonlyMap<LogRule, number>
}

export interface LogOptions {
  readonly allow?: readonly LogRule[]
  /** True when consumers read everything to its end after all was well again: what they were not given then is not there. */
  readonly finalPolls?: boolean
  /** What is before this was deleted on purpose. Default 0 for every partition. */
  readonly logStart?: (partition: string) => number
}

type Report = (rule: LogRule, message: string, ...operations: readonly (Operation | undefined)[]) => void

export function checkLog(operations: readonly Operation[], options: LogOptions = {}): LogReport {
  const { allow = [], finalPolls = false, logStart = () => 0 } = options
  const violations: LogViolation[] = []
  const allowed = new Map<LogRule, number>()
  let count = 0
  for (const [partition, ofPartition] of groupBy(operations, ({ key }) => key)) {
    const history = logHistory(ofPartition)
    const report: Report = (rule, message, ...involved) => {
      if (allow.includes(rule)) {
        allowed.set(rule, (allowed.get(rule) ?? 0) + 1)
        return
      }
      count++
      if (violations.length < VIOLATIONS_MAX)
        violations.push({ rule, partition, message, operations: involved.filter(operation => operation !== undefined) })
    }
    checkPlaces(history, report)
    checkAcknowledged(history, logStart(partition), finalPolls, report)
    checkOrder(history, report)
    checkConsumers(history, report)
    checkOrigin(history, report)
  }
  return { violations, count, allowed }
}

/** An offset has one value, a value one offset. */
function checkPlaces({ valuesAt, offsetsOf, sendOf }: LogHistory, report: Report): void {
  for (const [offset, values] of valuesAt)
    if (values.length > 1)
      report('inconsistent offsets', `${values.join(' and ')} at offset ${offset}`, ...values.map(value => sendOf.get(value)?.operation))
  for (const [value, offsets] of offsetsOf)
    if (offsets.length > 1) report('duplicate', `${value} at offsets ${offsets.join(' and ')}`, sendOf.get(value)?.operation)
}

/** What was acknowledged is given to somebody, once somebody was given what follows it. */
function checkAcknowledged(history: LogHistory, logStart: number, finalPolls: boolean, report: Report): void {
  const { sends, polled, lastPolled } = history
  for (const { operation, offset, values } of sends) {
    if (operation.outcome !== 'ok' && operation.outcome !== 'applied') continue
    for (const [place, value] of values.entries()) {
      const at = offset === undefined ? undefined : offset + place
      if (polled.has(value) || (at !== undefined && at < logStart)) continue
      if (at !== undefined && at < lastPolled)
        report('lost', `${value}, acknowledged at offset ${at}; consumers are at ${lastPolled}`, operation)
      else if (finalPolls) report('unseen', `${value}, acknowledged${at === undefined ? '' : ` at offset ${at}`}`, operation)
    }
  }
}

/** What was sent after another was acknowledged comes after it. An offset that no answer told, a consumer may have. */
function checkOrder({ sends, offsetsOf }: LogHistory, report: Report): void {
  const placed = sends.flatMap((send): { send: Send; at: number }[] => {
    const at = send.offset ?? offsetsOf.get(send.values[0] ?? '')?.[0]
    return at === undefined ? [] : [{ send, at }]
  })
  for (const [earlier, later] of greatestBefore(
    placed,
    ({ send }) => send.operation,
    ({ at }) => at,
  ))
    if (later.at < earlier.at) {
      const message = `${later.send.values.join(' ')} at ${later.at}, sent after ${earlier.send.values.join(' ')} was acknowledged at ${earlier.at}`
      report('reordered', message, earlier.send.operation, later.send.operation)
    }
}

/** Each consumer goes forward, and leaves out nothing that is there. */
function checkConsumers({ polls, valuesAt }: LogHistory, report: Report): void {
  const known = [...valuesAt.keys()].toSorted((a, b) => a - b)
  for (const ofConsumer of groupBy(polls, ({ operation }) => `${operation.process}`).values()) {
    let last: number | undefined
    let lastPoll: Poll | undefined
    for (const poll of ofConsumer.toSorted((a, b) => a.operation.t0 - b.operation.t0)) {
      if (poll.isFresh) last = undefined
      for (const { offset, value } of poll.records) {
        if (last !== undefined && offset <= last)
          report('offset went back', `${value} at ${offset} after offset ${last}`, lastPoll?.operation, poll.operation)
        const skipped = last === undefined ? undefined : firstAfter(known, last)
        if (last !== undefined && skipped !== undefined && skipped < offset)
          report(
            'poll skipped',
            `from offset ${last} to ${offset}, past ${valuesAt.get(skipped)?.[0]} at ${skipped}`,
            lastPoll?.operation,
            poll.operation,
          )
        last = offset
        lastPoll = poll
      }
    }
  }
}

/** Whatever is read was sent, and not refused. */
function checkOrigin({ polls, sendOf }: LogHistory, report: Report): void {
  for (const { operation, records } of polls) {
    for (const { offset, value } of records) {
      const send = sendOf.get(value)
      if (send === undefined) report('never written', `${value} at offset ${offset}, which nobody sent`, operation)
      else if (send.operation.outcome === 'fail')
        report('never written', `${value} at offset ${offset}, which was refused`, send.operation, operation)
    }
  }
}

/** The least of `sorted` above `after`. */
function firstAfter(sorted: readonly number[], after: number): number | undefined {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] as number) <= after) low = middle + 1
    else high = middle
  }
  return sorted[low]
}
