// The linearizability checker's front: which operations count, how a history falls apart into independent ones, and what
// is said about each.
import { present } from '@atoll/base'
import { STEPS_MAX } from '../limits.ts'
import type { Operation } from '../operation.ts'
import { groupBy } from '../partition.ts'
import type { Call } from './call.ts'
import { firstImpossible } from './first-impossible.ts'
import type { Model } from './model.ts'
import type { Verdict } from './search.ts'
import { type Bounds, readCalls, searchOrder } from './search-order.ts'

export interface CheckOptions<Input> extends Bounds {
  /** Operations with different answers never affect each other (Herlihy and Wing 1990, locality). The key when left out. */
  readonly partition?: (operation: Operation, input: Input) => string
}

/** An operation, and what it asked and was answered in the words of the model. */
export interface Told {
  readonly operation: Operation
  readonly text: string
}

/** An operation at its place in the linearization, and the state after it. */
export interface Placed extends Told {
  readonly state: string
}

export interface PartitionResult {
  readonly partition: string
  readonly verdict: Verdict
  /** Operations that counted: without failed ones and reads that were never answered. */
  readonly operations: readonly Told[]
  /** An order of everything (`linearizable`), of all that returned before `stuck` (`exact`), or the longest found. */
  readonly order: readonly Placed[]
  /** The first operation that cannot be linearized: no order holds it and everything that returned before it. */
  readonly stuck: Told | undefined
  /** False when finding that one took too long: `stuck` is then where the longest order found could not go on. */
  readonly exact: boolean
  readonly initialState: string
  readonly steps: number
  readonly configurations: number
}

export interface LinearizabilityResult {
  /** `not linearizable` if any partition is, otherwise `unknown` if any is. */
  readonly verdict: Verdict
  /** Those that are not linearizable first, then the unknown. */
  readonly partitions: readonly PartitionResult[]
  readonly steps: number
}

/**
 * Whether the model could have given these answers, each operation taking effect at one instant between its call and its
 * return. Failed operations never happened. Those of unknown outcome may have, at any time after their call.
 */
export function checkLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation[],
  options: CheckOptions<Input> = {},
): LinearizabilityResult {
  const { partition = ({ key }) => key } = options
  const calls = readCalls(model, operations)
  const groups = groupBy(calls, ({ operation, input }) => partition(operation, input))
  const partitions = [...groups].map(([name, group]) => checkPartition(model, name, group, options))
  partitions.sort((a, b) => severity[b.verdict] - severity[a.verdict])
  const steps = partitions.reduce((sum, result) => sum + result.steps, 0)
  return { verdict: partitions[0]?.verdict ?? 'linearizable', partitions, steps }
}

const severity = { 'not linearizable': 2, unknown: 1, linearizable: 0 } as const

function checkPartition<State, Input, Output>(
  model: Model<State, Input, Output>,
  partition: string,
  calls: readonly Call<Input, Output>[],
  bounds: Bounds,
): PartitionResult {
  const operations = calls.map(({ operation }) => operation).sort((a, b) => a.t0 - b.t0)
  const found = searchOrder(model, calls, bounds)
  const { blamed, steps } = found.verdict === 'not linearizable' ? blame(model, operations, bounds) : { blamed: undefined, steps: 0 }
  const { longest } = blamed?.before ?? found
  const callOf = new Map(calls.map(call => [call.operation.operation, call]))
  const told = ({ operation }: Operation): Told => {
    const { operation: original, input, output } = present(callOf.get(operation), 'operation')
    return { operation: original, text: model.describeCall(input, output) }
  }
  const stuck = blamed?.operation ?? longest.stuck?.operation
  return {
    partition,
    verdict: found.verdict,
    operations: operations.map(told),
    order: longest.calls.map(({ operation }, place) => ({ ...told(operation), state: model.describe(longest.states[place] as State) })),
    stuck: stuck === undefined ? undefined : told(stuck),
    initialState: model.describe(model.initial),
    exact: blamed !== undefined,
    steps: found.steps + steps,
    configurations: found.configurations,
  }
}

/** The operation at whose return the history stops being linearizable, for at most as many steps as the search itself may take. */
function blame<State, Input, Output>(model: Model<State, Input, Output>, operations: readonly Operation[], bounds: Bounds) {
  const { stepsMax = STEPS_MAX } = bounds
  let steps = 0
  const blamed = firstImpossible(operations, beginning => {
    const tried = searchOrder(model, readCalls(model, beginning), { ...bounds, stepsMax: stepsMax - steps })
    steps += tried.steps
    return tried
  })
  return { blamed, steps }
}
