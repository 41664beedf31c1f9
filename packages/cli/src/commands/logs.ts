// `cluster logs`: what the nodes wrote, merged by time. Reads the files, so it works whether or not anything runs.
import { matchesGlob } from 'node:path'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { LogReader } from '../log-follow.ts'
import { type LogLine, logPaths } from '../log-source.ts'
import { LOG_LEVELS, type LogFilter, logText, parseSince, passes } from '../log-view.ts'
import { selectNodes } from '../node-globs.ts'
import type { Output } from '../output.ts'
import { findTarget, type TargetOptions } from '../target.ts'

export interface LogsOptions extends TargetOptions {
  readonly follow?: boolean
  readonly since?: string
  readonly tail?: string
  readonly level?: string
  readonly grep?: string
  readonly json?: boolean
}

export async function logs(patterns: readonly string[], options: LogsOptions, output: Output): Promise<number> {
  const { paths, name } = findTarget(options)
  const filter = readFilter(options)
  const tail = readTail(options)
  const known = [...logPaths(paths.logs).keys()]
  if (known.length === 0) throw new CommandError('notFound', `Cluster ${name} has no logs.`, { next: ['cluster up'] })
  if (patterns.length > 0) selectNodes(patterns, known)
  const wants = (node: string): boolean => patterns.length === 0 || patterns.some(pattern => node === pattern || matchesGlob(node, pattern))
  using reader = new LogReader(paths.logs, wants)
  const width = Math.max(...reader.nodes.map(node => node.length))
  const show = (line: LogLine): void => output.data(options.json === true ? line.raw : logText(line, width, output))
  for (const line of lastOf(reader.lines(), filter, tail)) show(line)
  if (options.follow === true)
    await reader.follow(new AbortController().signal, line => {
      if (passes(line, filter)) show(line)
    })
  return exitCodes.ok.code
}

/** The lines that pass, only the last `count` of them when that is given; never holds more than it must. */
function* lastOf(lines: Iterable<LogLine>, filter: LogFilter, count: number | undefined): Generator<LogLine, void> {
  const last: LogLine[] = []
  for (const line of lines) {
    if (!passes(line, filter)) continue
    if (count === undefined) {
      yield line
      continue
    }
    last.push(line)
    if (last.length > 2 * count + 1_000) last.splice(0, last.length - count)
  }
  yield* count === undefined || count === 0 ? [] : last.slice(-count)
}

function readFilter({ since, level, grep }: LogsOptions): LogFilter {
  const sinceMs = since === undefined ? undefined : parseSince(since, Date.now())
  if (since !== undefined && sinceMs === undefined)
    throw new CommandError('usage', `--since wants a time span (30s, 5m, 2h, 1d) or a date, not '${since}'.`)
  if (level !== undefined && !LOG_LEVELS.includes(level))
    throw new CommandError('usage', `--level wants one of ${LOG_LEVELS.join(', ')}, not '${level}'.`)
  return { sinceMs, level, grep: grep === undefined ? undefined : readPattern(grep) }
}

function readPattern(text: string): RegExp {
  try {
    return new RegExp(text, 'i')
  } catch (error) {
    throw new CommandError('usage', `--grep wants a regular expression: ${(error as Error).message}`)
  }
}

function readTail({ tail }: LogsOptions): number | undefined {
  if (tail === undefined || tail === 'all') return undefined
  if (!/^\d{1,9}$/.test(tail)) throw new CommandError('usage', `--tail wants a number of lines, not '${tail}'.`)
  return Number(tail)
}
