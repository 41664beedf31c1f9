// A binary heap of things to do at a simulated time; those of one time are done in the order they were added.

interface Entry {
  readonly at: number
  readonly order: number
  readonly task: () => void
}

const before = (a: Entry, b: Entry) => a.at < b.at || (a.at === b.at && a.order < b.order)

export class EventQueue {
  readonly #heap: Entry[] = []
  #order = 0
  #now = 0

  /** Simulated time, in milliseconds. */
  get now(): number {
    return this.#now
  }

  add(at: number, task: () => void): void {
    const heap = this.#heap
    const entry: Entry = { at: Math.max(at, this.#now), order: this.#order++, task }
    let index = heap.length
    heap.push(entry)
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent] as Entry
      if (!before(entry, above)) break
      heap[index] = above
      index = parent
    }
    heap[index] = entry
  }

  /** Does everything up to `until`, or until `done` says so after a task. Returns whether it did. */
  runUntil(until: number, done: () => boolean = () => false): boolean {
    for (let next = this.#heap[0]; next !== undefined && next.at <= until; next = this.#heap[0]) {
      this.#removeFirst()
      this.#now = next.at
      next.task()
      if (done()) return true
    }
    this.#now = until
    return done()
  }

  #removeFirst(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      let child = index * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child++
      if (!before(heap[child] as Entry, last)) break
      heap[index] = heap[child] as Entry
      index = child
    }
    heap[index] = last
  }
}
