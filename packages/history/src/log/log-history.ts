// What is known of the partitions of a log from what producers and consumers saw: which value stands at which offset, who
// said so, and what each consumer was given, in its order.
//   send {values}          -> {offset} of the first; the others follow it
//   poll {from?} -> {records: [offset, value][]}; with `from` the consumer begins there anew (assigned, seeking, rebalanced)
// The key is the partition. Values are unique.
import { fieldsOf, integerOf, malformed, optional, textOf } from '../models/answers.ts'
import type { Operation } from '../operation.ts'

export interface Send {
  readonly operation: Operation
  readonly values: readonly string[]
  /** Of the first value; undefined when no answer told it. */
  readonly offset: number | undefined
}

export interface Polled {
  readonly offset: number
  readonly value: string
}

export interface Poll {
  readonly operation: Operation
  /** True when it does not go on where the consumer's poll before ended. */
  readonly isFresh: boolean
  readonly records: readonly Polled[]
}

/** One partition. */
export interface LogHistory {
  readonly sends: readonly Send[]
  readonly polls: readonly Poll[]
  /** Values known to stand at an offset, in the order in which that was said; one, unless something is wrong. */
  readonly valuesAt: ReadonlyMap<number, readonly string[]>
  /** Offsets at which a value is known to stand. */
  readonly offsetsOf: ReadonlyMap<string, readonly number[]>
  readonly sendOf: ReadonlyMap<string, Send>
  readonly polled: ReadonlySet<string>
  /** The greatest offset that any consumer was given; -1 for none. */
  readonly lastPolled: number
}

export function logHistory(operations: readonly Operation[]): LogHistory {
  const sends: Send[] = []
  const polls: Poll[] = []
  for (const operation of operations) {
    if (operation.f === 'send') sends.push(sendOf(operation))
    else if (operation.f !== 'poll') malformed(operation, `a log knows send and poll, not ${operation.f}`)
    else if (operation.outcome === 'ok') polls.push(pollOf(operation))
  }
  const valuesAt = new Map<number, string[]>()
  const offsetsOf = new Map<string, number[]>()
  const note = (offset: number, value: string): void => {
    addTo(valuesAt, offset, value)
    addTo(offsetsOf, value, offset)
  }
  for (const { offset, values } of sends) if (offset !== undefined) values.forEach((value, place) => note(offset + place, value))
  const polled = new Set<string>()
  let lastPolled = -1
  for (const { records } of polls) {
    for (const { offset, value } of records) {
      note(offset, value)
      polled.add(value)
      lastPolled = Math.max(lastPolled, offset)
    }
  }
  const bySend = new Map(sends.flatMap(send => send.values.map(value => [value, send] as const)))
  return { sends, polls, valuesAt, offsetsOf, sendOf: bySend, polled, lastPolled }
}

function sendOf(operation: Operation): Send {
  const { values } = fieldsOf(operation, operation.input, 'the argument of send')
  if (!Array.isArray(values)) return malformed(operation, 'the values are not a list')
  const told = operation.outcome === 'ok' ? fieldsOf(operation, operation.output, 'the answer')['offset'] : undefined
  return {
    operation,
    values: values.map(value => textOf(operation, value, 'a value')),
    offset: optional(told, offset => integerOf(operation, offset, 'the offset')),
  }
}

function pollOf(operation: Operation): Poll {
  const input = operation.input === null ? {} : fieldsOf(operation, operation.input, 'the argument of poll')
  const { records } = fieldsOf(operation, operation.output, 'the answer')
  if (!Array.isArray(records)) return malformed(operation, 'the records are not a list')
  return {
    operation,
    isFresh: optional(input['from'], from => integerOf(operation, from, 'the first offset')) !== undefined,
    records: records.map((record: unknown) => {
      if (!Array.isArray(record)) return malformed(operation, 'a record is offset and value')
      return { offset: integerOf(operation, record[0], 'an offset'), value: textOf(operation, record[1], 'a value') }
    }),
  }
}

function addTo<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else if (!list.includes(value)) list.push(value)
}
