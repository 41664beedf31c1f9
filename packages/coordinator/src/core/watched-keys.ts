// Who watches a key: by the key for those who watch one, which are most, and one after the other for ranges.
import type { KeySelection } from '@atoll/protocol'
import type { KeyEvent } from './revisions.ts'
import { selects } from './selection.ts'

export class WatchedKeys {
  readonly #byKey = new Map<string, Set<number>>()
  readonly #ranges = new Map<number, KeySelection>()

  add(watch: number, selection: KeySelection): void {
    if (selection.kind !== 'one') {
      this.#ranges.set(watch, selection)
      return
    }
    const watching = this.#byKey.get(selection.key)
    if (watching === undefined) this.#byKey.set(selection.key, new Set([watch]))
    else watching.add(watch)
  }

  /** Removes a watch, if it is there. */
  remove(watch: number, selection: KeySelection): void {
    this.#ranges.delete(watch)
    const watching = this.#byKey.get(selection.key)
    watching?.delete(watch)
    if (watching?.size === 0) this.#byKey.delete(selection.key)
  }

  /** The watches of which at least one event has a key, each once. */
  concerned(events: readonly KeyEvent[]): ReadonlySet<number> {
    const found = new Set<number>()
    for (const { key } of events) for (const watch of this.#byKey.get(key) ?? []) found.add(watch)
    for (const [watch, selection] of this.#ranges) if (events.some(({ key }) => selects(selection, key))) found.add(watch)
    return found
  }
}
