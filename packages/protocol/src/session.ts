// One authenticated channel on which both sides may ask: `calls.ts` asks, `answers.ts` answers, and here the frames are
// shared out between them. A session that ends settles everything that was open on it.
import { type Clock, InvariantError, type Logger } from '@atoll/base'
import { Answers } from './answers.ts'
import { attachmentOf, takeAttachment } from './attachments.ts'
import { Calls, type RequestOptions, type StreamOptions } from './calls.ts'
import type { Channel, FrameBounds } from './channel.ts'
import type { Deadlines } from './deadlines.ts'
import { ProtocolError } from './errors.ts'
import { type Frame, flag } from './frame.ts'
import type { HandlerTable } from './handlers.ts'
import type { Peer } from './served-request.ts'
import type { IncomingStream } from './streams.ts'
import type { ItemOf, MessageOf, OneWay, RequestOf, ResponseOf, Rpc, StreamRpc } from './table.ts'

/** What all sessions of a process share. */
export interface SessionEnvironment {
  readonly clock: Clock
  readonly deadlines: Deadlines
  readonly log: Logger
}

export interface SessionOptions {
  readonly channel: Channel
  readonly peer: Peer
  readonly handlers: HandlerTable
  readonly env: SessionEnvironment
  readonly bounds: FrameBounds
}

export class Session {
  readonly peer: Peer
  /** Resolves with the reason once the session is over. Never rejects. */
  readonly closed: Promise<ProtocolError>
  readonly #channel: Channel
  readonly #env: SessionEnvironment
  readonly #handlers: HandlerTable
  readonly #calls: Calls
  readonly #answers: Answers
  #settleClosed!: (error: ProtocolError) => void

  /** Takes over `channel`, whose hello is done. */
  constructor({ channel, peer, handlers, env, bounds }: SessionOptions) {
    this.#channel = channel
    this.peer = peer
    this.#env = env
    this.#handlers = handlers
    this.#calls = new Calls(channel, peer, env.deadlines)
    this.#answers = new Answers({
      channel,
      peer,
      handlers,
      deadlines: env.deadlines,
      nowMs: () => env.clock.monotonicMs(),
      log: env.log,
      onRoom: () => this.#onRoom(),
    })
    this.closed = new Promise(resolve => {
      this.#settleClosed = resolve
    })
    channel.handOver(
      { onFrame: frame => this.#onFrame(frame), onDrain: () => this.#onDrain(), onClosed: error => this.#onClosed(error) },
      peer.node,
      bounds,
    )
  }

  /** Starts reading. Apart from the constructor, so that its owner can register it first. */
  start(): void {
    this.#channel.readOn()
  }

  get isOpen(): boolean {
    return !this.#channel.closed
  }

  /** Requests of ours and of theirs without an answer yet, and open streams. */
  get busyCount(): number {
    return this.#calls.count + this.#answers.count
  }

  /** Bytes queued towards the peer that have not left this process. */
  get queuedBytes(): number {
    return this.#channel.queuedBytes
  }

  /**
   * Sends a request; resolves with the answer. Rejects with a ProtocolError: the peer's own, or `request_timed_out`,
   * `connection_lost`, `request_cancelled` (indefinite), or `not_connected`, `too_many_requests`, `invalid_argument`,
   * `message_too_large` (definite: nothing was sent).
   */
  request<M extends Rpc>(message: M, request: RequestOf<M>, options?: RequestOptions): Promise<ResponseOf<M>> {
    return this.#calls.request(message, request, options)
  }

  /** Opens a stream. Its items are read with `for await`; it ends with the peer’s error, if any. */
  open<M extends StreamRpc>(message: M, request: RequestOf<M>, options?: StreamOptions): IncomingStream<ItemOf<M>> {
    return this.#calls.open(message, request, options)
  }

  /**
   * Sends a one-way message. Answers false when it was not even queued; datagrams may be lost behind a true.
   * Throws `invalid_argument` or `message_too_large` when it cannot be sent at all.
   */
  send<M extends OneWay>(message: M, value: MessageOf<M>): boolean {
    if (this.#channel.closed || this.#channel.full) return false
    const body = message.codec.toWire(value as never, this.peer.version, [])
    const fate = message.datagram ? this.#channel.datagramFate() : undefined
    if (fate === undefined) this.#channel.send(flag.oneWay, message.key, 0, body, attachmentOf(message.name, message.attachment, value))
    else this.#channel.sendCopies(fate, flag.oneWay, message.key, 0, body)
    return true
  }

  /** Ends the session after what is queued was sent; open requests reject with `error`. */
  end(error = new ProtocolError('connection_lost', 'this side ended the connection')): void {
    this.#channel.end(error)
  }

  /** Ends the session at once. */
  destroy(error: ProtocolError): void {
    this.#channel.destroy(error)
  }

  #onFrame(frame: Frame): boolean {
    const kind = frame.flags & ~flag.error
    if (kind === flag.response) this.#calls.onResponse(frame)
    else if (kind === flag.request) this.#answers.onRequest(frame)
    else if (kind === flag.oneWay) this.#onOneWay(frame)
    else if (kind === flag.streamItem) this.#calls.onStreamItem(frame)
    else if (kind === flag.streamEnd) this.#calls.onStreamEnd(frame)
    else if (kind === flag.credit) this.#answers.onCredit(frame)
    else this.#answers.onCancel(frame)
    return this.#wantsFrames()
  }

  /** A full service stops reading the socket rather than buffer. */
  #wantsFrames(): boolean {
    return !this.#answers.full && this.#channel.hasRoom
  }

  #onRoom(): void {
    if (this.#wantsFrames()) this.#channel.readOn()
  }

  #onDrain(): void {
    this.#answers.onDrain()
    this.#onRoom()
  }

  /** A body that does not fit its table ends the session, because there is no answer that could say so. */
  #onOneWay(frame: Frame): void {
    const entry = this.#handlers.find(frame.messageKey)
    if (entry === undefined || entry.message.kind !== 'one_way') {
      this.#env.log.debug(
        { event: 'unknown_message', messageKey: frame.messageKey, peer: this.peer.node },
        'ignored a one-way message that is not supported here',
      )
      return
    }
    const message: object = entry.message.codec.fromWire(frame.body, 0, this.peer.version)
    takeAttachment(entry.message.name, entry.message.attachment, frame.attachment, message)
    try {
      ;(entry.handle as (message: object, session: Session) => void)(message, this)
    } catch (error) {
      if (error instanceof InvariantError) throw error
      this.#env.log.error(
        { event: 'message_failed', messageKey: frame.messageKey, peer: this.peer.node, err: error },
        'a message handler failed',
      )
    }
  }

  #onClosed(error: ProtocolError): void {
    this.#calls.close(error)
    this.#answers.close(error)
    this.#settleClosed(error)
  }
}
