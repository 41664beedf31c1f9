// The answering side of a session: requests of the peer's that are being handled, and streams that are being sent.
// Requests start in arrival order; a handler that answers at once never leaves this turn.
import { InvariantError, type Logger } from '@atoll/base'
import { attachmentOf, takeAttachment } from './attachments.ts'
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

interface Served {
  readonly context: ServedRequest
  readonly sink: OutgoingStream<object> | undefined
  /** The caller gave it up: nobody reads an answer. */
  cancelled: boolean
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
  readonly #served = new Map<number, Served>()

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
    return this.#served.size
  }

  get full(): boolean {
    return this.#served.size >= SERVED_REQUESTS_MAX
  }

  onRequest(frame: Frame): void {
    if (this.#served.has(frame.correlationId))
      throw new ProtocolError('bad_frame', `request ${frame.correlationId} came again while it was being answered`)
    const entry = this.#handlers.find(frame.messageKey)
    if (entry === undefined || entry.message.kind === 'one_way') {
      const error = new ProtocolError('unknown_message', `message 0x${frame.messageKey.toString(16)} is not supported here`)
      this.#fail(frame, flag.response, error)
      return
    }
    const { message, handle } = entry
    let request: object
    let context: ServedRequest
    try {
      const deadlineMs = deadlineOf(message, frame.body[0])
      request = message.requestCodec.fromWire(frame.body, 1, this.#peer.version)
      takeAttachment(message.name, message.kind === 'rpc' ? message.requestAttachment : undefined, frame.attachment, request)
      context = new ServedRequest(this.#peer, this.#deadlines, this.#nowMs, deadlineMs)
    } catch (error) {
      this.#fail(frame, message.kind === 'stream' ? flag.streamEnd : flag.response, error)
      return
    }
    if (message.kind === 'stream') this.#serveStream(frame, message, handle as StreamHandler, request, context)
    else this.#serveRpc(frame, message, handle as RpcHandler, request, context)
  }

  /** The caller consumed so many bytes of a stream. Late ones, for a stream that is over, mean nothing. */
  onCredit(frame: Frame): void {
    const bytes = frame.body[0]
    if (typeof bytes === 'number' && bytes > 0) this.#served.get(frame.correlationId)?.sink?.grant(bytes)
  }

  /** Late ones, for a request that is answered, mean nothing. */
  onCancel(frame: Frame): void {
    const served = this.#served.get(frame.correlationId)
    if (served === undefined) return
    served.cancelled = true
    this.#stop(served, new ProtocolError('request_cancelled', 'the caller gave the request up'))
  }

  /** The queue towards the peer emptied: streams go on while it has room. */
  onDrain(): void {
    for (const { sink } of this.#served.values()) {
      if (!this.#channel.hasRoom) return
      sink?.proceed()
    }
  }

  /** The session is over: nobody waits for the answers. */
  close(error: ProtocolError): void {
    for (const served of this.#served.values()) this.#stop(served, error)
  }

  #stop({ sink, context }: Served, error: ProtocolError): void {
    sink?.stop(error)
    context.giveUp(error)
  }

  #serveRpc(frame: Frame, message: Rpc, handle: RpcHandler, request: object, context: ServedRequest): void {
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
      this.#answer(frame, message, result as object)
      return
    }
    const served: Served = { context, sink: undefined, cancelled: false }
    this.#served.set(frame.correlationId, served)
    result.then(
      (response: object) => {
        this.#finish(frame, served)
        if (!served.cancelled) this.#answer(frame, message, response)
      },
      (error: unknown) => {
        this.#finish(frame, served)
        if (!served.cancelled) this.#fail(frame, flag.response, error)
        else if (error instanceof InvariantError) throw error
      },
    )
  }

  #serveStream(frame: Frame, message: StreamRpc, handle: StreamHandler, request: object, context: ServedRequest): void {
    const sink = new OutgoingStream<object>(
      item => this.#sendItem(frame, message, item),
      () => this.#channel.hasRoom,
    )
    const served: Served = { context, sink, cancelled: false }
    this.#served.set(frame.correlationId, served)
    const serving = (async () => handle(request, context, sink))()
    serving.then(
      () => {
        this.#finish(frame, served)
        if (!served.cancelled) this.#channel.send(flag.streamEnd, message.key, frame.correlationId, [])
      },
      (error: unknown) => {
        this.#finish(frame, served)
        if (!served.cancelled) this.#fail(frame, flag.streamEnd, error)
        else if (error instanceof InvariantError) throw error
      },
    )
  }

  #sendItem(frame: Frame, message: StreamRpc, item: object): number {
    try {
      const attachment = attachmentOf(message.name, message.itemAttachment, item)
      const body = message.itemCodec.toWire(item as never, this.#peer.version, [])
      return this.#channel.send(flag.streamItem, message.key, frame.correlationId, body, attachment)
    } catch (error) {
      throw badAnswer(error)
    }
  }

  #finish(frame: Frame, { context, sink }: Served): void {
    const wasFull = this.full
    context.answered()
    sink?.stop(new ProtocolError('request_cancelled', 'the stream is over'))
    this.#served.delete(frame.correlationId)
    if (wasFull) this.#onRoom()
  }

  #answer(frame: Frame, message: Rpc, response: object): void {
    try {
      if (this.#channel.full)
        throw new ProtocolError('answer_dropped', `${message.name}: ${this.#channel.queuedBytes} bytes are queued for ${this.#peer.node}`)
      const attachment = attachmentOf(message.name, message.responseAttachment, response)
      const body = message.responseCodec.toWire(response as never, this.#peer.version, [])
      this.#channel.send(flag.response, frame.messageKey, frame.correlationId, body, attachment)
    } catch (error) {
      this.#fail(frame, flag.response, badAnswer(error))
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
}

type RpcHandler = (request: object, context: ServedRequest) => unknown
type StreamHandler = (request: object, context: ServedRequest, sink: OutgoingStream<object>) => Promise<void>

/** The first value of a request: what remains of the caller's deadline. Only a stream may have none. */
function deadlineOf(message: Rpc | StreamRpc, wire: unknown): number {
  const least = message.kind === 'stream' ? 0 : 1
  if (typeof wire === 'number' && Number.isInteger(wire) && wire >= least && wire <= DEADLINE_MS_MAX) return wire
  throw new ProtocolError('malformed_message', `${message.name}: want a deadline of ${least} to ${DEADLINE_MS_MAX} ms, got ${String(wire)}`)
}

/** An answer of ours that cannot be sent. The request has had its effect, so that no error may claim it had none. */
function badAnswer(error: unknown): unknown {
  return error instanceof ProtocolError && error.outcome === 'definite'
    ? new ProtocolError('bad_answer', error.message, { cause: error })
    : error
}
