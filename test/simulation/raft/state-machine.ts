// What the simulated cluster agrees on: a register per key, and a chained hash of everything applied, so that two
// servers that ever applied something different are told apart by one number.
import type { Entry } from '@atoll/raft'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A command is `key=value`. */
export const command = (key: string, value: number): Uint8Array => encoder.encode(`${key}=${value}`)

export class Registers {
  readonly #values = new Map<string, number>()
  #index = 0
  #hash = 7

  get index(): number {
    return this.#index
  }

  get hash(): number {
    return this.#hash
  }

  get(key: string): number | undefined {
    return this.#values.get(key)
  }

  apply({ index, term, payload }: Entry): void {
    if (index !== this.#index + 1) throw new Error(`applies ${index} after ${this.#index}`)
    this.#index = index
    let hash = Math.imul(this.#hash, 31) + term * 131 + index
    if (payload.kind === 'command') {
      const [key = '', value] = decoder.decode(payload.bytes).split('=')
      this.#values.set(key, Number(value))
      hash = Math.imul(hash, 31) + Number(value)
    }
    this.#hash = hash | 0
  }

  /** Everything, as a snapshot keeps it. */
  encode(): Uint8Array {
    return encoder.encode(JSON.stringify([this.#index, this.#hash, [...this.#values]]))
  }

  static decode(bytes: Uint8Array): Registers {
    const registers = new Registers()
    if (bytes.length === 0) return registers
    const [index, hash, values] = JSON.parse(decoder.decode(bytes)) as [number, number, [string, number][]]
    registers.#index = index
    registers.#hash = hash
    for (const [key, value] of values) registers.#values.set(key, value)
    return registers
  }
}
