// Log lines into a file that rotates by size. Lines of one turn go out in one write; a disk that is full or unwritable
// costs lines, which are counted and reported in the log itself once it works again, and never costs the process.
// Known weakness: the write is synchronous, so a disk that stalls instead of failing stalls the process with it.
import { closeSync, fchmodSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { LogSink } from '@atoll/base'
import { assert } from '@atoll/base'

export interface FileLogSinkOptions {
  readonly path: string
  /** The file is set aside before a batch of lines (of 64 KiB, unless one line is longer) would take it past this many bytes. */
  readonly fileBytesMax: number
  /** Files kept, the current one among them: `path`, `path.1` (the newest of the old), and so on. */
  readonly filesMax: number
  /** The line that says how many lines are missing; one JSON object with its newline. */
  readonly droppedLine?: (lines: number) => string
}

/** A turn that logs more than this is written in several batches. */
const BATCH_BYTES = 65_536
/** What waits for a disk that does not take it; the lines after that are dropped. */
const BUFFERED_BYTES_MAX = 1_048_576
const RETRY_MS = 1_000

/** Never throws, whatever the disk does. */
export function createFileLogSink(options: FileLogSinkOptions): LogSink {
  return new FileLogSink(options)
}

class FileLogSink implements LogSink {
  readonly #options: FileLogSinkOptions
  #descriptor: number | undefined
  #fileBytes = 0
  #lines: string[] = []
  #bufferedBytes = 0
  /** What is left of a batch that a full disk took only in part. */
  #rest = Buffer.alloc(0)
  #droppedLines = 0
  #scheduled = false
  #failing = false

  constructor(options: FileLogSinkOptions) {
    assert(options.fileBytesMax > 0 && options.filesMax >= 1, 'a log keeps at least its current file')
    this.#options = options
  }

  write(line: string): void {
    if (this.#bufferedBytes >= BATCH_BYTES && !this.#failing) this.flush()
    if (this.#bufferedBytes + line.length > BUFFERED_BYTES_MAX) {
      this.#droppedLines++
      return
    }
    this.#lines.push(line)
    this.#bufferedBytes += line.length
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#flushScheduled())
  }

  flush(): void {
    try {
      this.#writeAll()
      this.#failing = false
    } catch {
      // There is nowhere to say so. The lines stay buffered, and the count of those dropped is told when it works again.
      this.#failing = true
      this.#closeFile()
    }
  }

  #flushScheduled(): void {
    this.#scheduled = false
    this.flush()
    if (!this.#failing) return
    this.#scheduled = true
    setTimeout(() => this.#flushScheduled(), RETRY_MS).unref()
  }

  #writeAll(): void {
    if (this.#rest.length > 0) this.#writeRest()
    if (this.#droppedLines > 0) {
      this.#lines.push((this.#options.droppedLine ?? droppedLine)(this.#droppedLines))
      this.#droppedLines = 0
    }
    if (this.#lines.length === 0) return
    this.#rest = Buffer.from(this.#lines.join(''))
    this.#lines = []
    this.#bufferedBytes = this.#rest.length
    this.#writeRest()
  }

  #writeRest(): void {
    const descriptor = this.#fileWithRoom(this.#rest.length)
    while (this.#rest.length > 0) {
      const written = writeSync(descriptor, this.#rest)
      this.#rest = this.#rest.subarray(written)
      this.#fileBytes += written
      this.#bufferedBytes -= written
    }
  }

  #fileWithRoom(bytes: number): number {
    const open = this.#descriptor ?? this.#openFile()
    if (this.#fileBytes === 0 || this.#fileBytes + bytes <= this.#options.fileBytesMax) return open
    this.#closeFile()
    this.#rotate()
    return this.#openFile()
  }

  #openFile(): number {
    const { path } = this.#options
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const descriptor = openSync(path, 'a', 0o600)
    this.#descriptor = descriptor
    // A file that was there before may have been readable for others.
    fchmodSync(descriptor, 0o600)
    this.#fileBytes = fstatSync(descriptor).size
    return descriptor
  }

  #closeFile(): void {
    if (this.#descriptor === undefined) return
    const descriptor = this.#descriptor
    this.#descriptor = undefined
    try {
      closeSync(descriptor)
    } catch {
      // Closing reports errors of earlier writes; those lines are gone, and nothing better can be done.
    }
  }

  #rotate(): void {
    const { path, filesMax } = this.#options
    const old = (age: number): string => (age === 0 ? path : `${path}.${age}`)
    rmSync(old(filesMax - 1), { force: true })
    for (let age = filesMax - 2; age >= 0; age--) {
      try {
        renameSync(old(age), old(age + 1))
      } catch (error) {
        // Not so many old ones yet.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
    }
  }
}

function droppedLine(lines: number): string {
  return `${JSON.stringify({ level: 'warn', time: Date.now(), event: 'log_lines_dropped', lines, msg: 'log lines were dropped' })}\n`
}
