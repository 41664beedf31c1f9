// A first-in, first-out queue with a bound: a full one says so, and the caller decides what full means.
import { assert } from './assert.ts'

/** Ring buffer of at most `capacity` items. `push` answers false when full; nothing is ever dropped silently. */
export class BoundedQueue<T> {
  readonly capacity: number
  #slots: (T | undefined)[]
  #head = 0
  #length = 0

  constructor(capacity: number) {
    assert(Number.isSafeInteger(capacity) && capacity > 0, 'queue capacity is a positive integer')
    this.capacity = capacity
    this.#slots = new Array<T | undefined>(Math.min(capacity, 16)).fill(undefined)
  }

  get length(): number {
    return this.#length
  }

  get full(): boolean {
    return this.#length === this.capacity
  }

  /** Appends `item`, or answers false when the queue is full. */
  push(item: T): boolean {
    if (this.#length === this.capacity) return false
    if (this.#length === this.#slots.length) this.#grow()
    this.#slots[(this.#head + this.#length) % this.#slots.length] = item
    this.#length++
    return true
  }

  /** Removes and returns the oldest item; undefined when empty. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined
    const item = this.#slots[this.#head]
    this.#slots[this.#head] = undefined
    this.#head = (this.#head + 1) % this.#slots.length
    this.#length--
    return item
  }

  /** The oldest item, left in place. */
  peek(): T | undefined {
    return this.#length === 0 ? undefined : this.#slots[this.#head]
  }

  clear(): void {
    this.#slots.fill(undefined)
    this.#head = 0
    this.#length = 0
  }

  #grow(): void {
    const wider = new Array<T | undefined>(Math.min(this.capacity, this.#slots.length * 2)).fill(undefined)
    for (let i = 0; i < this.#length; i++) wider[i] = this.#slots[(this.#head + i) % this.#slots.length]
    this.#slots = wider
    this.#head = 0
  }
}
