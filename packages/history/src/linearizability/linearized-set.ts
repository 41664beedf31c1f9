// Which operations a partial linearization holds: a bitset, with a hash that one operation more or less changes in constant
// time (Zobrist 1970: the exclusive-or of one random number per member).

export class LinearizedSet {
  readonly words: Uint32Array
  /** First word of the optional operations; they start at a word of their own. */
  readonly optionalStart: number
  readonly #required: number
  readonly #numbers: Int32Array
  /** Of the required members only: configurations that differ in optional ones must meet in the cache. */
  #hash = 0

  constructor(required: number, optional: number) {
    this.#required = required
    this.optionalStart = (required + 31) >>> 5
    this.words = new Uint32Array(this.optionalStart + ((optional + 31) >>> 5))
    this.#numbers = Int32Array.from({ length: required }, (_, operation) => scrambled(operation + 1))
  }

  get hash(): number {
    return this.#hash
  }

  has(operation: number): boolean {
    const bit = this.#bitOf(operation)
    return (((this.words[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 1
  }

  /** Adds the operation, or takes it out. */
  flip(operation: number): void {
    const bit = this.#bitOf(operation)
    const word = bit >>> 5
    this.words[word] = (this.words[word] ?? 0) ^ (1 << (bit & 31))
    if (operation < this.#required) this.#hash ^= this.#numbers[operation] ?? 0
  }

  #bitOf(operation: number): number {
    return operation < this.#required ? operation : (this.optionalStart << 5) + operation - this.#required
  }
}

/** A bijection of 32-bit integers that leaves no pattern (the finalizer of MurmurHash3, Appleby). */
export function scrambled(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
