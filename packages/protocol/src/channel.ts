// One connection that carries frames: reads them, collects and writes them, holds back reading when its user says so,
// and cuts a peer that takes nothing of what is queued for it. It knows nothing of requests; `session.ts` does.
import type { Clock, CloseReason, Connection, NodeId } from '@atoll/base'
import { ProtocolError } from './errors.ts'
import { type Frame, type FrameCodec, NO_ATTACHMENT } from './frame.ts'
import { FrameReader } from './frame-reader.ts'
import { DRAIN_TIMEOUT_MS, FRAME_BYTES_MAX_BEFORE_HELLO } from './limits.ts'
import { Outbox } from './outbox.ts'

export interface ChannelHandlers {
  /** False: hold further frames until `readOn`. */
  onFrame(frame: Frame): boolean
  /** The queue towards the peer emptied after it had been full. */
  onDrain(): void
  /** Exactly once; nothing is called after it. */
  onClosed(error: ProtocolError): void
}

export class Channel {
  readonly remote: string
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #codec: FrameCodec
  readonly #outbox: Outbox
  readonly #reader: FrameReader
  #handlers: ChannelHandlers | undefined
  #reading = true
  #paused = false
  #blocked = false
  #writtenBytes = 0
  #peerFrameBytesMax = FRAME_BYTES_MAX_BEFORE_HELLO
  #closed: ProtocolError | undefined

  constructor(connection: Connection, clock: Clock, codec: FrameCodec, frameBytesMax: number, handlers: ChannelHandlers) {
    this.remote = connection.remote
    this.#connection = connection
    this.#clock = clock
    this.#codec = codec
    this.#handlers = handlers
    this.#outbox = new Outbox(connection, clock, () => this.#onBlocked())
    this.#reader = new FrameReader(codec, frameBytesMax, frame => this.#onFrame(frame))
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

  /** What befalls one datagram message sent now; undefined is one copy at once. */
  datagramFate(): readonly number[] | undefined {
    return this.#connection.datagramFate()
  }

  /** Hands the channel to its next user, who may accept frames of another size. Frames held so far go to it on `readOn`. */
  handOver(
    handlers: ChannelHandlers,
    peer: NodeId | undefined,
    bounds: { readonly frameBytesMax: number; readonly peerFrameBytesMax: number },
  ): void {
    this.#handlers = handlers
    this.#reader.frameBytesMax = bounds.frameBytesMax
    this.#peerFrameBytesMax = bounds.peerFrameBytesMax
    if (peer !== undefined) this.#connection.identify(peer)
  }

  /**
   * Queues a frame. The attachment is the channel’s from here on. Does nothing once closed.
   * Throws `message_too_large`, with nothing sent, when the peer would refuse it.
   */
  send(flags: number, messageKey: number, correlationId: number, body: readonly unknown[], attachment: Uint8Array = NO_ATTACHMENT): void {
    if (this.#closed !== undefined) return
    const head = this.#codec.encodeHead(flags, messageKey, correlationId, body, attachment)
    const total = head.byteLength + attachment.byteLength
    if (total > this.#peerFrameBytesMax)
      throw new ProtocolError('message_too_large', `frame of ${total} bytes, ${this.remote} accepts ${this.#peerFrameBytesMax}`)
    this.#writtenBytes += total
    this.#outbox.add(head, attachment)
  }

  /** Takes frames again after `onFrame` answered false. */
  readOn(): void {
    if (this.#closed !== undefined) return
    this.#reading = true
    this.#guard(() => this.#reader.resume())
    this.#followReader()
  }

  /** Sends what is queued, then ends. `error` is what the user is told; it is not sent. */
  end(error: ProtocolError): void {
    if (this.#closed !== undefined) return
    this.#outbox.flush()
    this.#connection.end()
    this.#finish(error)
  }

  /** Ends at once. */
  destroy(error: ProtocolError): void {
    if (this.#closed !== undefined) return
    this.#connection.destroy()
    this.#finish(error)
  }

  #onFrame(frame: Frame): boolean {
    if (this.#closed !== undefined) return false
    this.#reading = (this.#handlers as ChannelHandlers).onFrame(frame)
    return this.#reading
  }

  #onData(bytes: Uint8Array): void {
    this.#guard(() => this.#reader.push(bytes))
    this.#followReader()
  }

  /** The socket is read exactly while frames are wanted, so that a full user fills the peer’s window, not our memory. */
  #followReader(): void {
    if (this.#closed !== undefined || this.#paused !== this.#reading) return
    this.#paused = !this.#reading
    if (this.#paused) this.#connection.pauseReading()
    else this.#connection.resumeReading()
  }

  #guard(read: () => void): void {
    try {
      read()
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.destroy(error)
    }
  }

  #onBlocked(): void {
    if (this.#blocked || this.#closed !== undefined) return
    this.#blocked = true
    this.#watchDrain(this.#takenBytes())
  }

  #takenBytes(): number {
    return this.#writtenBytes - this.#outbox.queuedBytes
  }

  /** A peer that took nothing at all since the last look is cut. */
  #watchDrain(takenBefore: number): void {
    this.#clock.after(DRAIN_TIMEOUT_MS, () => {
      if (!this.#blocked || this.#closed !== undefined) return
      const taken = this.#takenBytes()
      if (taken === takenBefore)
        this.destroy(
          new ProtocolError('slow_peer', `${this.remote} took none of ${this.queuedBytes} queued bytes in ${DRAIN_TIMEOUT_MS} ms`),
        )
      else this.#watchDrain(taken)
    })
  }

  #onDrain(): void {
    this.#blocked = false
    if (this.#closed === undefined) this.#handlers?.onDrain()
  }

  #onClose(reason: CloseReason): void {
    if (this.#closed !== undefined) return
    this.#finish(
      reason.kind === 'finished'
        ? new ProtocolError('connection_lost', `${this.remote} closed the connection`)
        : new ProtocolError('connection_lost', `connection to ${this.remote}: ${reason.error.message}`, { cause: reason.error }),
    )
  }

  #finish(error: ProtocolError): void {
    this.#closed = error
    const handlers = this.#handlers
    this.#handlers = undefined
    handlers?.onClosed(error)
  }
}
