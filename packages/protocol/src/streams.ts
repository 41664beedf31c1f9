// Both ends of a stream. The receiver grants credit in bytes, as it consumes; the sender waits when it has none, so
// neither side holds more than a window and one item (the idea of HTTP/2's flow control, RFC 9113 section 5.2).
import { ProtocolError } from './errors.ts'
import { STREAM_WINDOW_BYTES } from './limits.ts'

/** The sending end, as a handler sees it. */
export interface StreamSink<Item> {
  /** Resolves once `item` is on its way, which waits for the receiver's credit. Rejects when nobody receives any more: stop then. One at a time. */
  send(item: Item): Promise<void>
}

interface WaitingItem<Item> {
  readonly item: Item
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class OutgoingStream<Item> implements StreamSink<Item> {
  readonly #transmit: (item: Item) => number
  readonly #hasRoom: () => boolean
  #creditBytes = STREAM_WINDOW_BYTES
  #waiting: WaitingItem<Item> | undefined
  #ended: ProtocolError | undefined

  /** `transmit` sends an item and answers its size on the wire; `hasRoom` says whether the connection takes more. */
  constructor(transmit: (item: Item) => number, hasRoom: () => boolean) {
    this.#transmit = transmit
    this.#hasRoom = hasRoom
  }

  send(item: Item): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) reject(this.#ended)
      else if (this.#waiting !== undefined) reject(new ProtocolError('invalid_argument', 'await one send before the next'))
      else {
        this.#waiting = { item, resolve, reject }
        this.proceed()
      }
    })
  }

  /** The receiver consumed `bytes` more. More than it was sent does not count. */
  grant(bytes: number): void {
    this.#creditBytes = Math.min(STREAM_WINDOW_BYTES, this.#creditBytes + bytes)
    this.proceed()
  }

  /** Sends what waits, if it may go by now. */
  proceed(): void {
    const waiting = this.#waiting
    if (waiting === undefined || this.#creditBytes <= 0 || !this.#hasRoom()) return
    this.#waiting = undefined
    try {
      this.#creditBytes -= this.#transmit(waiting.item)
    } catch (error) {
      waiting.reject(error as Error)
      return
    }
    waiting.resolve()
  }

  /** Nothing more will be sent. */
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

  /** `cancel` tells the sender to stop; it is called once, when this side gives up first. */
  constructor(grant: (bytes: number) => void, cancel: () => void) {
    this.#grant = grant
    this.#cancel = cancel
  }

  /** Items that came and were not read yet. */
  get bufferedCount(): number {
    return this.#items.length
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Item>> {
    const head = this.#items.shift()
    if (head !== undefined) {
      this.#bufferedBytes -= head.bytes
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
    this.giveUp(undefined)
    this.#drop()
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
    // What waits and what was read but not granted yet: as much as the sender has spent.
    if (this.#bufferedBytes + this.#consumedBytes >= STREAM_WINDOW_BYTES)
      throw new ProtocolError('bad_frame', 'stream item sent without credit')
    this.#items.push({ item, bytes })
    this.#bufferedBytes += bytes
  }

  /** No more items will come; buffered ones are still read, then `error` if there is one. */
  finish(error: ProtocolError | undefined): void {
    if (this.#over !== undefined) return
    this.#over = { error }
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting === undefined) return
    if (error === undefined) waiting.resolve({ value: undefined, done: true })
    else waiting.reject(error)
  }

  /** Nobody wants the rest: tells the sender, and ends with `error` for whoever still reads. */
  giveUp(error: ProtocolError | undefined): void {
    if (this.#over !== undefined) return
    this.#drop()
    this.finish(error)
    this.#cancel()
  }

  #drop(): void {
    this.#items = []
    this.#bufferedBytes = 0
  }

  #consume(bytes: number): void {
    this.#consumedBytes += bytes
    if (this.#consumedBytes < STREAM_WINDOW_BYTES / 2 || this.#over !== undefined) return
    this.#grant(this.#consumedBytes)
    this.#consumedBytes = 0
  }
}
