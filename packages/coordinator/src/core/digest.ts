// A digest of what was applied, so that replicas that went apart notice it: two lanes of MurmurHash3's mixing (Appleby),
// 64 bits in all. It finds bugs and bad memory; it is no defence against somebody who wants it to match.

const C1 = 0xcc9e2d51
const C2 = 0x1b873593

export class Digest {
  /** The lanes are signed while they are mixed: small integers, where others would each be made on the heap. */
  #a: number
  #b: number

  constructor(a = 0x9747b28c, b = 0x3c6ef372) {
    this.#a = a | 0
    this.#b = b | 0
  }

  /** Both lanes: what a snapshot carries, so that a restored replica goes on where it was. */
  get lanes(): readonly [number, number] {
    return [this.#a >>> 0, this.#b >>> 0]
  }

  /** 16 hexadecimal digits. */
  get text(): string {
    return this.lanes.map(lane => lane.toString(16).padStart(8, '0')).join('')
  }

  /** A non-negative safe integer. */
  number(value: number): this {
    this.#mix(value | 0)
    this.#mix(Math.floor(value / 4_294_967_296))
    return this
  }

  string(value: string): this {
    this.#mix(value.length)
    for (let i = 0; i < value.length; i++) this.#mix(value.charCodeAt(i))
    return this
  }

  bytes(value: Uint8Array): this {
    this.#mix(value.length)
    const whole = value.length & ~3
    let i = 0
    for (; i < whole; i += 4)
      this.#mix(
        (value[i] as number) | ((value[i + 1] as number) << 8) | ((value[i + 2] as number) << 16) | ((value[i + 3] as number) << 24),
      )
    for (; i < value.length; i++) this.#mix(value[i] as number)
    return this
  }

  #mix(word: number): void {
    let k = Math.imul(word, C1)
    k = Math.imul((k << 15) | (k >>> 17), C2)
    const a = this.#a ^ k
    this.#a = (Math.imul((a << 13) | (a >>> 19), 5) + 0xe6546b64) | 0
    const b = this.#b ^ Math.imul(k, 0x85ebca6b)
    this.#b = (Math.imul((b << 17) | (b >>> 15), 9) + 0x38b34ae5) | 0
  }
}
