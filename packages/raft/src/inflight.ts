// Appends sent to one peer and not yet answered: a window in messages and in bytes.
import { assert } from '@atoll/base'
import type { LogIndex } from './terms.ts'

interface Sent {
  readonly lastIndex: LogIndex
  readonly bytes: number
  readonly sentMs: number
}

export class Inflight {
  readonly #messagesMax: number
  readonly #bytesMax: number
  #sent: Sent[] = []
  #bytes = 0

  constructor(messagesMax: number, bytesMax: number) {
    this.#messagesMax = messagesMax
    this.#bytesMax = bytesMax
  }

  get messages(): number {
    return this.#sent.length
  }

  get bytes(): number {
    return this.#bytes
  }

  get oldestMs(): number | undefined {
    return this.#sent[0]?.sentMs
  }

  /** A message may make the bytes exceed their bound by itself, never on top of others. */
  hasRoomFor(bytes: number): boolean {
    return this.#sent.length < this.#messagesMax && (this.#bytes === 0 || this.#bytes + bytes <= this.#bytesMax)
  }

  add(sent: Sent): void {
    assert(this.hasRoomFor(sent.bytes), 'no more in flight than a peer may have')
    this.#sent.push(sent)
    this.#bytes += sent.bytes
  }

  /** Everything up to `index` has been answered. */
  answered(index: LogIndex): void {
    while (this.#sent[0] !== undefined && this.#sent[0].lastIndex <= index) this.#bytes -= this.#sent.shift()?.bytes ?? 0
  }

  clear(): void {
    this.#sent = []
    this.#bytes = 0
  }
}
