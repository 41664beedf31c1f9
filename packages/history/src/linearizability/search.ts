// Is there an order of these operations that keeps real time and that the model could have answered? The search of Wing and
// Gong ("Testing and verifying concurrent objects", 1993) with Lowe's cache of configurations (2017), in the iterative form of
// Anish Athalye's porcupine. It walks the calls before the earliest return; one the model accepts is linearized (lifted out
// of the list), and when the earliest return is reached with nothing accepted, the latest decision is undone.
//
// Beyond the papers, three things that keep answers the same and make the search short:
// - An operation that fits now and never changes anything is linearized at once and not reconsidered: whatever order holds it
//   later also works with it here. Reads go first, so a read costs one step instead of doubling the search.
// - An operation of unknown outcome is tried last and only matters until it is used (`configurations.ts`).
// - A branch after which something left over can no longer happen is not entered (`prospects.ts`).
// - States are numbered, so that comparing configurations compares integers.
import { present } from '@atoll/base'
import type { Call } from './call.ts'
import { Configurations } from './configurations.ts'
import { EntryList } from './entry-list.ts'
import { LinearizedSet } from './linearized-set.ts'
import type { Model } from './model.ts'
import { Prospects } from './prospects.ts'

export type Verdict = 'linearizable' | 'not linearizable' | 'unknown'

/** A partial linearization: which operations, and the state after each. */
export interface Prefix<State, Input, Output> {
  readonly calls: readonly Call<Input, Output>[]
  readonly states: readonly State[]
  /** The operation whose return could not be passed; undefined when all are linearized. */
  readonly stuck: Call<Input, Output> | undefined
}

/** Configurations compared in the time of one operation tried on a state. */
const PROBES_PER_STEP = 8

interface Decision {
  readonly operation: number
  /** State before it. */
  readonly state: number
  /** Nothing else has to be tried in its place. */
  readonly forced: boolean
}

export class Search<State, Input, Output> {
  readonly #model: Model<State, Input, Output>
  readonly #calls: readonly Call<Input, Output>[]
  readonly #readOnly: Uint8Array
  readonly #list: EntryList
  readonly #set: LinearizedSet
  readonly #tried: Configurations
  readonly #prospects: Prospects<State, Input, Output>
  readonly #states: State[] = []
  /** Per state, its number as a value that operations need. */
  readonly #values: number[] = []
  readonly #stateIds = new Map<string, number>()
  readonly #decisions: Decision[] = []
  #state = 0
  /** Where the walk over the calls stands: first over the reads, then over all others, then over the optional operations. */
  #entry: number
  #reading = true
  #nextOptional: number
  /** Required operations in `#decisions`. */
  #depth = 0
  /** The decisions of the longest partial linearization so far, what they led to, and how many of them are still those of `#decisions`. */
  readonly #best: Decision[] = []
  #bestEnd: { readonly state: number; readonly required: number; readonly stuck: number | undefined } = {
    state: 0,
    required: -1,
    stuck: undefined,
  }
  #shared = 0
  #steps = 0
  #verdict: Verdict = 'unknown'

  /** `calls` are the required operations in order of their calls, then the optional ones in order of theirs. */
  constructor(model: Model<State, Input, Output>, calls: readonly Call<Input, Output>[], required: number, wordsMax: number) {
    this.#model = model
    this.#calls = calls
    this.#readOnly = Uint8Array.from(calls, ({ input, output }) => Number(model.readOnly(input, output)))
    this.#list = new EntryList(
      calls.map(({ operation }) => operation),
      required,
    )
    this.#set = new LinearizedSet(required, calls.length - required)
    this.#tried = new Configurations(this.#list, this.#set, wordsMax)
    this.#prospects = new Prospects(model, calls, required)
    this.#idOf(model.initial)
    this.#entry = this.#list.first
    this.#nextOptional = required
  }

  /** The work so far: operations tried on a state, and configurations compared at their lower price. */
  get steps(): number {
    return this.#steps + Math.floor(this.#tried.probes / PROBES_PER_STEP)
  }

  get configurations(): number {
    return this.#tried.count
  }

  /** Searches until it knows, `stepsMax` steps were made since the start, or the memory for configurations is full. */
  advance(stepsMax: number): Verdict {
    while (this.#verdict === 'unknown' && this.steps < stepsMax && !this.#tried.full) {
      if (this.#list.empty) {
        this.#keepLongest()
        this.#verdict = 'linearizable'
        break
      }
      const operation = this.#nextCandidate()
      if (operation !== undefined) this.#try(operation)
      else if (!this.#backtrack()) this.#verdict = 'not linearizable'
    }
    if (this.#verdict === 'unknown') this.#keepLongest()
    return this.#verdict
  }

  /** The most that could be linearized; everything, when the verdict is `linearizable`. */
  get longest(): Prefix<State, Input, Output> {
    const { state, stuck } = this.#bestEnd
    const after = this.#best.map((_, index) => this.#best[index + 1]?.state ?? state)
    return {
      calls: this.#best.map(({ operation }) => present(this.#calls[operation], 'operation')),
      states: after.map(id => this.#states[id] as State),
      stuck: stuck === undefined ? undefined : this.#calls[stuck],
    }
  }

  /** The next operation that may come here and was not tried here yet. */
  #nextCandidate(): number | undefined {
    for (;;) {
      while (!this.#list.isReturn(this.#entry)) {
        const operation = this.#list.operationOf(this.#entry)
        this.#entry = this.#list.after(this.#entry)
        if ((this.#readOnly[operation] === 1) === this.#reading) return operation
      }
      if (!this.#reading) break
      this.#reading = false
      this.#entry = this.#list.first
    }
    while (this.#nextOptional < this.#calls.length && this.#list.callOf(this.#nextOptional) < this.#entry) {
      const operation = this.#nextOptional++
      if (!this.#set.has(operation)) return operation
    }
    return undefined
  }

  #try(operation: number): void {
    this.#steps++
    const { input, output } = present(this.#calls[operation], 'operation')
    const before = this.#states[this.#state] as State
    const after = this.#model.step(before, input, output)
    if (after === undefined || (after !== before && this.#prospects.misses(after, this.#list, operation))) return
    const state = after === before ? this.#state : this.#idOf(after)
    const changes = state !== this.#state
    // A perhaps is of no use unless it leads somewhere.
    if (operation >= this.#list.required && (!changes || this.#prospects.useless(operation, undefined))) return
    const last = this.#decisions.at(-1)
    if (last !== undefined && this.#prospects.useless(last.operation, operation)) return
    const left = this.#values[this.#state] ?? 0
    const forced = (!changes && this.#readOnly[operation] === 1) || this.#prospects.harmless(operation, left)
    this.#apply(operation)
    const hopeless = changes && this.#prospects.abandons(left)
    if (hopeless || (!forced && !this.#tried.add(state))) {
      this.#undo(operation)
      return
    }
    this.#decisions.push({ operation, state: this.#state, forced })
    this.#state = state
    this.#restartAt(this.#list.first, true, this.#list.required)
  }

  /** Undoes decisions up to and including the latest that had an alternative; false when there was none. */
  #backtrack(): boolean {
    this.#keepLongest()
    for (;;) {
      const decision = this.#decisions.pop()
      if (decision === undefined) return false
      this.#shared = Math.min(this.#shared, this.#decisions.length)
      this.#undo(decision.operation)
      this.#state = decision.state
      if (decision.forced) continue
      const { operation } = decision
      const wasRead = this.#readOnly[operation] === 1
      if (operation < this.#list.required) this.#restartAt(this.#list.after(this.#list.callOf(operation)), wasRead, this.#list.required)
      else this.#restartAt(this.#list.firstReturn, false, operation + 1)
      return true
    }
  }

  #restartAt(entry: number, reading: boolean, nextOptional: number): void {
    this.#entry = entry
    this.#reading = reading
    this.#nextOptional = nextOptional
  }

  #apply(operation: number): void {
    this.#set.flip(operation)
    this.#prospects.take(operation)
    if (operation >= this.#list.required) return
    this.#list.lift(operation)
    this.#depth++
  }

  #undo(operation: number): void {
    this.#set.flip(operation)
    this.#prospects.giveBack(operation)
    if (operation >= this.#list.required) return
    this.#list.unlift(operation)
    this.#depth--
  }

  #idOf(state: State): number {
    const identity = this.#model.identity(state)
    const known = this.#stateIds.get(identity)
    if (known !== undefined) return known
    this.#stateIds.set(identity, this.#states.length)
    this.#values.push(this.#prospects.valueOf(identity))
    return this.#states.push(state) - 1
  }

  /** Copies only what changed since the last time, so that a search that digs ever deeper does not copy all of it each time. */
  #keepLongest(): void {
    if (this.#depth <= this.#bestEnd.required) return
    this.#best.length = this.#shared
    for (let index = this.#shared; index < this.#decisions.length; index++) this.#best.push(present(this.#decisions[index], 'decision'))
    this.#shared = this.#decisions.length
    const stuck = this.#list.empty ? undefined : this.#list.operationOf(this.#list.firstReturn)
    this.#bestEnd = { state: this.#state, required: this.#depth, stuck }
  }
}
