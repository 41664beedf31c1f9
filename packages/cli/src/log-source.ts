// The log of one node as a sequence of lines, oldest first: over its rotated files, the current one, and the ones that
// follow while somebody reads on. Open files are followed by inode, so no line is lost or doubled when a file rotates.
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { basename, join } from 'node:path'

export interface LogLine {
  readonly node: string
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number
  readonly level: string
  /** The whole object. */
  readonly fields: Readonly<Record<string, unknown>>
  /** As it stands in the file. */
  readonly raw: string
}

const CHUNK_BYTES = 256 * 1024
const SUFFIX = '.ndjson'

interface OpenFile {
  readonly descriptor: number
  readonly inode: number
}

export class LogSource {
  readonly node: string
  readonly #path: string
  /** Files to be read, the present one first. */
  #files: OpenFile[] = []
  #rest: Buffer<ArrayBufferLike> = Buffer.alloc(0)
  #lines: LogLine[] = []
  #lastMs = 0

  constructor(path: string) {
    this.node = basename(path, SUFFIX)
    this.#path = path
    this.refresh()
  }

  /** The next line; undefined when all that is there has been taken. */
  peek(): LogLine | undefined {
    while (this.#lines.length === 0) if (!this.#read()) return undefined
    return this.#lines[0]
  }

  take(): LogLine | undefined {
    const line = this.peek()
    this.#lines.shift()
    return line
  }

  /** Looks for files that are newer than the present one. */
  refresh(): void {
    const present = this.#files.at(-1)
    const newer: OpenFile[] = []
    for (let age = 0; ; age++) {
      const file = open(age === 0 ? this.#path : `${this.#path}.${age}`)
      // Between two steps of a rotation the newest may be missing.
      if (file === undefined && age > 0) break
      if (file === undefined) continue
      if (file.inode === present?.inode || newer.some(known => known.inode === file.inode)) {
        closeSync(file.descriptor)
        if (file.inode === present?.inode) break
      } else newer.unshift(file)
    }
    this.#files.push(...newer)
  }

  close(): void {
    for (const { descriptor } of this.#files) closeSync(descriptor)
    this.#files = []
  }

  /** Reads on; false at the end of what is there. */
  #read(): boolean {
    const file = this.#files[0]
    if (file === undefined) return false
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
    const bytes = readSync(file.descriptor, chunk)
    if (bytes > 0) {
      this.#split(Buffer.concat([this.#rest, chunk.subarray(0, bytes)]))
      return true
    }
    if (this.#files.length === 1) return false
    closeSync(file.descriptor)
    this.#files.shift()
    return true
  }

  #split(bytes: Buffer): void {
    const end = bytes.lastIndexOf(0x0a)
    this.#rest = bytes.subarray(end + 1)
    if (end < 0) return
    for (const raw of bytes.toString('utf8', 0, end).split('\n')) if (raw !== '') this.#lines.push(this.#parse(raw))
  }

  /** A line that is no JSON (a disk was full in its middle) is shown as it is, at the time of the one before. */
  #parse(raw: string): LogLine {
    let fields: Readonly<Record<string, unknown>>
    try {
      fields = JSON.parse(raw) as Record<string, unknown>
    } catch {
      fields = { level: 'info', msg: raw }
    }
    const timeMs = typeof fields['time'] === 'number' ? fields['time'] : this.#lastMs
    this.#lastMs = timeMs
    return { node: this.node, timeMs, level: String(fields['level']), fields, raw }
  }
}

/** The nodes that have a log, the supervisor among them, with the path of each. */
export function logPaths(directory: string): ReadonlyMap<string, string> {
  try {
    const names = readdirSync(directory).filter(name => name.endsWith(SUFFIX))
    return new Map(names.sort().map(name => [basename(name, SUFFIX), join(directory, name)]))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    throw error
  }
}

/** All lines that are there, merged by time. */
export function* mergedLines(sources: readonly LogSource[]): Generator<LogLine, void> {
  for (;;) {
    let earliest: LogSource | undefined
    for (const source of sources) {
      const line = source.peek()
      if (line !== undefined && (earliest === undefined || line.timeMs < (earliest.peek()?.timeMs ?? 0))) earliest = source
    }
    const line = earliest?.take()
    if (line === undefined) return
    yield line
  }
}

function open(path: string): OpenFile | undefined {
  try {
    const descriptor = openSync(path, 'r')
    return { descriptor, inode: fstatSync(descriptor).ino }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
