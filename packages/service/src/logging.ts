// Structured logs: pino formats, the log port writes. One line is one JSON object with `level`, `time` (milliseconds
// since the Unix epoch), `node`, `role`, `event`, the event's fields and `msg`.
import type { Clock, Logger, LogSink } from '@atoll/base'
import { pino } from 'pino'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface NodeLog {
  readonly log: Logger
  readonly setLevel: (level: LogLevel) => void
  /** Writes what is buffered: for the last lines before an exit. */
  readonly flush: () => void
}

/** A logger whose every line carries `fields`. */
export function createLog(sink: LogSink, clock: Clock, level: LogLevel, fields: Readonly<Record<string, string>>): NodeLog {
  const logger = pino(
    { level, base: fields, timestamp: () => `,"time":${Math.round(clock.wallMs())}`, formatters: { level: label => ({ level: label }) } },
    { write: (line: string) => sink.write(line) },
  )
  return {
    log: logger,
    setLevel: next => {
      logger.level = next
    },
    flush: () => sink.flush(),
  }
}
