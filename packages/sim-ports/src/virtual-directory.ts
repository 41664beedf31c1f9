// Directories as a journaling file system keeps them: a name is made, changed or removed at once for every process, and
// on the device some time later, in the order it was done; power loss keeps a beginning of what was not synced.
import type { Random } from '@atoll/base'
import type { VirtualFile } from './virtual-file.ts'

export type Entry = VirtualFile | VirtualDirectory

interface Change {
  readonly name: string
  /** Undefined: the name is gone. */
  readonly entry: Entry | undefined
}

export class VirtualDirectory {
  #entries = new Map<string, Entry>()
  #durable = new Map<string, Entry>()
  /** Steps since the last sync; a rename is one step with two changes. */
  #steps: (readonly Change[])[] = []
  #durableSteps = 0

  get(name: string): Entry | undefined {
    return this.#entries.get(name)
  }

  /** In order of names. */
  entries(): readonly (readonly [string, Entry])[] {
    return [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1))
  }

  /** Does all of `changes` in one step. */
  change(...changes: readonly Change[]): void {
    for (const { name, entry } of changes) {
      if (entry === undefined) this.#entries.delete(name)
      else this.#entries.set(name, entry)
    }
    this.#steps.push(changes)
  }

  /** Steps ever done: what a sync that begins now covers. */
  get stepsDone(): number {
    return this.#durableSteps + this.#steps.length
  }

  /** All steps up to `through` are on the device. */
  settle(through: number): void {
    const count = Math.max(0, through - this.#durableSteps)
    this.#durableSteps += count
    for (const step of this.#steps.splice(0, count)) {
      for (const { name, entry } of step) {
        if (entry === undefined) this.#durable.delete(name)
        else this.#durable.set(name, entry)
      }
    }
  }

  /** Answers the number of steps that were lost. */
  losePower(keep: 'all' | 'none' | 'some', random: Random): number {
    const pending = this.#steps.length
    const kept = keep === 'all' ? pending : keep === 'none' ? 0 : random.below(pending + 1)
    this.settle(this.#durableSteps + kept)
    this.#steps = []
    this.#entries = new Map(this.#durable)
    return pending - kept
  }

  /** Every file at or below this directory, and every directory with its path. */
  *walk(path = ''): Generator<readonly [string, Entry]> {
    for (const [name, entry] of this.entries()) {
      const below = path === '' ? name : `${path}/${name}`
      yield [below, entry]
      if (entry instanceof VirtualDirectory) yield* entry.walk(below)
    }
  }
}
