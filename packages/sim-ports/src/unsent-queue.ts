// What a simulated process has written and its kernel has not taken yet. It is memory of the process and dies with it.
import type { Pipe } from './pipe.ts'

export class UnsentQueue {
  #pieces: Uint8Array[] = []
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  push(bytes: Uint8Array): void {
    this.#pieces.push(bytes)
    this.#bytes += bytes.length
  }

  /** Puts on the wire what the kernel has room for. */
  moveTo(pipe: Pipe): void {
    while (this.#pieces.length > 0 && pipe.roomBytes > 0) {
      const first = this.#pieces[0] as Uint8Array
      const taken = first.subarray(0, pipe.roomBytes)
      if (taken.length === first.length) this.#pieces.shift()
      else this.#pieces[0] = first.subarray(taken.length)
      this.#bytes -= taken.length
      pipe.send(taken)
    }
  }

  clear(): void {
    this.#pieces = []
    this.#bytes = 0
  }
}
