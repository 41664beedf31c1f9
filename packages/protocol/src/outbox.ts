// Collects the frames of one turn and writes them together: one system call for a thousand small frames. Blocks are
// filled once and never reused, because the network port may still hold what was written.
import type { Clock, Connection } from '@atoll/base'
import { ATTACHMENT_COPY_BYTES_MAX, KiB, OUTBOX_BLOCK_BYTES_MAX, OUTBOX_BLOCK_BYTES_MIN, OUTBOX_TURN_BYTES_MAX } from './limits.ts'

/** A new block is made for so many turns like the last one. */
const TURNS_PER_BLOCK = 8
const SETTLED = Promise.resolve()
/** So much goes out before the turn is over, so that the peer works while we do. */
const WORTH_A_WRITE_BYTES = 16 * KiB

export class Outbox {
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #onBlocked: () => void
  #block: Uint8Array = new Uint8Array(0)
  /** Bytes of the block from `#start` to `#end` are collected and not yet among the pieces. */
  #start = 0
  #end = 0
  /** What goes out before those: parts of blocks, and attachments too large to copy. */
  #pieces: Uint8Array[] = []
  #piecesBytes = 0
  /** Bytes of the last write: what a connection is used for shows in it. */
  #lastWriteBytes = 0
  #flushDue = false
  /** Bytes that came in are being handled: what they lead to at once goes out at their end. */
  #holding = false
  /** The first frames after bytes came in go out as soon as the code they woke has run; only what is sent later waits for the turn's end. */
  #prompt = false
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
    return this.#collectedBytes + this.#connection.unsentBytes
  }

  get #collectedBytes(): number {
    return this.#piecesBytes + this.#end - this.#start
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
        this.#cutPiece()
        this.#pieces.push(attachment)
        this.#piecesBytes += attachment.byteLength
      }
    }
    if (this.#collectedBytes >= OUTBOX_TURN_BYTES_MAX) this.flush()
    else if (!this.#flushDue && !this.#holding) this.#flushSoon()
  }

  /** Bytes came in: nothing is written until `release`. */
  hold(): void {
    this.#holding = true
  }

  /** Those bytes were handled. `more` of them are likely to come within this turn: then a few answers wait for its end. */
  release(more: boolean): void {
    this.#holding = false
    this.#prompt = !more
    const bytes = this.#collectedBytes
    if (bytes === 0) return
    if (!more || bytes >= WORTH_A_WRITE_BYTES) this.flush()
    else if (!this.#flushDue) this.#flushSoon()
  }

  /**
   * A turn of the event loop costs a tenth of a round trip, so the first answers after bytes came in do not wait for it:
   * they leave once the promises that those bytes settled have run, all of them, as the microtask is queued behind theirs.
   */
  #flushSoon(): void {
    this.#flushDue = true
    if (this.#prompt) {
      this.#prompt = false
      void SETTLED.then(this.#flush)
    } else this.#clock.endOfTurn(this.#flush)
  }

  /** Writes what is collected now, without waiting for the end of the turn. */
  flush(): void {
    const bytes = this.#collectedBytes
    if (bytes === 0) return
    this.#lastWriteBytes = bytes
    if (this.#piecesBytes === 0) {
      const only = this.#block.subarray(this.#start, this.#end)
      this.#start = this.#end
      if (!this.#connection.write(only)) this.#onBlocked()
      return
    }
    this.#cutPiece()
    const pieces = this.#pieces
    this.#pieces = []
    this.#piecesBytes = 0
    if (!this.#connection.writeAll(pieces)) this.#onBlocked()
  }

  /** Makes a piece of what the block has collected. */
  #cutPiece(): void {
    if (this.#end === this.#start) return
    this.#pieces.push(this.#block.subarray(this.#start, this.#end))
    this.#piecesBytes += this.#end - this.#start
    this.#start = this.#end
  }

  /** A block that holds `bytesNeeded`; small where little is said, so that a thousand quiet connections cost little. */
  #nextBlock(bytesNeeded: number): void {
    // A full block of small frames goes out at once: the peer works while we do.
    if (this.#piecesBytes === 0) this.flush()
    else this.#cutPiece()
    const wanted = Math.min(OUTBOX_BLOCK_BYTES_MAX, Math.max(OUTBOX_BLOCK_BYTES_MIN, TURNS_PER_BLOCK * this.#lastWriteBytes))
    this.#block = new Uint8Array(new ArrayBuffer(Math.max(wanted, bytesNeeded)))
    this.#start = 0
    this.#end = 0
  }
}
