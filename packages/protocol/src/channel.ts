// One connection that carries frames: reads them, collects and writes them, holds back reading when its user says so,
// and cuts a peer that takes nothing of what is queued for it, or never ends a frame that it began. It knows nothing of requests; `session.ts` does.
import type { Clock, CloseReason, Connection, NodeId, Timer } from '@atoll/base'
import { ProtocolError } from './errors.ts'
import { type Frame, type FrameCodec, NO_ATTACHMENT } from './frame.ts'
import { FrameReader } from './frame-reader.ts'
import {
  DRAIN_TIMEOUT_MS,
  FRAME_BYTES_MAX_BEFORE_HELLO,
  FRAME_TIMEOUT_MS,
  FRAMES_PER_LOOK,
  FULL_READ_BYTES,
  LINGER_MS,
  QUEUED_BYTES_HIGH,
  QUEUED_BYTES_MAX,
  TURN_MS_MAX,
} from './limits.ts'
import { Outbox } from './outbox.ts'

export interface ChannelHandlers {
  /** False: hold further frames until `readOn`. */
  onFrame(frame: Frame): boolean
  /** The queue towards the peer emptied after it had been full. */
  onDrain(): void
  /** Exactly once; nothing is called after it. */
  onClosed(error: ProtocolError): void
}

/** The largest frames, in bytes, that we and the peer accept. */
export interface FrameBounds {
  readonly frameBytesMax: number
  readonly peerFrameBytesMax: number
}

export interface ChannelOptions {
  readonly connection: Connection
  readonly clock: Clock
  readonly codec: FrameCodec
  readonly handlers: ChannelHandlers
  /** The connection itself is over, which may be a while after `onClosed`. */
  readonly onGone?: (() => void) | undefined
}

export class Channel {
  readonly remote: string
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #codec: FrameCodec
  readonly #outbox: Outbox
  readonly #reader: FrameReader
  readonly #onGone: (() => void) | undefined
  #handlers: ChannelHandlers | undefined
  /** The user wants frames. */
  #wanted = true
  /** Frames are handed over: wanted, and this turn is not over. */
  #reading = true
  /** The socket is not read. */
  #paused = false
  #framesInTurn = 0
  #turnStartedMs = 0
  /** The connection asked to wait and has not drained since. While it did not, next to nothing is queued. */
  #blocked = false
  #writtenBytes = 0
  #peerFrameBytesMax = FRAME_BYTES_MAX_BEFORE_HELLO
  #closed: ProtocolError | undefined
  /** Set while a frame is gathered, and at times a while longer: watches that it becomes whole. */
  #frameWatch: Timer | undefined
  /** Watches that the peer takes what is queued, and after an orderly end that it ends too. */
  #watch: Timer | undefined

  constructor({ connection, clock, codec, handlers, onGone }: ChannelOptions) {
    this.remote = connection.remote
    this.#connection = connection
    this.#clock = clock
    this.#codec = codec
    this.#handlers = handlers
    this.#onGone = onGone
    this.#outbox = new Outbox(connection, clock, () => this.#onBlocked())
    this.#reader = new FrameReader(codec, FRAME_BYTES_MAX_BEFORE_HELLO, frame => this.#onFrame(frame))
    connection.open({
      onData: bytes => this.#onData(bytes),
      onDrain: () => this.#onDrain(),
      onClose: reason => this.#onClose(reason),
    })
  }

  get closed(): boolean {
    return this.#closed !== undefined
  }

  /** Bytes accepted that have not left this process. */
  get queuedBytes(): number {
    return this.#outbox.queuedBytes
  }

  /** Little enough is queued to read on and to go on with streams. When it was not, `onDrain` follows. */
  get hasRoom(): boolean {
    return !this.#blocked || this.#outbox.queuedBytes < QUEUED_BYTES_HIGH
  }

  /** Nothing that can be refused is added to the queue. */
  get full(): boolean {
    return this.#blocked && this.#outbox.queuedBytes > QUEUED_BYTES_MAX
  }

  /** What befalls one datagram message sent now; undefined is one copy at once. */
  datagramFate(): readonly number[] | undefined {
    return this.#connection.datagramFate()
  }

  /** Hands the channel to its next user, who may accept frames of another size. Frames held so far go to it on `readOn`. */
  handOver(handlers: ChannelHandlers, peer: NodeId | undefined, bounds: FrameBounds): void {
    if (this.#closed !== undefined) {
      handlers.onClosed(this.#closed)
      return
    }
    this.#handlers = handlers
    this.#reader.frameBytesMax = bounds.frameBytesMax
    this.#peerFrameBytesMax = bounds.peerFrameBytesMax
    if (peer !== undefined) this.#connection.identify(peer)
  }

  /**
   * Queues a frame and answers its size in bytes. The attachment is the channel’s from here on. Does nothing once closed.
   * Throws `message_too_large`, with nothing sent, when the peer would refuse it.
   */
  send(flags: number, messageKey: number, correlationId: number, body: readonly unknown[], attachment: Uint8Array = NO_ATTACHMENT): number {
    if (this.#closed !== undefined) return 0
    const head = this.#codec.encodeHead(flags, messageKey, correlationId, body, attachment)
    this.#checkSize(head.byteLength + attachment.byteLength)
    return this.#queue(head, attachment)
  }

  /**
   * Queues a frame once per entry of `delaysMs`, each held so long. Throws what `send` throws, before anything is sent:
   * a copy that is due later must not fail where nobody is left to hear of it.
   */
  sendCopies(delaysMs: readonly number[], flags: number, messageKey: number, correlationId: number, body: readonly unknown[]): void {
    const frame = new Uint8Array(this.#codec.encodeHead(flags, messageKey, correlationId, body, NO_ATTACHMENT))
    this.#checkSize(frame.byteLength)
    const sendOne = (): void => {
      if (this.#closed === undefined) this.#queue(frame, NO_ATTACHMENT)
    }
    for (const delayMs of delaysMs) {
      if (delayMs === 0) sendOne()
      else this.#clock.after(delayMs, sendOne)
    }
  }

  /** Takes frames again after `onFrame` answered false. */
  readOn(): void {
    if (this.#closed !== undefined) return
    this.#wanted = true
    this.#reading = true
    this.#feed(undefined)
  }

  /** Sends what is queued, then ends. `error` is what the user is told; it is not sent. */
  end(error: ProtocolError): void {
    if (this.#closed !== undefined) return
    this.#outbox.flush()
    this.#connection.end()
    // What still comes in is read and dropped: closing with bytes unread would reset the connection, and the peer would
    // lose what was just sent.
    if (this.#paused) this.#connection.resumeReading()
    this.#watch?.cancel()
    this.#watchEnd(this.#connection.unsentBytes)
    this.#finish(error)
  }

  /** Ends at once, also what was to end in order. */
  destroy(error: ProtocolError): void {
    this.#watch?.cancel()
    this.#connection.destroy()
    if (this.#closed === undefined) this.#finish(error)
  }

  #checkSize(bytes: number): void {
    if (bytes > this.#peerFrameBytesMax)
      throw new ProtocolError('message_too_large', `frame of ${bytes} bytes, ${this.remote} accepts ${this.#peerFrameBytesMax}`)
  }

  #queue(head: Uint8Array, attachment: Uint8Array): number {
    const bytes = head.byteLength + attachment.byteLength
    this.#writtenBytes += bytes
    this.#outbox.add(head, attachment)
    return bytes
  }

  #onFrame(frame: Frame): boolean {
    if (this.#closed !== undefined) return false
    this.#wanted = (this.#handlers as ChannelHandlers).onFrame(frame)
    this.#reading = this.#wanted && !this.#turnIsOver()
    return this.#reading
  }

  /** One peer's burst must not keep all others waiting: what is left after its share of the turn waits for the next one. */
  #turnIsOver(): boolean {
    if (++this.#framesInTurn % FRAMES_PER_LOOK !== 0 || this.#clock.monotonicMs() - this.#turnStartedMs < TURN_MS_MAX) return false
    this.#clock.endOfTurn(() => {
      if (this.#wanted) this.readOn()
    })
    return true
  }

  #onData(bytes: Uint8Array): void {
    if (this.#closed !== undefined) return
    this.#feed(bytes)
  }

  /** Gives the reader its next bytes, or lets it go on with those it holds. */
  #feed(bytes: Uint8Array | undefined): void {
    this.#outbox.hold()
    this.#framesInTurn = 0
    this.#turnStartedMs = this.#clock.monotonicMs()
    try {
      if (bytes === undefined) this.#reader.resume()
      else this.#reader.push(bytes)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.destroy(error)
      return
    }
    this.#outbox.release(bytes !== undefined && bytes.byteLength >= FULL_READ_BYTES)
    this.#followReader()
    if (this.#frameWatch === undefined && this.#closed === undefined) this.#watchFrame()
  }

  /**
   * Cuts a connection on which one frame is under way at two looks. A length that was damaged on its way, to another legal
   * one, takes what follows for the rest of its frame: no checksum is looked at until all of that is there, and nothing
   * else that the peer says is heard.
   */
  #watchFrame(): void {
    const { gathering } = this.#reader
    if (gathering === undefined) return
    this.#frameWatch = this.#clock.after(FRAME_TIMEOUT_MS, () => {
      this.#frameWatch = undefined
      if (this.#reader.gathering !== gathering) return this.#watchFrame()
      this.destroy(new ProtocolError('bad_frame', `a frame of ${this.remote} was not whole after ${FRAME_TIMEOUT_MS} ms`))
    })
  }

  /** The socket is read exactly while frames are wanted, so that a full user fills the peer’s window, not our memory. */
  #followReader(): void {
    if (this.#closed !== undefined || this.#paused !== this.#reading) return
    this.#paused = !this.#reading
    if (this.#paused) this.#connection.pauseReading()
    else this.#connection.resumeReading()
  }

  #onBlocked(): void {
    if (this.#closed !== undefined) return
    this.#blocked = true
    if (this.#watch === undefined) this.#watchDrain(this.#takenBytes())
  }

  #takenBytes(): number {
    return this.#writtenBytes - this.#outbox.queuedBytes
  }

  /** A peer that took nothing at all since the last look is cut. */
  #watchDrain(takenBefore: number): void {
    this.#watch = this.#clock.after(DRAIN_TIMEOUT_MS, () => {
      this.#watch = undefined
      if (!this.#blocked) return
      const taken = this.#takenBytes()
      if (taken === takenBefore)
        this.destroy(
          new ProtocolError('slow_peer', `${this.remote} took none of ${this.queuedBytes} queued bytes in ${DRAIN_TIMEOUT_MS} ms`),
        )
      else this.#watchDrain(taken)
    })
  }

  /** A peer that neither takes the rest nor ends its own side is cut, or it would keep the connection for ever. */
  #watchEnd(unsentBefore: number): void {
    this.#watch = this.#clock.after(LINGER_MS, () => {
      const unsent = this.#connection.unsentBytes
      if (unsent < unsentBefore) this.#watchEnd(unsent)
      else this.#connection.destroy()
    })
  }

  #onDrain(): void {
    this.#blocked = false
    if (this.#closed === undefined) this.#handlers?.onDrain()
  }

  #onClose(reason: CloseReason): void {
    this.#watch?.cancel()
    if (this.#closed === undefined)
      this.#finish(
        reason.kind === 'finished'
          ? new ProtocolError('connection_lost', `${this.remote} closed the connection`)
          : new ProtocolError('connection_lost', `connection to ${this.remote}: ${reason.error.message}`, { cause: reason.error }),
      )
    this.#onGone?.()
  }

  #finish(error: ProtocolError): void {
    this.#closed = error
    this.#frameWatch?.cancel()
    const handlers = this.#handlers
    this.#handlers = undefined
    handlers?.onClosed(error)
  }
}
