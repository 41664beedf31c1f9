// The log port: structured lines, written without blocking the caller on a slow disk.

export type LogFields = { readonly event: string } & Readonly<Record<string, unknown>>

/** A constant message and fields (style: `log.info({ event: 'leader_elected', term }, 'became leader')`). */
export interface Logger {
  /** A person must act. */
  error(fields: LogFields, message: string): void
  /** A person may have to act. */
  warn(fields: LogFields, message: string): void
  /** Role and lifecycle changes. */
  info(fields: LogFields, message: string): void
  /** Per request. */
  debug(fields: LogFields, message: string): void
}

/** Where finished lines go. One line is one JSON object with its newline. */
export interface LogSink {
  write(line: string): void
  /** Writes what is buffered before it returns. For the last lines before an exit. */
  flush(): void
}

/** Drops every line: for tests and tools that have nothing to say. */
export const silentLogger: Logger = { error() {}, warn() {}, info() {}, debug() {} }
