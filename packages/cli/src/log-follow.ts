// Reading the logs of several nodes at once, merged by time, and on as they grow: through restarts and rotation, and
// with nodes that begin to log later.
import { setTimeout as delay } from 'node:timers/promises'
import { type LogLine, LogSource, logPaths, mergedLines } from './log-source.ts'

/** New lines are looked for this often, in milliseconds. Watching files instead is not dependable on every system. */
const LOOK_MS = 100

export class LogReader implements Disposable {
  readonly #directory: string
  readonly #wants: (node: string) => boolean
  readonly #sources = new Map<string, LogSource>()

  constructor(directory: string, wants: (node: string) => boolean) {
    this.#directory = directory
    this.#wants = wants
    this.#addSources()
  }

  get nodes(): readonly string[] {
    return [...this.#sources.keys()]
  }

  /** The lines not read yet, merged by time. */
  *lines(): Generator<LogLine, void> {
    yield* mergedLines([...this.#sources.values()])
  }

  /** Hands on each line as it comes, until `signal` aborts. */
  async follow(signal: AbortSignal, onLine: (line: LogLine) => void): Promise<void> {
    while (!signal.aborted) {
      for (const line of this.lines()) onLine(line)
      await delay(LOOK_MS, undefined, { signal }).catch(() => {
        // Aborted: the loop ends, too.
      })
      this.#addSources()
      for (const source of this.#sources.values()) source.refresh()
    }
  }

  [Symbol.dispose](): void {
    for (const source of this.#sources.values()) source.close()
  }

  #addSources(): void {
    for (const [node, path] of logPaths(this.#directory))
      if (!this.#sources.has(node) && this.#wants(node)) this.#sources.set(node, new LogSource(path))
  }
}
