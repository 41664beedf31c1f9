// The answering side of a session: requests of the peer's that are being handled, and streams that are being sent.
// Requests start in arrival order; a handler that answers at once never leaves this turn.
import { InvariantError, type Logger } from '@atoll/base'
import { attachmentOf } from './attachments.ts'
import type { Channel } from './channel.ts'
import type { Deadlines } from './deadlines.ts'
import { errorBody } from './error-body.ts'
import { ProtocolError } from './errors.ts'
import { type Frame, flag } from './frame.ts'
import type { HandlerTable } from './handlers.ts'
import { DEADLINE_MS_MAX, SERVED_REQUESTS_MAX } from './limits.ts'
import { type Peer, ServedRequest } from './served-request.ts'
import { OutgoingStream } from './streams.ts'
import type { Rpc, StreamRpc } from './table.ts'

type WithAttachment = { readonly attachment?: Uint8Array }
interface ServedStream {
  readonly context: ServedRequest
  readonly sink: OutgoingStream<never> | undefined
}

export interface AnswersOptions {
  readonly channel: Channel
  readonly peer: Peer
  readonly handlers: HandlerTable
  readonly deadlines: Deadlines
  readonly nowMs: () => number
  readonly log: Logger
  /** There is room for another request again, after there was none. */
  readonly onRoom: () => void
}

export class Answers {
  readonly #channel: Channel
  readonly #peer: Peer
  readonly #handlers: HandlerTable
  readonly #deadlines: Deadlines
  readonly #nowMs: () => number
  readonly #log: Logger
  readonly #onRoom: () => void
  readonly #served = new Map<number, ServedStream>()
  #servedCount = 0

  constructor(options: AnswersOptions) {
    this.#channel = options.channel
    this.#peer = options.peer
    this.#handlers = options.handlers
    this.#deadlines = options.deadlines
    this.#nowMs = options.nowMs
    this.#log = options.log
    this.#onRoom = options.onRoom
  }

  /** Requests and streams being answered. */
  get count(): number {
    return this.#servedCount
  }

  get full(): boolean {
    return this.#servedCount >= SERVED_REQUESTS_MAX
  }

  onRequest(frame: Frame): void {
    const entry = this.#handlers.find(frame.messageKey)
    if (entry === undefined || entry.message.kind === 'one_way') {
      this.#fail(
        frame,
        flag.response,
        new ProtocolError('unknown_message', `message 0x${frame.messageKey.toString(16)} is not supported here`),
      )
      return
    }
    const { message } = entry
    let request: { attachment?: Uint8Array }
    let context: ServedRequest
    try {
      const deadlineMs = frame.body[0]
      if (typeof deadlineMs !== 'number' || !Number.isInteger(deadlineMs) || deadlineMs < 0 || deadlineMs > DEADLINE_MS_MAX)
        throw new ProtocolError('malformed_message', `${message.name}: deadline ${String(deadlineMs)}`)
      request = message.requestCodec.fromWire(frame.body, 1, this.#peer.version)
      if (message.kind === 'rpc' && message.requestAttachment !== undefined) {
        if (frame.attachment.byteLength > message.requestAttachment.max)
          throw new ProtocolError(
            'message_too_large',
            `${message.name}: attachment of ${frame.attachment.byteLength} bytes, at most ${message.requestAttachment.max}`,
          )
        request.attachment = frame.attachment
      }
      context = new ServedRequest(this.#peer, this.#deadlines, this.#nowMs, deadlineMs)
    } catch (error) {
      this.#fail(frame, message.kind === 'stream' ? flag.streamEnd : flag.response, error)
      return
    }
    if (message.kind === 'stream') this.#serveStream(frame, message, entry.handle as never, request, context)
    else this.#serveRpc(frame, message, entry.handle as never, request, context)
  }

  #serveRpc(
    frame: Frame,
    message: Rpc,
    handle: (request: object, context: ServedRequest) => unknown,
    request: object,
    context: ServedRequest,
  ): void {
    let result: unknown
    try {
      result = handle(request, context)
    } catch (error) {
      context.answered()
      this.#fail(frame, flag.response, error)
      return
    }
    if (!(result instanceof Promise)) {
      context.answered()
      this.#answer(frame, message, result as WithAttachment)
      return
    }
    this.#begin(frame.correlationId, { context, sink: undefined })
    result.then(
      (response: WithAttachment) => {
        this.#finish(frame.correlationId, context)
        this.#answer(frame, message, response)
      },
      (error: unknown) => {
        this.#finish(frame.correlationId, context)
        this.#fail(frame, flag.response, error)
      },
    )
  }

  #serveStream(
    frame: Frame,
    message: StreamRpc,
    handle: (request: object, context: ServedRequest, sink: OutgoingStream<never>) => Promise<void>,
    request: object,
    context: ServedRequest,
  ): void {
    const sink = new OutgoingStream<object>(item => {
      const attachment = attachmentOf(message.name, message.itemAttachment, item)
      const body = message.itemCodec.toWire(item as never, this.#peer.version, [])
      const before = this.#channel.queuedBytes
      this.#channel.send(flag.streamItem, message.key, frame.correlationId, body, attachment)
      // At least the attachment, and at least something: an item that costs no credit would never be held back.
      return Math.max(this.#channel.queuedBytes - before, attachment.byteLength + 32)
    }) as OutgoingStream<never>
    this.#begin(frame.correlationId, { context, sink })
    const serving = (async () => handle(request, context, sink))()
    serving.then(
      () => {
        this.#finish(frame.correlationId, context)
        this.#channel.send(flag.streamEnd, message.key, frame.correlationId, [])
      },
      (error: unknown) => {
        this.#finish(frame.correlationId, context)
        this.#fail(frame, flag.streamEnd, error)
      },
    )
  }

  #begin(id: number, served: ServedStream): void {
    this.#servedCount++
    this.#served.set(id, served)
  }

  #finish(id: number, context: ServedRequest): void {
    context.answered()
    this.#servedCount--
    if (this.#served.get(id)?.context === context) this.#served.delete(id)
    if (this.#servedCount === SERVED_REQUESTS_MAX - 1) this.#onRoom()
  }

  #answer(frame: Frame, message: Rpc, response: WithAttachment): void {
    try {
      this.#channel.send(
        flag.response,
        frame.messageKey,
        frame.correlationId,
        message.responseCodec.toWire(response as never, this.#peer.version, []),
        attachmentOf(message.name, message.responseAttachment, response),
      )
    } catch (error) {
      this.#fail(frame, flag.response, error)
    }
  }

  #fail(frame: Frame, kind: number, error: unknown): void {
    if (error instanceof InvariantError) throw error
    let told: ProtocolError
    if (error instanceof ProtocolError) told = error
    else {
      this.#log.error(
        { event: 'request_failed', messageKey: frame.messageKey, peer: this.#peer.node, err: error },
        'a request handler failed',
      )
      told = new ProtocolError('internal_error', `${error instanceof Error ? error.message : String(error)}`)
    }
    this.#channel.send(kind | flag.error, frame.messageKey, frame.correlationId, errorBody(told))
  }

  onCredit(frame: Frame): void {
    const bytes = frame.body[0]
    if (typeof bytes === 'number' && bytes > 0) this.#served.get(frame.correlationId)?.sink?.grant(bytes)
  }

  onCancel(frame: Frame): void {
    const served = this.#served.get(frame.correlationId)
    const error = new ProtocolError('request_cancelled', 'the caller gave the request up')
    served?.sink?.stop(error)
    served?.context.giveUp(error)
  }

  /** The session is over: nobody waits for the answers. */
  close(error: ProtocolError): void {
    for (const { context, sink } of this.#served.values()) {
      sink?.stop(error)
      context.giveUp(error)
    }
  }
}
