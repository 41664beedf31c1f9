// Keys in order. JavaScript has no sorted map; this one is a list of short sorted lists, the leaves of a B+ tree under a
// single node: finding is two bisections, inserting moves at most one leaf and, when a leaf splits, the list of leaves.
// Keys are compared as JavaScript compares strings: by UTF-16 code units.

/** Entries in a leaf before it splits. */
const LEAF_ENTRIES_MAX = 512

export interface Keyed {
  readonly key: string
}

export class KeyIndex<T extends Keyed> {
  /** None is empty, but for the only one. */
  readonly #leaves: T[][] = [[]]
  #size = 0

  get size(): number {
    return this.#size
  }

  get(key: string): T | undefined {
    const leaf = this.#leaves[this.#leafOf(key)] as T[]
    const found = leaf[placeOf(leaf, key)]
    return found?.key === key ? found : undefined
  }

  /** Adds an entry whose key is not there yet. */
  add(entry: T): void {
    const at = this.#leafOf(entry.key)
    const leaf = this.#leaves[at] as T[]
    leaf.splice(placeOf(leaf, entry.key), 0, entry)
    this.#size++
    if (leaf.length <= LEAF_ENTRIES_MAX) return
    // Keys that come in order leave full leaves behind, not half empty ones.
    const ascending = at === this.#leaves.length - 1 && leaf[leaf.length - 1] === entry
    this.#leaves.splice(at + 1, 0, leaf.splice(ascending ? leaf.length - 1 : leaf.length >>> 1))
  }

  remove(key: string): void {
    const at = this.#leafOf(key)
    const leaf = this.#leaves[at] as T[]
    const place = placeOf(leaf, key)
    if (leaf[place]?.key !== key) return
    leaf.splice(place, 1)
    this.#size--
    if (leaf.length === 0 && this.#leaves.length > 1) this.#leaves.splice(at, 1)
  }

  /** Entries from `key` on (inclusive), in order. The index must not change before the last one was taken. */
  *from(key: string): Generator<T, void> {
    const first = this.#leafOf(key)
    for (let at = first; at < this.#leaves.length; at++) {
      const leaf = this.#leaves[at] as T[]
      for (let place = at === first ? placeOf(leaf, key) : 0; place < leaf.length; place++) yield leaf[place] as T
    }
  }

  /** The last leaf that begins at or before `key`, or the first. */
  #leafOf(key: string): number {
    let low = 0
    let high = this.#leaves.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      const begins = (this.#leaves[middle] as T[])[0]
      if (begins !== undefined && begins.key <= key) low = middle
      else high = middle - 1
    }
    return low
  }
}

/** Where `key` stands or would stand. */
function placeOf(leaf: readonly Keyed[], key: string): number {
  let low = 0
  let high = leaf.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((leaf[middle] as Keyed).key < key) low = middle + 1
    else high = middle
  }
  return low
}
