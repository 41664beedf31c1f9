// Which log lines are shown, and how one looks.
import type { LogLine } from './log-source.ts'
import type { Output, Style } from './output.ts'

export interface LogFilter {
  readonly sinceMs: number | undefined
  /** Least severity. */
  readonly level: string | undefined
  readonly grep: RegExp | undefined
}

const SEVERITY = ['debug', 'info', 'warn', 'error']
export const LOG_LEVELS: readonly string[] = SEVERITY

export function passes(line: LogLine, { sinceMs, level, grep }: LogFilter): boolean {
  if (sinceMs !== undefined && line.timeMs < sinceMs) return false
  if (level !== undefined && SEVERITY.indexOf(line.level) < SEVERITY.indexOf(level)) return false
  return grep === undefined || grep.test(line.raw)
}

const palette: readonly Style[] = ['cyan', 'magenta', 'blue', 'green', 'yellow', 'cyanBright', 'magentaBright', 'blueBright', 'greenBright']
const levelStyles: Readonly<Record<string, Style>> = { debug: 'dim', info: 'reset', warn: 'yellow', error: 'red' }
/** Said already, or of no use on a screen. */
const HIDDEN = new Set(['level', 'time', 'node', 'role', 'event', 'msg', 'pid', 'hostname'])

/** `coordinator-1 │ 12:30:01.123 warn  links are broken on purpose rules=2`. */
export function logText(line: LogLine, nodeWidth: number, output: Output): string {
  const node = output.mark(colorOf(line.node), `${line.node.padEnd(nodeWidth)} │`)
  const time = output.mark('dim', new Date(line.timeMs).toISOString().slice(11, 23))
  const level = output.mark(levelStyles[line.level] ?? 'reset', line.level.padEnd(5))
  const { msg = '' } = line.fields
  const fields = Object.entries(line.fields)
    .filter(([key]) => !HIDDEN.has(key))
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  return [node, time, level, typeof msg === 'string' ? msg : JSON.stringify(msg), output.mark('dim', fields.join(' '))].join(' ').trimEnd()
}

/** The same node always has the same colour. */
function colorOf(node: string): Style {
  let sum = 0
  for (const character of node) sum = (sum * 31 + character.charCodeAt(0)) % 9973
  return palette[sum % palette.length] ?? 'cyan'
}

/** `90s`, `5m`, `2h`, `1d` before now, or a date. Undefined for anything else. */
export function parseSince(text: string, nowMs: number): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
  if (amount !== undefined && unit !== undefined) return nowMs - Number(amount) * (units[unit] ?? 1)
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : date
}
