// Deadlines of many things, without a timer for any: a binary heap that says which is due next. What is no longer waited for
// is left in it until its time comes.

interface Due {
  readonly atMs: number
  readonly item: number
}

export class Deadlines {
  readonly #heap: Due[] = []

  /** Of all in here, also those that nobody waits for any more. */
  get nextMs(): number {
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY
  }

  get length(): number {
    return this.#heap.length
  }

  add(atMs: number, item: number): void {
    const heap = this.#heap
    const due = { atMs, item }
    let place = heap.push(due) - 1
    while (place > 0) {
      const parent = (place - 1) >> 1
      const above = heap[parent] as Due
      if (above.atMs <= atMs) break
      heap[place] = above
      place = parent
    }
    heap[place] = due
  }

  /** One that is due, which leaves; undefined when none is. */
  takeDue(now: number): number | undefined {
    const heap = this.#heap
    const first = heap[0]
    if (first === undefined || first.atMs > now) return undefined
    const last = heap.pop() as Due
    if (heap.length > 0) this.#sink(last)
    return first.item
  }

  #sink(due: Due): void {
    const heap = this.#heap
    let place = 0
    for (;;) {
      let child = place * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && (heap[child + 1] as Due).atMs < (heap[child] as Due).atMs) child++
      if ((heap[child] as Due).atMs >= due.atMs) break
      heap[place] = heap[child] as Due
      place = child
    }
    heap[place] = due
  }
}
