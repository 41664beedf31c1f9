// Collects the frames of one turn and writes them together: one system call for a thousand small frames. Blocks are
// filled once and never reused, because the network port may still hold what was written.
import type { Clock, Connection } from '@atoll/base'
import { ATTACHMENT_COPY_BYTES_MAX, OUTBOX_BLOCK_BYTES_MAX, OUTBOX_BLOCK_BYTES_MIN } from './limits.ts'

/** A new block is made for so many turns like the last one. */
const TURNS_PER_BLOCK = 8

export class Outbox {
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #onBlocked: () => void
  #block: Uint8Array = new Uint8Array(0)
  /** Bytes of the block from `#start` to `#end` are collected and not yet written. */
  #start = 0
  #end = 0
  /** Bytes of the last write of collected frames: what a connection is used for shows in it. */
  #lastWriteBytes = 0
  #flushDue = false
  readonly #flush = (): void => {
    this.#flushDue = false
    this.flush()
  }

  /** `onBlocked` is called when the connection asks to wait for its drain. */
  constructor(connection: Connection, clock: Clock, onBlocked: () => void) {
    this.#connection = connection
    this.#clock = clock
    this.#onBlocked = onBlocked
  }

  /** Bytes accepted that have not left this process. */
  get queuedBytes(): number {
    return this.#end - this.#start + this.#connection.unsentBytes
  }

  /** Queues one frame: a head that is copied, and an attachment that is the connection’s from here on. */
  add(head: Uint8Array, attachment: Uint8Array): void {
    const copyAttachment = attachment.byteLength <= ATTACHMENT_COPY_BYTES_MAX
    const copied = head.byteLength + (copyAttachment ? attachment.byteLength : 0)
    if (this.#block.byteLength - this.#end < copied) this.#nextBlock(copied)
    this.#block.set(head, this.#end)
    this.#end += head.byteLength
    if (attachment.byteLength > 0) {
      if (copyAttachment) {
        this.#block.set(attachment, this.#end)
        this.#end += attachment.byteLength
      } else {
        this.flush()
        this.#write(attachment)
        return
      }
    }
    if (!this.#flushDue) {
      this.#flushDue = true
      this.#clock.endOfTurn(this.#flush)
    }
  }

  /** Writes what is collected now, without waiting for the end of the turn. */
  flush(): void {
    if (this.#end === this.#start) return
    const bytes = this.#block.subarray(this.#start, this.#end)
    this.#start = this.#end
    this.#lastWriteBytes = bytes.byteLength
    this.#write(bytes)
  }

  #write(bytes: Uint8Array): void {
    if (!this.#connection.write(bytes)) this.#onBlocked()
  }

  /** A block that holds `bytesNeeded`; small where little is said, so that a thousand quiet connections cost little. */
  #nextBlock(bytesNeeded: number): void {
    this.flush()
    const wanted = Math.min(OUTBOX_BLOCK_BYTES_MAX, Math.max(OUTBOX_BLOCK_BYTES_MIN, TURNS_PER_BLOCK * this.#lastWriteBytes))
    this.#block = new Uint8Array(new ArrayBuffer(Math.max(wanted, bytesNeeded)))
    this.#start = 0
    this.#end = 0
  }
}
