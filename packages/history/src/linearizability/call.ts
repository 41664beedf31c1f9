// An operation as a model reads it.
import type { Operation } from '../operation.ts'

export interface Call<Input, Output> {
  readonly operation: Operation
  readonly input: Input
  /** Undefined when nobody knows the answer. */
  readonly output: Output | undefined
}
