// The supervisor's own log, in the form the nodes' logs have. Written by hand: the logging library of the nodes would be
// a good part of what this small process keeps resident.
import { join } from 'node:path'
import type { LogFields, Logger } from '@atoll/base'
import { createFileLogSink } from '@atoll/node-ports'
import type { StatePaths } from './state-directory.ts'

const FILE_BYTES_MAX = 4 * 1024 * 1024
const FILES_MAX = 2

export interface SupervisorLog extends Logger {
  /** Writes what is buffered: for the last lines before an exit. */
  flush(): void
}

export function createSupervisorLog(paths: StatePaths): SupervisorLog {
  const sink = createFileLogSink({ path: join(paths.logs, 'supervisor.ndjson'), fileBytesMax: FILE_BYTES_MAX, filesMax: FILES_MAX })
  const write = (level: string) => (fields: LogFields, message: string) =>
    sink.write(`${JSON.stringify({ level, time: Date.now(), node: 'supervisor', role: 'supervisor', ...fields, msg: message })}\n`)
  return { error: write('error'), warn: write('warn'), info: write('info'), debug() {}, flush: () => sink.flush() }
}
