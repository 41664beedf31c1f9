// Both ends of a stream. The receiver grants credit in bytes, as it consumes; the sender waits when it has none, so
// neither side holds more than a window and one item (the idea of HTTP/2's flow control, RFC 9113 section 5.2).
import { ProtocolError } from './errors.ts'
import { STREAM_WINDOW_BYTES } from './limits.ts'

/** The sending end, as a handler sees it. */
export interface StreamSink<Item> {
  /** Sends `item`; resolves when there is room for another. Rejects when the receiver is gone: stop then. One at a time. */
  send(item: Item): Promise<void>
}

export class OutgoingStream<Item> implements StreamSink<Item> {
  readonly #transmit: (item: Item) => number
  #creditBytes = STREAM_WINDOW_BYTES
  #waiting: { resolve: () => void; reject: (error: ProtocolError) => void } | undefined
  #ended: ProtocolError | undefined

  /** `transmit` sends an item and answers its size on the wire. */
  constructor(transmit: (item: Item) => number) {
    this.#transmit = transmit
  }

  send(item: Item): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    if (this.#waiting !== undefined) return Promise.reject(new ProtocolError('too_many_requests', 'await one send before the next'))
    this.#creditBytes -= this.#transmit(item)
    if (this.#creditBytes > 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  /** The receiver consumed `bytes` more. */
  grant(bytes: number): void {
    this.#creditBytes = Math.min(STREAM_WINDOW_BYTES, this.#creditBytes + bytes)
    if (this.#creditBytes <= 0) return
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.resolve()
  }

  /** Nothing more will be received. */
  stop(error: ProtocolError): void {
    this.#ended ??= error
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(error)
  }
}

/** The receiving end: items in order, once, for one reader. Leaving the loop cancels the stream. */
export class IncomingStream<Item> implements AsyncIterableIterator<Item> {
  readonly #grant: (bytes: number) => void
  readonly #cancel: () => void
  #items: { readonly item: Item; readonly bytes: number }[] = []
  #bufferedBytes = 0
  #consumedBytes = 0
  #waiting: { resolve: (result: IteratorResult<Item>) => void; reject: (error: Error) => void } | undefined
  #over: { readonly error: ProtocolError | undefined } | undefined

  constructor(grant: (bytes: number) => void, cancel: () => void) {
    this.#grant = grant
    this.#cancel = cancel
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Item>> {
    const head = this.#items.shift()
    if (head !== undefined) {
      this.#consume(head.bytes)
      return Promise.resolve({ value: head.item, done: false })
    }
    if (this.#over !== undefined)
      return this.#over.error === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(this.#over.error)
    if (this.#waiting !== undefined)
      return Promise.reject(new ProtocolError('invalid_argument', 'a stream has one reader: await `next` before the next'))
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  /** Ends the stream from this side; what was buffered is dropped. */
  return(): Promise<IteratorResult<Item>> {
    if (this.#over === undefined) {
      this.#cancel()
      this.finish(undefined)
    }
    this.#items = []
    return Promise.resolve({ value: undefined, done: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  /** An item came in. Throws `bad_frame` when the sender ignores its credit. */
  push(item: Item, bytes: number): void {
    if (this.#over !== undefined) return
    const waiting = this.#waiting
    if (waiting !== undefined) {
      this.#waiting = undefined
      this.#consume(bytes)
      waiting.resolve({ value: item, done: false })
      return
    }
    if (this.#bufferedBytes > STREAM_WINDOW_BYTES) throw new ProtocolError('bad_frame', 'stream item sent without credit')
    this.#items.push({ item, bytes })
    this.#bufferedBytes += bytes
  }

  /** No more items will come; buffered ones are still read. */
  finish(error: ProtocolError | undefined): void {
    if (this.#over !== undefined) return
    this.#over = { error }
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting === undefined) return
    if (error === undefined) waiting.resolve({ value: undefined, done: true })
    else waiting.reject(error)
  }

  #consume(bytes: number): void {
    this.#bufferedBytes = Math.max(0, this.#bufferedBytes - bytes)
    this.#consumedBytes += bytes
    if (this.#consumedBytes < STREAM_WINDOW_BYTES / 2 || this.#over !== undefined) return
    this.#grant(this.#consumedBytes)
    this.#consumedBytes = 0
  }
}
