// The calls and returns of one history in order of time, as a doubly linked list. Linearizing an operation lifts its two
// entries out, undoing it puts them back where they were, both in constant time (Wing and Gong 1993, section 4; Lowe 2017,
// section 3). Entries are numbered by their place in time, so comparing two numbers tells which comes first.
import { present } from '@atoll/base'

/** Inclusive bounds of the instant at which an operation takes effect. */
export interface Interval {
  readonly t0: number
  readonly t1: number
}

/** Before the first entry. */
const HEAD = 0

/**
 * Operations `0 .. required - 1` must be linearized; they are in order of their calls and stand in the list. The optional
 * ones after them, also in order, may never have happened: they have a place in time but none in the list, since nothing
 * ever waits for them.
 */
export class EntryList {
  readonly required: number
  readonly #next: Int32Array
  readonly #previous: Int32Array
  readonly #operationOf: Int32Array
  readonly #isReturn: Uint8Array
  readonly #callOf: Int32Array
  readonly #returnOf: Int32Array
  /** The last operation called before operation i returned. */
  readonly #lastDuring: Int32Array
  readonly #tail: number

  constructor(intervals: readonly Interval[], required: number) {
    const places = inOrderOfTime(intervals, required)
    const size = places.length + 2
    this.required = required
    this.#tail = size - 1
    this.#next = new Int32Array(size)
    this.#previous = new Int32Array(size)
    this.#operationOf = new Int32Array(size).fill(required)
    this.#isReturn = new Uint8Array(size)
    this.#callOf = new Int32Array(intervals.length)
    this.#returnOf = new Int32Array(intervals.length)
    this.#lastDuring = new Int32Array(required)
    let last = HEAD
    let called = 0
    for (const [index, { operation, isReturn }] of places.entries()) {
      const entry = index + 1
      const side = isReturn ? this.#returnOf : this.#callOf
      side[operation] = entry
      if (operation >= required) continue
      this.#operationOf[entry] = operation
      this.#isReturn[entry] = isReturn ? 1 : 0
      if (isReturn) this.#lastDuring[operation] = called - 1
      else called++
      this.#link(last, entry)
      last = entry
    }
    // The tail counts as a return: a walk over the calls that may come next stops at it.
    this.#isReturn[this.#tail] = 1
    this.#link(last, this.#tail)
  }

  get empty(): boolean {
    return this.#next[HEAD] === this.#tail
  }

  /** The first entry left: the call of the earliest operation not yet linearized, or the tail. */
  get first(): number {
    return at(this.#next, HEAD)
  }

  /** The earliest return left. Only operations called before it can be linearized next. */
  get firstReturn(): number {
    let entry = this.first
    while (!this.isReturn(entry)) entry = this.after(entry)
    return entry
  }

  /** The earliest operation not yet linearized; `required` when there is none. */
  get firstOperation(): number {
    return at(this.#operationOf, this.first)
  }

  after(entry: number): number {
    return at(this.#next, entry)
  }

  isReturn(entry: number): boolean {
    return this.#isReturn[entry] === 1
  }

  operationOf(entry: number): number {
    return at(this.#operationOf, entry)
  }

  callOf(operation: number): number {
    return at(this.#callOf, operation)
  }

  /** The last operation called before `operation` returned: while that one is not linearized, none after this one is. */
  lastDuring(operation: number): number {
    return at(this.#lastDuring, operation)
  }

  lift(operation: number): void {
    this.#unlink(at(this.#callOf, operation))
    this.#unlink(at(this.#returnOf, operation))
  }

  /** Undoes the latest `lift` that was not undone: its entries still know their neighbours. */
  unlift(operation: number): void {
    this.#relink(at(this.#returnOf, operation))
    this.#relink(at(this.#callOf, operation))
  }

  #link(before: number, after: number): void {
    this.#next[before] = after
    this.#previous[after] = before
  }

  #unlink(entry: number): void {
    this.#link(at(this.#previous, entry), at(this.#next, entry))
  }

  #relink(entry: number): void {
    this.#next[at(this.#previous, entry)] = entry
    this.#previous[at(this.#next, entry)] = entry
  }
}

interface Place {
  readonly time: number
  readonly operation: number
  readonly isReturn: boolean
}

/** At one time calls come before returns: what may have overlapped is taken as concurrent. */
function inOrderOfTime(intervals: readonly Interval[], required: number): Place[] {
  const places = intervals.flatMap(({ t0, t1 }, operation): Place[] => {
    const call: Place = { time: t0, operation, isReturn: false }
    return operation < required ? [call, { time: t1, operation, isReturn: true }] : [call]
  })
  // Infinity minus itself is no number, so times are compared, not subtracted.
  const later = (a: Place, b: Place) => (a.time === b.time ? 0 : a.time < b.time ? -1 : 1)
  return places.sort((a, b) => later(a, b) || Number(a.isReturn) - Number(b.isReturn) || a.operation - b.operation)
}

/** An index that the list made itself is always in bounds. */
function at(array: Int32Array, index: number): number {
  return present(array[index], 'an entry of the list')
}
