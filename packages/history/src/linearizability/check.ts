// The linearizability checker's front: which operations count, how a history falls apart into independent ones, and what
// is said about each.
import { CONFIGURATION_WORDS_MAX, STEPS_MAX } from '../limits.ts'
import type { Operation } from '../operation.ts'
import { groupBy } from '../partition.ts'
import type { Model } from './model.ts'
import { type Call, Search, type Verdict } from './search.ts'

export interface CheckOptions<Input> {
  /** What the search may spend on one partition before it answers `unknown`. */
  readonly stepsMax?: number
  readonly configurationWordsMax?: number
  /** Operations with different answers never affect each other (Herlihy and Wing 1990, locality). The key when left out. */
  readonly partition?: (operation: Operation, input: Input) => string
}

/** An operation at its place in the linearization, and the state after it. */
export interface Placed {
  readonly operation: Operation
  readonly text: string
  readonly state: string
}

export interface PartitionResult {
  readonly partition: string
  readonly verdict: Verdict
  /** Operations that counted: without failed ones and reads that were never answered. */
  readonly operations: readonly Operation[]
  /** The longest partial linearization found, which is a whole one when the verdict is `linearizable`. */
  readonly order: readonly Placed[]
  /** The first operation that cannot be linearized: it returned, but after `order` nothing that may come next fits. */
  readonly stuck: { readonly operation: Operation; readonly text: string; readonly state: string } | undefined
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
  const calls = operations.flatMap((operation): Call<Input, Output>[] => {
    if (operation.outcome === 'fail') return []
    const input = model.input(operation)
    const output = operation.outcome === 'ok' ? model.output(operation) : undefined
    return output === undefined && model.readOnly(input) ? [] : [{ operation, input, output }]
  })
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
  { stepsMax = STEPS_MAX, configurationWordsMax = CONFIGURATION_WORDS_MAX }: CheckOptions<Input>,
): PartitionResult {
  const byCall = calls.toSorted((a, b) => a.operation.t0 - b.operation.t0)
  const required = byCall.filter(({ operation }) => operation.outcome !== 'info')
  const ordered = [...required, ...byCall.filter(({ operation }) => operation.outcome === 'info')]
  const search = new Search(model, ordered, required.length, configurationWordsMax)
  const verdict = search.advance(stepsMax)
  const { longest } = search
  const text = ({ input, output }: Call<Input, Output>) => model.describeCall(input, output)
  const order = longest.operations.flatMap((index, place): Placed[] => {
    const call = ordered[index]
    const state = longest.states[place]
    return call === undefined || state === undefined ? [] : [{ operation: call.operation, text: text(call), state: model.describe(state) }]
  })
  const stuck = longest.stuck === undefined ? undefined : ordered[longest.stuck]
  const state = order.at(-1)?.state ?? model.describe(model.initial)
  return {
    partition,
    verdict,
    operations: byCall.map(({ operation }) => operation),
    order,
    stuck: stuck === undefined ? undefined : { operation: stuck.operation, text: text(stuck), state },
    steps: search.steps,
    configurations: search.configurations,
  }
}
