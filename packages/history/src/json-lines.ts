// A history as a file: one JSON object per line, in the order of the records. Decoding checks the shape of every line and
// names all that are wrong; whether the records make sense together is said by `pairing.ts`.
import { HistoryError } from './history-error.ts'
import { LINE_CHARS_MAX, RECORDS_MAX } from './limits.ts'
import type { HistoryRecord } from './operation.ts'

/** One record as a line, with its line feed. The keys come in a fixed order, so equal histories give equal files. */
export function encodeRecord(record: HistoryRecord): string {
  const { process, operation, type, f, key, value, node, t0, t1, error } = record
  return `${JSON.stringify({ process, operation, type, f, key, value: value ?? null, node, t0, t1, error })}\n`
}

export function encodeHistory(records: readonly HistoryRecord[]): string {
  return records.map(encodeRecord).join('')
}

/** The records of a stored history; empty lines are passed over. Throws a HistoryError that names every bad line. */
export function decodeHistory(text: string): HistoryRecord[] {
  const records: HistoryRecord[] = []
  const problems: string[] = []
  let line = 0
  for (let start = 0; start < text.length; ) {
    const feed = text.indexOf('\n', start)
    const end = feed === -1 ? text.length : feed
    line++
    if (records.length + problems.length >= RECORDS_MAX) {
      problems.push(`line ${line}: more than ${RECORDS_MAX} records`)
      break
    }
    const found = end - start > LINE_CHARS_MAX ? `longer than ${LINE_CHARS_MAX} characters` : decodeLine(text.slice(start, end).trim())
    if (typeof found === 'string') problems.push(`line ${line}: ${found}`)
    else if (found !== undefined) records.push(found)
    start = end + 1
  }
  if (problems.length > 0) throw new HistoryError(problems)
  return records
}

/** The record, undefined for an empty line, or what is wrong. */
function decodeLine(line: string): HistoryRecord | string | undefined {
  if (line === '') return undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch {
    return 'not JSON'
  }
  if (typeof parsed !== 'object' || parsed === null) return 'not an object'
  const fields = parsed as Readonly<Record<string, unknown>>
  const wrong = Object.entries(shapes).filter(([name, holds]) => !holds(fields[name]))
  if (wrong.length > 0) return `missing or wrong: ${wrong.map(([name]) => name).join(', ')}`
  return { ...(fields as unknown as HistoryRecord), value: fields['value'] ?? null }
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
const isText = (value: unknown): boolean => typeof value === 'string'
const isTime = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value)

const shapes: Readonly<Record<keyof HistoryRecord, (value: unknown) => boolean>> = {
  process: isCount,
  operation: isCount,
  type: value => value === 'invoke' || value === 'ok' || value === 'fail' || value === 'info',
  f: isText,
  key: isText,
  value: () => true,
  node: value => value === null || isText(value),
  t0: isTime,
  t1: value => value === null || isTime(value),
  error: value => value === null || isText(value),
}
