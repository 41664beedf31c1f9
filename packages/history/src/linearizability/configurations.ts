// The configurations (operations linearized, state reached) that were already tried: Lowe's improvement of Wing and Gong's
// search ("Testing for linearizability", 2017, section 3.2), without which it repeats itself exponentially often.
//
// Two things make a configuration small here. Operations are numbered by their calls, and while the earliest one left is b,
// everything before b is linearized and nothing called after b's return is: only the bits between have to be kept. And an
// operation that perhaps never happened can only help while it is still unused: what failed with some of these used also
// fails with more of them used, so a stored configuration answers for every other with a superset of its optional ones.
import { present } from '@atoll/base'
import type { EntryList } from './entry-list.ts'
import { type LinearizedSet, scrambled } from './linearized-set.ts'

/** The members, and any hash of them: two sets with one hash are still told apart. */
type Members = Pick<LinearizedSet, 'words' | 'optionalStart' | 'hash'>

/** Words before the bits: position of the next record of the same bucket, hash, state, earliest operation left. */
const HEADER_WORDS = 4
/** Records per bucket, on average, before there are twice as many buckets. */
const LOAD_MAX = 2

export class Configurations {
  readonly #list: EntryList
  readonly #set: Members
  readonly #wordsMax: number
  /** Position of the first record of each bucket; 0 is none. */
  #buckets = new Int32Array(1 << 12)
  #words = new Uint32Array(1 << 14)
  #end = 1
  #count = 0
  #probes = 0

  constructor(list: EntryList, set: Members, wordsMax: number) {
    this.#list = list
    this.#set = set
    this.#wordsMax = wordsMax
  }

  get count(): number {
    return this.#count
  }

  /** Records compared so far: work that the search counts as its own. */
  get probes(): number {
    return this.#probes
  }

  /** True when there is no room for another record. */
  get full(): boolean {
    return this.#end + HEADER_WORDS + this.#set.words.length > this.#wordsMax
  }

  /** Remembers the current configuration with `state`; false when it was tried before, or one that could do at least as much. */
  add(state: number): boolean {
    const first = this.#list.firstOperation
    const from = first >>> 5
    // Past the last operation there is nothing left to tell apart.
    const to = first === this.#list.required ? from : (this.#list.lastDuring(first) >>> 5) + 1
    const hash = scrambled(this.#set.hash ^ Math.imul(state + 1, 0x9e3779b1)) >>> 0
    for (let at = this.#bucket(hash); at !== 0; at = present(this.#words[at], 'record')) {
      this.#probes++
      const alike = this.#words[at + 1] === hash && this.#words[at + 2] === state && this.#words[at + 3] === first
      if (alike && this.#answersFor(at + HEADER_WORDS, from, to)) return false
    }
    this.#append([hash, state, first], from, to)
    return true
  }

  /** Whether the record has the same required operations between the words `from` and `to`, and no other optional ones. */
  #answersFor(at: number, from: number, to: number): boolean {
    const { words, optionalStart } = this.#set
    let stored = at
    for (let word = from; word < to; word++) if (this.#words[stored++] !== words[word]) return false
    for (let word = optionalStart; word < words.length; word++)
      if ((present(this.#words[stored++], 'record') & ~present(words[word], 'word')) !== 0) return false
    return true
  }

  #append(header: readonly [hash: number, state: number, first: number], from: number, to: number): void {
    const { words, optionalStart } = this.#set
    const [hash] = header
    const at = this.#end
    this.#end += HEADER_WORDS + (to - from) + (words.length - optionalStart)
    if (this.#end > this.#words.length) this.#words = widened(this.#words)
    this.#words.set(header, at + 1)
    this.#words.set(words.subarray(from, to), at + HEADER_WORDS)
    this.#words.set(words.subarray(optionalStart), at + HEADER_WORDS + (to - from))
    this.#insert(at, hash)
    this.#count++
    if (this.#count > this.#buckets.length * LOAD_MAX) this.#rehash()
  }

  #bucket(hash: number): number {
    return present(this.#buckets[hash & (this.#buckets.length - 1)], 'bucket')
  }

  #insert(at: number, hash: number): void {
    this.#words[at] = this.#bucket(hash)
    this.#buckets[hash & (this.#buckets.length - 1)] = at
  }

  #rehash(): void {
    const old = this.#buckets
    this.#buckets = new Int32Array(old.length * 4)
    for (let at of old) {
      while (at !== 0) {
        const next = present(this.#words[at], 'record')
        this.#insert(at, present(this.#words[at + 1], 'record'))
        at = next
      }
    }
  }
}

function widened(words: Uint32Array): Uint32Array<ArrayBuffer> {
  const wider = new Uint32Array(words.length * 2)
  wider.set(words)
  return wider
}
