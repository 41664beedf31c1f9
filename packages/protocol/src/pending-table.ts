// Requests that wait, found by their correlation id. Ids count up and live shortly, so their low bits are a good index:
// a table of twice as many slots as entries needs no hashing and, unlike a Map whose entries come and go, no garbage.
import { assert } from '@atoll/base'

const SLOTS_MIN = 16

export class PendingTable<Entry extends { readonly id: number }> {
  #slots: (Entry | undefined)[] = new Array<Entry | undefined>(SLOTS_MIN).fill(undefined)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** True when an entry with this id could be added: its slot is free. */
  isFree(id: number): boolean {
    return this.#slots[id & (this.#slots.length - 1)] === undefined
  }

  get(id: number): Entry | undefined {
    const entry = this.#slots[id & (this.#slots.length - 1)]
    return entry?.id === id ? entry : undefined
  }

  add(entry: Entry): void {
    assert(this.isFree(entry.id), 'a pending id has a free slot')
    this.#slots[entry.id & (this.#slots.length - 1)] = entry
    this.#size++
    if (2 * this.#size > this.#slots.length) this.#grow()
  }

  /** Takes `entry` out; false when it was not in. */
  delete(entry: Entry): boolean {
    if (this.get(entry.id) !== entry) return false
    this.#slots[entry.id & (this.#slots.length - 1)] = undefined
    this.#size--
    return true
  }

  /** All entries, in the order of their slots. */
  entries(): Entry[] {
    return this.#slots.filter(entry => entry !== undefined)
  }

  #grow(): void {
    const wider = new Array<Entry | undefined>(2 * this.#slots.length).fill(undefined)
    // Ids that differ in few low bits differ in more of them too.
    for (const entry of this.#slots) if (entry !== undefined) wider[entry.id & (wider.length - 1)] = entry
    this.#slots = wider
  }
}
