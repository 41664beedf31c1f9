// The memory that requests of all clients take together. A large request waits for its room, in order of asking, before a
// byte of it is read; small ones are let through, since the number of connections bounds them.
import { assert } from '@atoll/base'

interface Waiting {
  readonly bytes: number
  readonly granted: () => void
}

export class RequestMemory {
  #freeBytes: number
  readonly #waiting: Waiting[] = []

  constructor(sizeBytes: number) {
    this.#freeBytes = sizeBytes
  }

  get freeBytes(): number {
    return this.#freeBytes
  }

  /** True: the room is taken. False: it is, once `granted` is called. */
  take(bytes: number, granted: () => void): boolean {
    if (this.#waiting.length === 0 && bytes <= this.#freeBytes) {
      this.#freeBytes -= bytes
      return true
    }
    // At most one for each connection.
    this.#waiting.push({ bytes, granted })
    return false
  }

  /** Gives up waiting. */
  cancel(granted: () => void): void {
    const index = this.#waiting.findIndex(waiting => waiting.granted === granted)
    assert(index >= 0, 'only who waits gives up waiting')
    this.#waiting.splice(index, 1)
    this.#grant()
  }

  release(bytes: number): void {
    this.#freeBytes += bytes
    this.#grant()
  }

  #grant(): void {
    for (let next = this.#waiting[0]; next !== undefined && next.bytes <= this.#freeBytes; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#freeBytes -= next.bytes
      next.granted()
    }
  }
}
