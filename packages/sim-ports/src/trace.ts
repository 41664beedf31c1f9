// What happened, as a hash that two runs of one seed must share and as lines for a person. The hash folds the time,
// the node, the kind and the bytes of every event.
import type { Compute } from '@atoll/base'

export interface TraceOptions {
  /** Lines kept, the newest ones; 0 keeps none and costs nothing. */
  readonly linesMax: number
  readonly xxhash32: Compute['xxhash32']
}

const SEED_LOW = 0x9e3779b9
const SEED_HIGH = 0x85ebca6b

export class Trace {
  readonly #xxhash32: Compute['xxhash32']
  readonly #linesMax: number
  #lines: string[] = []
  readonly #timeMs = new Float64Array(1)
  readonly #timeWords = new Uint32Array(this.#timeMs.buffer)
  #low = SEED_LOW
  #high = SEED_HIGH

  constructor({ linesMax, xxhash32 }: TraceOptions) {
    this.#xxhash32 = xxhash32
    this.#linesMax = linesMax
  }

  /** 64 bits as 16 hexadecimal digits. */
  get hash(): string {
    const digits = (word: number): string => (word >>> 0).toString(16).padStart(8, '0')
    return digits(this.#high) + digits(this.#low)
  }

  get lines(): readonly string[] {
    return this.#lines.slice(-this.#linesMax)
  }

  record(atMs: number, nodeIndex: number, node: string, kind: string, kindCode: number, bytes: Uint8Array | undefined): void {
    this.#timeMs[0] = atMs
    this.#fold(this.#timeWords[0] as number)
    this.#fold(this.#timeWords[1] as number)
    this.#fold((nodeIndex << 8) ^ kindCode)
    if (bytes !== undefined) {
      this.#fold(bytes.length)
      this.#fold(this.#xxhash32(bytes))
    }
    if (this.#linesMax > 0) this.#keep(line(atMs, node, kind, bytes))
  }

  #keep(text: string): void {
    this.#lines.push(text)
    if (this.#lines.length >= 2 * this.#linesMax) this.#lines = this.#lines.slice(-this.#linesMax)
  }

  /** Two lanes of multiply and rotate; not cryptographic, only sensitive to value and order. */
  #fold(word: number): void {
    const low = Math.imul(this.#low ^ word, 0x85ebca6b)
    this.#low = (low << 13) | (low >>> 19)
    const high = Math.imul((this.#high + word) | 0, 0xc2b2ae35) ^ this.#low
    this.#high = (high << 17) | (high >>> 15)
  }
}

function line(atMs: number, node: string, kind: string, bytes: Uint8Array | undefined): string {
  const size = bytes === undefined ? '' : ` ${bytes.length} B`
  return `${atMs.toFixed(3).padStart(12)} ms  ${node.padEnd(16)} ${kind}${size}`
}
