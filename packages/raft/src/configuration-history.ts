// The configurations in this server's log. The latest is in force whether it is committed or not (dissertation 4.1), so
// that truncating it brings the one before back.
import { assert } from '@atoll/base'
import type { Configuration } from './configuration.ts'
import type { Batch, ConfigurationAt, RaftLog, Snapshot } from './raft-log.ts'
import type { LogIndex } from './terms.ts'

export class ConfigurationHistory {
  /** Oldest first; the first one's entry is applied or stands in the snapshot. */
  #known: ConfigurationAt[]

  constructor(log: RaftLog) {
    const { index, configuration } = log.snapshot
    this.#known = [{ index, configuration }, ...log.configurations().filter(entry => entry.index > index)]
  }

  get latest(): ConfigurationAt {
    const latest = this.#known.at(-1)
    assert(latest !== undefined, 'there is always a configuration')
    return latest
  }

  /** The one that the latest replaced, unless that was applied. */
  get before(): Configuration | undefined {
    return this.#known.at(-2)?.configuration
  }

  /** The one in force at `index`, which must not be older than what was last applied. */
  at(index: LogIndex): Configuration | undefined {
    return this.#known.findLast(entry => entry.index <= index)?.configuration
  }

  append(batch: Batch): boolean {
    const before = this.#known.length
    for (const { index, payload } of batch.entries) {
      if (payload.kind === 'configuration') this.#known.push({ index, configuration: payload.configuration })
    }
    return this.#known.length > before
  }

  truncate(from: LogIndex): void {
    assert((this.#known[0]?.index ?? from) < from, 'an applied configuration is never truncated')
    this.#known = this.#known.filter(({ index }) => index < from)
  }

  install({ index, configuration }: Snapshot): void {
    this.#known = [{ index, configuration }]
  }

  /** Forgets what no snapshot can need any more. */
  applied(index: LogIndex): void {
    const current = this.#known.findLastIndex(entry => entry.index <= index)
    if (current > 0) this.#known.splice(0, current)
  }
}
