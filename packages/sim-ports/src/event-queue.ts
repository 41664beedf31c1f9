// The queue of coming events, earliest first; of two at the same instant the one scheduled first. A binary heap whose
// events know their place, so that a cancelled one leaves at once: most timers of a cluster are cancelled.
import { assert } from '@atoll/base'

/** Something that will happen. Made by the scheduler only. */
export interface Queued {
  readonly atMs: number
  readonly sequence: number
  /** Index in the heap; -1 when it is not in it. Changed by the queue. */
  place: number
}

export class EventQueue<Event extends Queued> {
  readonly #heap: Event[] = []

  get length(): number {
    return this.#heap.length
  }

  get nextMs(): number {
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY
  }

  push(event: Event): void {
    assert(event.place === -1, 'an event is queued once')
    this.#heap.push(event)
    this.#rise(event, this.#heap.length - 1)
  }

  pop(): Event | undefined {
    const first = this.#heap[0]
    if (first !== undefined) this.remove(first)
    return first
  }

  /** Takes `event` out; one that is not in the queue any more is left alone. */
  remove(event: Event): void {
    const { place } = event
    if (place === -1) return
    event.place = -1
    const last = this.#heap.pop() as Event
    if (last === event) return
    this.#rise(last, place)
    this.#sink(last, last.place)
  }

  #rise(event: Event, from: number): void {
    const heap = this.#heap
    let place = from
    while (place > 0) {
      const parentPlace = (place - 1) >> 1
      const parent = heap[parentPlace] as Event
      if (!isBefore(event, parent)) break
      heap[place] = parent
      parent.place = place
      place = parentPlace
    }
    heap[place] = event
    event.place = place
  }

  #sink(event: Event, from: number): void {
    const heap = this.#heap
    const { length } = heap
    let place = from
    for (;;) {
      let childPlace = 2 * place + 1
      if (childPlace >= length) break
      let child = heap[childPlace] as Event
      const right = heap[childPlace + 1]
      if (right !== undefined && isBefore(right, child)) {
        child = right
        childPlace++
      }
      if (!isBefore(child, event)) break
      heap[place] = child
      child.place = place
      place = childPlace
    }
    heap[place] = event
    event.place = place
  }
}

function isBefore(a: Queued, b: Queued): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence)
}
