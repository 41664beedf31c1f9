// From operations to a search: which of them count, and in which order the search wants them.
import { CONFIGURATION_WORDS_MAX, STEPS_MAX } from '../limits.ts'
import type { Operation } from '../operation.ts'
import type { Call } from './call.ts'
import type { Model } from './model.ts'
import { type Prefix, Search, type Verdict } from './search.ts'

/** What one search may spend before it answers `unknown`. */
export interface Bounds {
  readonly stepsMax?: number
  readonly configurationWordsMax?: number
}

export interface SearchResult<State, Input, Output> {
  readonly verdict: Verdict
  readonly longest: Prefix<State, Input, Output>
  readonly steps: number
  readonly configurations: number
}

/** The operations as the model reads them, without those that say nothing: failed ones, and reads that were never answered. */
export function readCalls<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation[],
): Call<Input, Output>[] {
  return operations.flatMap((operation): Call<Input, Output>[] => {
    if (operation.outcome === 'fail') return []
    const input = model.input(operation)
    const output = operation.outcome === 'ok' ? model.output(operation) : undefined
    return output === undefined && model.readOnly(input, undefined) ? [] : [{ operation, input, output }]
  })
}

export function searchOrder<State, Input, Output>(
  model: Model<State, Input, Output>,
  calls: readonly Call<Input, Output>[],
  { stepsMax = STEPS_MAX, configurationWordsMax = CONFIGURATION_WORDS_MAX }: Bounds,
): SearchResult<State, Input, Output> {
  const byCall = calls.toSorted((a, b) => a.operation.t0 - b.operation.t0)
  const required = byCall.filter(({ operation }) => operation.outcome !== 'info')
  const ordered = [...required, ...byCall.filter(({ operation }) => operation.outcome === 'info')]
  const search = new Search(model, ordered, required.length, configurationWordsMax)
  const verdict = search.advance(stepsMax)
  return { verdict, longest: search.longest, steps: search.steps, configurations: search.configurations }
}
