// What the operations not yet linearized still need, so that a branch of the search that cannot end well is given up at once
// and a step that cannot do harm is not reconsidered. All of it follows from two things a model may tell (`model.ts`): how
// far a state has come, and which values operations need and make. Without them nothing here ever says anything.
import type { Call } from './call.ts'
import type { EntryList } from './entry-list.ts'
import type { Model } from './model.ts'

const NONE = -1

export class Prospects<State, Input, Output> {
  readonly #required: number
  /** The furthest position from which each operation can still happen. */
  readonly #latest: Float64Array
  readonly #positionOf: ((state: State) => number) | undefined
  /** Values by number: needed by each operation, made by it, and how many operations left over do so. */
  readonly #values = new Map<string, number>()
  readonly #needs: Int32Array
  readonly #makes: Int32Array
  readonly #needers: number[] = []
  readonly #makers: number[] = []
  readonly #observes: Uint8Array
  #observers = 0

  constructor(model: Model<State, Input, Output>, calls: readonly Call<Input, Output>[], required: number) {
    this.#required = required
    this.#positionOf = model.position?.bind(model)
    this.#latest = new Float64Array(calls.length).fill(Number.POSITIVE_INFINITY)
    this.#needs = new Int32Array(calls.length).fill(NONE)
    this.#makes = new Int32Array(calls.length).fill(NONE)
    this.#observes = new Uint8Array(calls.length)
    for (const [operation, { input, output }] of calls.entries()) {
      this.#latest[operation] = model.latest?.(input, output) ?? Number.POSITIVE_INFINITY
      const { needs, makes, observes = false } = model.values?.(input, output) ?? { observes: true }
      if (needs !== undefined) this.#needs[operation] = this.#numberOf(needs)
      if (makes !== undefined) this.#makes[operation] = this.#numberOf(makes)
      this.#observes[operation] = Number(observes)
      this.#count(operation, 1)
    }
  }

  /** The number of a state's identity; -1 when no operation needs or makes it. */
  valueOf(identity: string): number {
    return this.#values.get(identity) ?? NONE
  }

  take(operation: number): void {
    this.#count(operation, -1)
  }

  giveBack(operation: number): void {
    this.#count(operation, 1)
  }

  /** True when the state just left is still needed, and nobody is left who could make it again. */
  abandons(value: number): boolean {
    return value !== NONE && (this.#needers[value] ?? 0) > 0 && this.#makers[value] === 0
  }

  /** True when an operation that may come after `taken` could only happen before `state`. */
  misses(state: State, list: EntryList, taken: number): boolean {
    const position = this.#positionOf?.(state)
    if (position === undefined) return false
    for (let entry = list.first; !list.isReturn(entry); entry = list.after(entry)) {
      const operation = list.operationOf(entry)
      if (operation !== taken && (this.#latest[operation] ?? 0) < position) return true
    }
    return false
  }

  /**
   * True for a write that nobody reads, in a state nobody needs any longer. Such writes can stand directly before the next
   * write in any order that holds them later, and nobody could tell.
   */
  harmless(operation: number, value: number): boolean {
    const blind = this.#needs[operation] === NONE && this.#makes[operation] !== NONE
    return (
      blind &&
      this.#observers === 0 &&
      this.#needers[this.#makes[operation] ?? NONE] === 0 &&
      (value === NONE || this.#needers[value] === 0)
    )
  }

  /**
   * True for an operation that perhaps happened, whose value nobody reads, with `next` after it. It could be left out, unless
   * what follows looks at the state in another way.
   */
  useless(operation: number, next: number | undefined): boolean {
    if (operation < this.#required || this.#makes[operation] === NONE) return false
    return this.#needers[this.#makes[operation] ?? NONE] === 0 && (next === undefined ? this.#observers === 0 : this.#observes[next] === 0)
  }

  #count(operation: number, change: 1 | -1): void {
    const needs = this.#needs[operation] ?? NONE
    const makes = this.#makes[operation] ?? NONE
    // What perhaps happened can be left out, so it needs nothing.
    if (needs !== NONE && operation < this.#required) this.#needers[needs] = (this.#needers[needs] ?? 0) + change
    if (makes !== NONE) this.#makers[makes] = (this.#makers[makes] ?? 0) + change
    this.#observers += change * (this.#observes[operation] ?? 0)
  }

  #numberOf(identity: string): number {
    const known = this.#values.get(identity)
    if (known !== undefined) return known
    const number = this.#values.size
    this.#values.set(identity, number)
    this.#needers.push(0)
    this.#makers.push(0)
    return number
  }
}
