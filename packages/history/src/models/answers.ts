// Reads the arguments and answers of recorded operations, which come from a file: a wrong shape is an error of the history,
// told with the operation it stands in.
import { HistoryError } from '../history-error.ts'
import type { Operation } from '../operation.ts'

export type Fields = Readonly<Record<string, unknown>>

/** Ends with a HistoryError that names the operation. */
export function malformed({ operation, process, f, key }: Operation, problem: string): never {
  throw new HistoryError([`operation ${operation} (process ${process}, ${f} ${JSON.stringify(key)}): ${problem}`])
}

export function unknownFunction(operation: Operation, known: readonly string[]): never {
  return malformed(operation, `the model knows ${known.join(', ')}`)
}

export function fieldsOf(operation: Operation, value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) malformed(operation, `${what} is not an object`)
  return value as Fields
}

export function textOf(operation: Operation, value: unknown, what: string): string {
  if (typeof value !== 'string') malformed(operation, `${what} is not a string`)
  return value
}

export function integerOf(operation: Operation, value: unknown, what: string): number {
  if (!Number.isSafeInteger(value)) malformed(operation, `${what} is not an integer`)
  return value as number
}

export function flagOf(operation: Operation, value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') malformed(operation, `${what} is neither true nor false`)
  return value
}

export function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined || value === null ? undefined : read(value)
}
